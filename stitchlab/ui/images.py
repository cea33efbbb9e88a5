"""Draws the data sets: which there are and where, sample images, classes; downloads one, or adds a folder."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.data_sets import DATA_SETS, FOLDER
from stitchlab.figures import networks as figures
from stitchlab.jobs import JobQueue, download_job
from stitchlab.results import data_sets
from stitchlab.results.data_sets import DataRecord
from stitchlab.store import Store
from stitchlab.ui.asking import ask_worker
from stitchlab.ui.charts import chart
from stitchlab.ui.pictures import pictures

IMAGES_PER_CLASS = 3  # sample images
MAX_CLASSES_SHOWN = 20  # with sample images


def draw(store: Store, jobs: JobQueue) -> None:
    """Draw the table of data sets, and the chosen one below."""
    records = {record.name: record for record in data_sets.known(store)}
    names = [*DATA_SETS, *(name for name in records if name not in DATA_SETS)]
    st.dataframe(
        [_row(name, records.get(name), store) for name in names],
        hide_index=True,
        width="stretch",
        placeholder="–",
        alt="Data sets: what each is, where it is, how many images and classes it has",
    )
    name = st.selectbox(
        "Data set",
        names,
        key="data_set",
        bind="query-params",
        format_func=lambda key: records[key].label if key in records else DATA_SETS[key].label,
    )
    if (data := data_sets.at_hand(store).get(name)) is not None:
        _draw_data_set(jobs, data)
    else:
        _offer_download(
            jobs,
            name,
            f"{DATA_SETS[name].description}. It is not on this machine yet: Get it downloads "
            "it, unless torchvision's files are there.",
        )
    _offer_folders(jobs, records)


def _row(name: str, record: DataRecord | None, store: Store) -> dict[str, Any]:
    entry = DATA_SETS.get(name)
    at_hand = entry is not None and entry.at_hand
    folder = "comes with scikit-learn" if at_hand else str(store.root / "downloads")
    on_this_machine = record is not None or at_hand
    return {
        "Data set": entry.label if entry else record.label if record else name,
        "What": entry.description if entry else "a folder of images",
        "Here": on_this_machine,
        "Where": (folder if entry else name.removeprefix(FOLDER)) if on_this_machine else None,
        "Training images": record.train if record else None,
        "Test images": record.test if record else None,
        "Image": "×".join(map(str, record.shape)) if record else None,
        "Classes": len(record.classes) if record else None,
    }


def _draw_data_set(jobs: JobQueue, data: DataRecord) -> None:
    id_remark = f", id `{data.fingerprint[:12]}`" if data.fingerprint else ""
    st.markdown(
        f"**{data.label}**: {data.train:,} training and {data.test:,} test images of "
        f"{'×'.join(map(str, data.shape))} in {len(data.classes)} classes{id_remark}."
    )
    left, right = st.columns(2)
    with left:
        balance = ask_worker(
            jobs, "class_balance", data.fingerprint or data.name, awaited="how many images each class has"
        )
        if balance is not None:
            train, test = balance
            chart(data.label, figures.balance(train, test, data.classes, dark=ui.dark()), "balance", "images by class")
    with right:
        _samples(jobs, data)


def _samples(jobs: JobQueue, data: DataRecord) -> None:
    st.caption(
        "The first training images of "
        + ("each class" if len(data.classes) <= MAX_CLASSES_SHOWN else f"the first {MAX_CLASSES_SHOWN} classes")
    )
    samples = ask_worker(
        jobs,
        "sample_images",
        data.fingerprint or data.name,
        IMAGES_PER_CLASS,
        MAX_CLASSES_SHOWN,
        awaited="sample images",
    )
    if samples is not None:
        pixels, labels = samples
        pictures(pixels, labels, [f"A training image of class {label}" for label in labels], width=46)


def _offer_download(jobs: JobQueue, name: str, remark: str) -> None:
    """Draw a remark with a button that downloads a data set, or the progress of the download."""
    job = download_job(name)
    status = jobs.status(job)
    if status is not None and status.active:
        ui.watch(jobs, job)
        return
    if status is not None and status.state == "failed":
        st.error(status.message, icon=":material/error:")
    if status is not None and status.state == "done":
        st.caption(":material/check_circle: It is here; the same images may be listed under another folder's name.")
    place, clicked = ui.sentence_with_button("Get it", ":material/download:", primary=True, key=f"get-{name}")
    place.info(remark, icon=":material/info:")
    if clicked:
        ui.queue(lambda: jobs.fetch(name))


def _offer_folders(jobs: JobQueue, records: dict[str, DataRecord]) -> None:
    st.header("Add a folder of images")
    offered = [str(path) for path in data_sets.offered_folders()]
    if not offered:
        st.caption(
            "A folder with train/CLASS/ and test/CLASS/ is added by `python -m stitchlab data folder:PATH`, or by "
            "`folder:PATH@SIZE` if its images have several sizes. This page offers only folders inside those "
            "that the variable STITCHLAB_DATA named when the app was started."
        )
        return
    left, right = st.columns([3, 1])
    path = left.selectbox("Folder", offered, key="folder", help="Folders inside those that STITCHLAB_DATA names.")
    size = right.number_input("Size", 1, 1024, None, key="folder_size", placeholder="the images' own")
    name = f"{FOLDER}{path}{'' if size is None else f'@{int(size)}'}"
    if name in records:
        st.caption(":material/check_circle: It is here.")
    else:
        _offer_download(jobs, name, f"The images of {path} are decoded once and kept.")

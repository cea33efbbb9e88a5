"""Draws the data sets: what is there and where, sample images, classes; gets one, or adds a folder."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.data_sets import DATA_SETS, FOLDER
from stitchlab.figures import networks as figures
from stitchlab.jobs import Jobs, fetching
from stitchlab.results import data_sets
from stitchlab.results.data_sets import DataRecord
from stitchlab.store import Store
from stitchlab.ui.asking import answered
from stitchlab.ui.charts import chart
from stitchlab.ui.pictures import pictures

SAMPLES = 3  # images of each class that are shown
CLASSES = 20  # of so many classes


def draw(store: Store, jobs: Jobs) -> None:
    """Draw the table of data sets, and the chosen one below."""
    known = {record.name: record for record in data_sets.known(store)}
    names = [*DATA_SETS, *(name for name in known if name not in DATA_SETS)]
    st.dataframe(
        [_row(name, known.get(name), store) for name in names],
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
        format_func=lambda key: known[key].label if key in known else DATA_SETS[key].label,
    )
    if (data := data_sets.at_hand(store).get(name)) is not None:
        _one(jobs, data)
    else:
        _get(
            jobs,
            name,
            f"{DATA_SETS[name].description}. It is not on this machine yet: Get it downloads "
            "it, unless torchvision's files are there.",
        )
    _add(jobs, known)


def _row(name: str, record: DataRecord | None, store: Store) -> dict[str, Any]:
    entry = DATA_SETS.get(name)
    at_hand = entry is not None and entry.at_hand
    place = "comes with scikit-learn" if at_hand else str(store.root / "downloads")
    here = record is not None or at_hand
    return {
        "Data set": entry.label if entry else record.label if record else name,
        "What": entry.description if entry else "a folder of images",
        "Here": here,
        "Where": (place if entry else name.removeprefix(FOLDER)) if here else None,
        "Training images": record.train if record else None,
        "Test images": record.test if record else None,
        "Image": "×".join(map(str, record.shape)) if record else None,
        "Classes": len(record.classes) if record else None,
    }


def _one(jobs: Jobs, data: DataRecord) -> None:
    identity = f", id `{data.fingerprint[:12]}`" if data.fingerprint else ""
    st.markdown(
        f"**{data.label}**: {data.train:,} training and {data.test:,} test images of "
        f"{'×'.join(map(str, data.shape))} in {len(data.classes)} classes{identity}."
    )
    left, right = st.columns(2)
    with left:
        balance = answered(jobs, "class_balance", data.fingerprint or data.name, what="how many images each class has")
        if balance is not None:
            train, test = balance
            chart(data.label, figures.balance(train, test, data.classes, dark=ui.dark()), "balance", "images by class")
    with right:
        _samples(jobs, data)


def _samples(jobs: Jobs, data: DataRecord) -> None:
    st.caption(
        "The first training images of "
        + ("each class" if len(data.classes) <= CLASSES else f"the first {CLASSES} classes")
    )
    asked = answered(jobs, "sample_images", data.fingerprint or data.name, SAMPLES, CLASSES, what="sample images")
    if asked is not None:
        pixels, labels = asked
        pictures(pixels, labels, [f"A training image of class {label}" for label in labels], width=46)


def _get(jobs: Jobs, name: str, text: str) -> None:
    """Draw a button that gets a data set, and its progress."""
    job = fetching(name)
    status = jobs.status(job)
    if status is not None and status.active:
        ui.watch(jobs, job)
        return
    if status is not None and status.state == "failed":
        st.error(status.message, icon=":material/error:")
    if status is not None and status.state == "done":
        st.caption(":material/check_circle: It is here; the same images may be listed under another folder's name.")
    place, clicked = ui.beside("Get it", ":material/download:", primary=True, key=f"get-{name}")
    place.info(text, icon=":material/info:")
    if clicked:
        ui.queue(lambda: jobs.fetch(name))


def _add(jobs: Jobs, known: dict[str, Any]) -> None:
    st.header("Add a folder of images")
    offered = [str(path) for path in data_sets.offered_folders()]
    if not offered:
        st.caption(
            "A folder with train/CLASS/ and test/CLASS/ is added by `python -m stitchlab data folder:PATH`, or "
            "`folder:PATH@SIZE` where its images have several sizes. This page offers only folders under the "
            "roots that the variable STITCHLAB_DATA named when the app was started."
        )
        return
    left, right = st.columns([3, 1])
    path = left.selectbox("Folder", offered, key="folder", help="Under the roots that STITCHLAB_DATA names.")
    size = right.number_input("Size", 1, 1024, None, key="folder_size", placeholder="the images' own")
    name = f"{FOLDER}{path}{'' if size is None else f'@{int(size)}'}"
    if name in known:
        st.caption(":material/check_circle: It is here.")
    else:
        _get(jobs, name, f"{path} is decoded once and kept.")

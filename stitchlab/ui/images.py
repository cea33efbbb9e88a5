"""The data sets on the screen: what is there and where, sample images, classes; getting one, adding a folder."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from stitchlab import ui
from stitchlab.data import image_folder as folder
from stitchlab.data import registry as datasets
from stitchlab.data.splits import DataSet
from stitchlab.errors import StitchLabError
from stitchlab.figures import networks as figures
from stitchlab.jobs import Jobs, fetching
from stitchlab.store import Store
from stitchlab.ui.charts import chart

SAMPLES = 3  # images of each class that are shown
CLASSES = 20  # of so many classes


def draw(store: Store, jobs: Jobs) -> None:
    """The table, and the chosen data set below."""
    known = {record["name"]: record for record in datasets.known(store)}
    names = [*datasets.REGISTRY, *(name for name in known if name not in datasets.REGISTRY)]
    st.dataframe([_row(name, known.get(name), store) for name in names], hide_index=True, width="stretch",
                 placeholder="–")
    name = st.selectbox("Data set", names, key="data_set", bind="query-params",
                        format_func=lambda key: known[key]["label"] if key in known else datasets.REGISTRY[key].label)
    if name in known or name == "digits":
        _one(store, name)
    else:
        _get(jobs, name, f"{datasets.REGISTRY[name].description}. It is not on this machine yet; getting it downloads "
             "it, unless torchvision's files are there.")
    _add(jobs, known)


def _row(name: str, record: dict[str, Any] | None, store: Store) -> dict[str, Any]:
    entry = datasets.REGISTRY.get(name)
    place = "comes with scikit-learn" if name == "digits" else str(store.root / "downloads")
    here = record is not None or name == "digits"
    return {
        "Data set": entry.label if entry else record["label"] if record else name,
        "What": entry.description if entry else "a folder of images", "Here": here,
        "Where": (place if entry else name.removeprefix("folder:")) if here else None,
        "Training images": record["train"] if record else None, "Test images": record["test"] if record else None,
        "Image": "×".join(map(str, record["shape"])) if record else None,
        "Classes": len(record["classes"]) if record else None,
    }


def _one(store: Store, name: str) -> None:
    try:
        data = datasets.here(name, store)
    except StitchLabError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.markdown(f"**{data.label}**: {len(data.train):,} training and {len(data.test):,} test images of "
                f"{'×'.join(map(str, data.shape))} in {len(data.classes)} classes, id `{data.fingerprint[:12]}`.")
    left, right = st.columns(2)
    with left:
        train, test = (np.bincount(split.labels, minlength=len(data.classes)).tolist()
                       for split in (data.train, data.test))
        chart(data.label, figures.balance(train, test, data.classes, dark=ui.dark()), "balance",
              "Training and test images of each class", "images by class")
    with right:
        _samples(data)


def _samples(data: DataSet) -> None:
    st.caption("The first training images of " + ("each class" if len(data.classes) <= CLASSES else
                                                  f"the first {CLASSES} classes"))
    by_class = [np.flatnonzero(data.train.labels == c)[:SAMPLES] for c in range(min(CLASSES, len(data.classes)))]
    places = [int(places[k]) for k in range(SAMPLES) for places in by_class if k < len(places)]
    pixels = np.asarray(data.train.images[places]).transpose(0, 2, 3, 1)
    shown = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    labels = [data.classes[data.train.labels[p]] for p in places]
    st.image(list(shown), caption=labels, width=46)


def _get(jobs: Jobs, name: str, text: str) -> None:
    """A button that gets a data set, and how that goes."""
    job = fetching(name)
    status = jobs.status(job)
    if status is not None and status.active:
        ui.watch(jobs, job, key=f"cancel-{name}")
        return
    if status is not None and status.state == "failed":
        st.error(status.message, icon=":material/error:")
    if status is not None and status.state == "done":
        st.caption(":material/check_circle: It was got; the same images may be listed under another folder's name.")
    place, clicked = ui.beside("Get it", ":material/download:", primary=True, key=f"get-{name}")
    place.info(text, icon=":material/info:")
    if clicked:
        ui.queue(lambda: jobs.fetch(name))


def _add(jobs: Jobs, known: dict[str, Any]) -> None:
    st.subheader("Add a folder of images")
    offered = [str(path) for path in folder.offered()]
    if not offered:
        st.caption("A folder with train/CLASS/ and test/CLASS/ comes in by `python -m stitchlab data folder:PATH`, or "
                   "`folder:PATH@SIZE` where sizes are mixed. Pages offer folders only under the roots that the "
                   "variable STITCHLAB_DATA named when the app was started.")
        return
    left, right = st.columns([3, 1])
    path = left.selectbox("Folder", offered, key="folder", help="Under the roots that STITCHLAB_DATA names.")
    size = right.number_input("Size", 1, 1024, None, key="folder_size", placeholder="the images' own")
    name = f"folder:{path}{'' if size is None else f'@{int(size)}'}"
    if name in known:
        st.caption(":material/check_circle: It is here.")
    else:
        _get(jobs, name, f"{path} is decoded once and kept.")

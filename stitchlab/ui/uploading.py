"""Draws the import of a network: a form whose defaults follow the file, which a worker inspects at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from stitchlab import ui
from stitchlab.errors import StitchLabError
from stitchlab.jobs import Jobs
from stitchlab.results import networks
from stitchlab.results.data_sets import DataRecord
from stitchlab.store import Store, uploads
from stitchlab.ui import workshop
from stitchlab.ui.asking import answered

KEPT = "upload_kept"  # in the session: the browser's id of the file that is here, and the store's key of it
TOLD = "upload_told"  # in the session: the key of the file that the choice of an architecture followed


def draw(store: Store, jobs: Jobs) -> None:
    """Draw the form of an import."""
    st.markdown(
        "Trained weights come as safetensors, or as a torch state dict, which is read without executing "
        f"anything in it. Up to {uploads.LIMIT_MB} MB here; larger files, published weights and your own code are "
        "imported by `python -m stitchlab import`."
    )
    file = st.file_uploader(
        "Weights",
        [suffix[1:] for suffix in uploads.SUFFIXES],
        max_upload_size=uploads.LIMIT_MB,
        key=f"upload-{st.session_state.get('uploads', 0)}",
    )
    key = _kept(store, file)
    if file is not None and key is not None:
        _follow(jobs, key, file.name)
    left, right = st.columns(2)
    with left:
        arch = workshop.architecture()
    with right:
        data = workshop.data_set(store)
    options, size = workshop.shape(arch, data)
    wanted = {
        "arch": arch,
        "data": data.fingerprint or data.name,
        "options": options,
        "size": size,
        **_words(store, data, "" if file is None else Path(file.name).stem),
    }
    if not workshop.fits(jobs, arch, data, options, size):
        return
    text, clicked = ui.beside("Import", ":material/upload:", primary=True, key="import")
    text.markdown(
        "Its accuracy is measured on the data set's test images. A file that does not fit is refused, and "
        "nothing of it is kept."
    )
    if clicked and (file is None or key is None):
        st.error("Choose a file first.", icon=":material/error:")
    elif clicked and file is not None and key is not None:
        called = file.name
        ui.queue(lambda: _submit(store, jobs, key, {**wanted, "called": called}))


def _kept(store: Store, file: UploadedFile | None) -> str | None:
    """Return the store's key of the chosen file, None without one; drop the file that was chosen before."""
    state = st.session_state
    browser, key = state.get(KEPT, ("", ""))
    if file is not None and file.file_id == browser:
        return str(key)
    if key:
        uploads.remove(store, key)
    state.pop(KEPT, None)
    if file is None:
        return None
    try:
        state[KEPT] = file.file_id, uploads.keep(store, file.name, file.getbuffer())
    except StitchLabError as error:
        ui.say(error)
        return None
    return str(state[KEPT][1])


def _follow(jobs: Jobs, key: str, called: str) -> None:
    """Let the choice of an architecture follow the file, once."""
    found = answered(jobs, "upload_architecture", key, called, what=f"the architecture of {called}")
    if found and st.session_state.get(TOLD) != key:
        st.session_state["arch"], st.session_state[TOLD] = found, key
    if found == "":
        st.info(
            "Its tensors match no architecture that is known by name. If it is one of these with other "
            f"options, choose it; else import it with its class: `python -m stitchlab import {called} "
            "--arch FILE.py:CALLABLE --data DATA --name NAME`.",
            icon=":material/info:",
        )


def _words(store: Store, data: DataRecord, stem: str) -> dict[str, Any]:
    """Draw the other fields: name, mean, deviation, outputs, and whether it replaces the network of that name."""
    one, two, three, four = st.columns(4)
    default = networks.some_name(store, stem) if stem else ""
    name = one.text_input("Name", key="import_name", placeholder=default or "from the file") or default
    mean = two.text_input(
        "Mean of its input",
        key="mean",
        placeholder="as the data's",
        help="One number a channel, for pixels in 0..1. ImageNet: 0.485, 0.456, 0.406",
    )
    std = three.text_input(
        "Deviation of its input",
        key="std",
        placeholder="as the data's",
        help="ImageNet: 0.229, 0.224, 0.225. Usual others are tried, and named if they do better.",
    )
    classes = four.number_input(
        "Outputs",
        1,
        None,
        None,
        key="classes",
        placeholder=f"as the data: {len(data.classes)}",
        help="If it has other classes than the data, its accuracy is not defined; it can still be a front network.",
    )
    there = any(network.name == name for network in networks.list_networks(store))
    replace = there and st.checkbox(f"Replace the network that is called {name}; its results stay", key="replace")
    return {"name": name, "mean": mean, "std": std, "classes": classes, "replace": replace}


def _submit(store: Store, jobs: Jobs, key: str, wanted: dict[str, Any]) -> None:
    """Queue the import. Raises StitchLabError where its name is taken, or its numbers are not numbers."""
    wanted |= {what: _numbers(wanted[what]) for what in ("mean", "std")}
    if not wanted["replace"]:
        networks.check_name_free(store, wanted["name"])
    workshop.idle(jobs, [wanted["name"]])
    jobs.bring(key, wanted)
    state = st.session_state
    state.pop(KEPT)  # it is the job's now
    state["uploads"] = state.get("uploads", 0) + 1  # the browser's copy goes


def _numbers(text: str) -> list[float] | None:
    try:
        return [float(part) for part in text.replace(",", " ").split()] or None
    except ValueError:
        raise StitchLabError(f"expected numbers such as 0.49, 0.48, 0.45, got {text!r}") from None

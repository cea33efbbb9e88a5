"""Draws the import of a network: a form whose defaults come from the file, which a worker inspects at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from stitchlab import ui
from stitchlab.errors import StitchLabError
from stitchlab.jobs import JobQueue
from stitchlab.results import networks
from stitchlab.results.data_sets import DataRecord
from stitchlab.store import Store, uploads
from stitchlab.ui import network_training
from stitchlab.ui.asking import ask_worker

#: Keys in the session's state: the ids of the uploaded file in the browser and in the store; the file whose
#: architecture the picker was set to.
UPLOAD = "upload_kept"
ARCHITECTURE_SET_FOR = "upload_told"


def draw(store: Store, jobs: JobQueue) -> None:
    """Draw the form of an import."""
    st.markdown(
        "Trained weights are imported from safetensors, or from a torch state dict, which is read without executing "
        f"code from it. Files may have up to {uploads.LIMIT_MB} MB here; larger files, published weights and your own "
        "code are imported by `python -m stitchlab import`."
    )
    file = st.file_uploader(
        "Weights",
        [suffix[1:] for suffix in uploads.SUFFIXES],
        max_upload_size=uploads.LIMIT_MB,
        key=f"upload-{st.session_state.get('uploads', 0)}",
    )
    key = _stored_key(store, file)
    if file is not None and key is not None:
        _set_architecture(jobs, key, file.name)
    left, right = st.columns(2)
    with left:
        architecture = network_training.architecture()
    with right:
        data = network_training.data_set(store)
    options, size = network_training.shape(architecture, data)
    arguments = {
        "arch": architecture,
        "data": data.fingerprint or data.name,
        "options": options,
        "size": size,
        **_other_fields(store, data, "" if file is None else Path(file.name).stem),
    }
    if not network_training.fits(jobs, architecture, data, options, size):
        return
    place, clicked = ui.sentence_with_button("Import", ":material/upload:", primary=True, key="import")
    place.markdown(
        "Its accuracy is measured on the data set's test images. A file that does not fit is refused, and "
        "nothing of it is kept."
    )
    if clicked and (file is None or key is None):
        st.error("Choose a file first.", icon=":material/error:")
    elif clicked and file is not None and key is not None:
        file_name = file.name
        ui.queue(lambda: _submit(store, jobs, key, {**arguments, "called": file_name}))


def _stored_key(store: Store, file: UploadedFile | None) -> str | None:
    """Store the chosen file and return its key, or None without a file; remove the file that was chosen before."""
    state = st.session_state
    file_id, key = state.get(UPLOAD, ("", ""))
    if file is not None and file.file_id == file_id:
        return str(key)
    if key:
        uploads.remove(store, key)
    state.pop(UPLOAD, None)
    if file is None:
        return None
    try:
        state[UPLOAD] = file.file_id, uploads.keep(store, file.name, file.getbuffer())
    except StitchLabError as error:
        ui.show_error(error)
        return None
    return str(state[UPLOAD][1])


def _set_architecture(jobs: JobQueue, key: str, file_name: str) -> None:
    """Set the picker of the architecture to the one that fits the file, once for each file."""
    architecture = ask_worker(jobs, "upload_architecture", key, file_name, awaited=f"the architecture of {file_name}")
    if architecture and st.session_state.get(ARCHITECTURE_SET_FOR) != key:
        st.session_state["arch"], st.session_state[ARCHITECTURE_SET_FOR] = architecture, key
    if architecture == "":
        st.info(
            "Its tensors match no architecture that is known by name. If it is one of these with other "
            f"options, choose it; otherwise import it with its class: `python -m stitchlab import {file_name} "
            "--arch FILE.py:CALLABLE --data DATA --name NAME`.",
            icon=":material/info:",
        )


def _other_fields(store: Store, data: DataRecord, stem: str) -> dict[str, Any]:
    """Draw the fields for name, mean, deviation, outputs, and for replacing the network with the same name."""
    first, second, third, fourth = st.columns(4)
    default = networks.some_name(store, stem) if stem else ""
    name = first.text_input("Name", key="import_name", placeholder=default or "from the file") or default
    mean = second.text_input(
        "Mean of its input",
        key="mean",
        placeholder="as the data's",
        help="One number for each channel, for pixels in 0..1. ImageNet: 0.485, 0.456, 0.406",
    )
    standard_deviation = third.text_input(
        "Deviation of its input",
        key="std",
        placeholder="as the data's",
        help="ImageNet: 0.229, 0.224, 0.225. Other usual values are tried too, and named if they do better.",
    )
    classes = fourth.number_input(
        "Outputs",
        1,
        None,
        None,
        key="classes",
        placeholder=f"as the data: {len(data.classes)}",
        help="A network with other classes than the data has no accuracy here; it can still be a front network.",
    )
    taken = any(network.name == name for network in networks.list_networks(store))
    replace = taken and st.checkbox(f"Replace the network that is called {name}; its results stay", key="replace")
    return {"name": name, "mean": mean, "std": standard_deviation, "classes": classes, "replace": replace}


def _submit(store: Store, jobs: JobQueue, key: str, arguments: dict[str, Any]) -> None:
    """Queue the import. Raises StitchLabError if its name is taken, or a mean or deviation is not a number."""
    arguments |= {field: _numbers(arguments[field]) for field in ("mean", "std")}
    if not arguments["replace"]:
        networks.check_name_free(store, arguments["name"])
    network_training.check_not_being_made(jobs, [arguments["name"]])
    jobs.bring(key, arguments)
    state = st.session_state
    state.pop(UPLOAD)  # now the job has it
    state["uploads"] = state.get("uploads", 0) + 1  # a new uploader, without the file


def _numbers(text: str) -> list[float] | None:
    try:
        return [float(part) for part in text.replace(",", " ").split()] or None
    except ValueError:
        raise StitchLabError(f"expected numbers such as 0.49, 0.48, 0.45, got {text!r}") from None

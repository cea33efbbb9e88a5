"""Draws the networks: a table of all, and the chosen one with its layers, its classes, and how it was made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from stitchlab import ui
from stitchlab.errors import StitchLabError
from stitchlab.figures import activations
from stitchlab.figures import networks as figures
from stitchlab.jobs import JobQueue, measurement_job
from stitchlab.results import data_sets, networks
from stitchlab.results.networks import Network
from stitchlab.results.run import list_runs
from stitchlab.store import Store
from stitchlab.ui import probes
from stitchlab.ui.asking import cuts_of
from stitchlab.ui.charts import chart

MAX_CLASSES_IN_CONFUSION = 20  # with more classes, a confusion matrix cannot be read
MAX_CONFUSED_PAIRS = 8  # pairs of classes in the table of confusions
UNTRACED = (
    "torch.fx cannot trace this network, so it runs by hooks: the numbers are the same, but it is slower, since the "
    "part after a cut cannot run without the part before it."
)
BOUND: Any = {"bind": "query-params"}


def draw(store: Store, jobs: JobQueue) -> None:
    """Draw the table of networks and the chosen network below it."""
    networks_by_name = {network.name: network for network in networks.list_networks(store)}
    if not networks_by_name:
        _no_network()
        return
    _table(networks_by_name)
    if st.session_state.get("network") not in (None, *networks_by_name):
        st.warning(f"No network is called {st.session_state.pop('network')} here.", icon=":material/link_off:")
    name = st.selectbox("Network", list(networks_by_name), key="network", **BOUND)
    if name is not None:
        _draw_network(store, jobs, networks_by_name[name])


def _no_network() -> None:
    st.info(
        "No network is here yet. The gallery's runs can be viewed without networks. To compare networks yourself, "
        "choose Train or Import above, or compute the demo on Home, which trains two small ones.",
        icon=":material/info:",
    )
    ui.link_to_page("app.py", "Home", {}, "The demo: two small networks and their grid")


def accuracy(network: Network) -> str:
    """Write a network's accuracy for people: ``98.9 %``, or the reason why there is none."""
    return network.unmeasured if network.accuracy is None else f"{100 * network.accuracy:.1f} %"


def how(network: Network) -> str:
    """Say in a word or two how a network was made."""
    origin = network.origin
    if origin["how"] == "control":
        return str(origin["control"])
    manners = {"attack": "adversarially", "label_noise": "on noisy labels"}
    remarks = [text for key, text in manners.items() if origin.get(key)]
    return " ".join([origin["how"], *remarks])


def _table(networks_by_name: dict[str, Network]) -> None:
    st.dataframe(
        [
            {
                "Name": network.name,
                "Architecture": network.architecture,
                "Data": network.data.rpartition("/")[2],
                "Accuracy": None if network.accuracy is None else 100 * network.accuracy,
                "Parameters": network.parameters or None,
                "Seed": network.seed,
                "How": how(network),
                "Created": network.created[:16].replace("T", " "),
            }
            for network in networks_by_name.values()
        ],
        column_config={
            "Accuracy": st.column_config.NumberColumn(
                format="%.1f %%",
                help="On the whole test split of its data; empty where it has other classes, or was never measured.",
            ),
            "Parameters": st.column_config.NumberColumn(format="localized"),
        },
        key="table",
        on_select=lambda: _pick(list(networks_by_name)),
        selection_mode="single-row",
        hide_index=True,
        width="stretch",
        height=min(420, 38 + 35 * len(networks_by_name)),
        placeholder="–",
        alt="Networks: architecture, data, accuracy, size, and how each was made",
    )


def _pick(names: list[str]) -> None:
    for row in st.session_state["table"].selection.rows[:1]:
        st.session_state["network"] = names[row]


def _draw_network(store: Store, jobs: JobQueue, network: Network) -> None:
    numbers = {
        "Accuracy": accuracy(network),
        "Parameters": f"{network.parameters:,}" if network.parameters else "–",
        "Input": "×".join(map(str, network.input)),
        "Classes": str(len(network.classes)),
    }
    for column, (label, value) in zip(st.columns(4), numbers.items(), strict=True):
        column.metric(label, value)
    st.caption(f"{network.architecture} · {how(network)} · on {network.data} · id `{network.short}`")
    if remark := network.origin.get("remark"):
        st.warning(f"Perhaps not as it was trained: {remark}.", icon=":material/warning:")
    left, middle, right = st.columns(3, vertical_alignment="center")
    with left:
        ui.link_to_page("pages/1_Compare.py", "Compare it", {"front": network.name}, "As the front network")
    with middle.popover("Rename", icon=":material/edit:", width="stretch"):
        _rename(store, network)
    with right.popover("Delete", icon=":material/delete:", width="stretch"):
        _delete(store, network)
    aspect = (
        st.segmented_control("Look at", list(ASPECTS), default="Layers", key="about", required=True, wrap=True, **BOUND)
        or "Layers"
    )
    ASPECTS[aspect](store, jobs, network)


def _rename(store: Store, network: Network) -> None:
    name = st.text_input("New name", network.name, key=f"new-name-{network.id}")
    if st.button("Rename it", type="primary", key="rename", on_click=_apply_rename, args=(store, network, name)):
        st.rerun()
    _show_callback_error("rename_error")


def _apply_rename(store: Store, network: Network, name: str) -> None:
    try:
        st.session_state["network"] = networks.rename(store, network.id, name).name
    except StitchLabError as error:
        st.session_state["rename_error"] = str(error)


def _delete(store: Store, network: Network) -> None:
    used = sum(network.id in (run.request.front, run.request.end) for run in list_runs(store))
    st.write(
        f"Delete **{network.name}**? {used} runs use it: their results stay and can be viewed, but nothing can "
        "be added to them once its weights are gone."
    )
    st.button("Yes, delete it", type="primary", key="delete", on_click=_apply_deletion, args=(store, network))


def _apply_deletion(store: Store, network: Network) -> None:
    networks.delete(store, network.id)
    st.session_state.pop("network", None)


def _show_callback_error(key: str) -> None:
    """Show the error that a callback stored under this key of the session's state."""
    if message := st.session_state.pop(key, None):
        st.error(message, icon=":material/error:")


def _layers(store: Store, jobs: JobQueue, network: Network) -> None:
    cuts = cuts_of(store, jobs, network)
    if cuts is None:
        return
    if not cuts.traced:
        st.info(UNTRACED, icon=":material/info:")
    blocks = len(cuts.defaults())
    chart(network.name, figures.chain(cuts, dark=ui.dark()), "chain", "chain of blocks")
    st.markdown(
        f"It can be cut at **{len(cuts.points)} layers**. Compare starts with the outputs of its {blocks} "
        f"blocks. An image takes {cuts.flops / 1e6:,.1f} million floating point operations."
    )
    st.dataframe(
        [
            {
                "Layer": point.name,
                "Block": point.default,
                "Shape": "×".join(map(str, point.shape)),
                "Parameters up to it": point.parameters,
                "Arithmetic up to it": point.flops / max(1, cuts.flops),
                "Same output": ", ".join(point.aliases),
            }
            for point in cuts.points
        ],
        column_config={
            "Arithmetic up to it": st.column_config.ProgressColumn(format="percent"),
            "Parameters up to it": st.column_config.NumberColumn(format="localized"),
        },
        hide_index=True,
        width="stretch",
        alt="Every layer at which it can be cut",
    )


def _classes(store: Store, jobs: JobQueue, network: Network) -> None:
    counts = networks.confusion(store, network)
    if counts is None:
        _measure(store, jobs, network)
        return
    images_per_class = counts.sum(1)
    shares = counts / np.maximum(1, images_per_class)[:, None]
    diagonal = zip(shares.diagonal(), images_per_class, strict=True)
    accuracies = [float(share) if count else None for share, count in diagonal]
    left, right = st.columns(2)
    with left:
        title = f"Accuracy by class, {int(images_per_class.sum()):,} test images"
        chart(
            network.name,
            figures.by_class(accuracies, network.classes, title, dark=ui.dark()),
            "by-class",
            "accuracy by class",
        )
    with right:
        if len(network.classes) <= MAX_CLASSES_IN_CONFUSION:
            figure = activations.confusion(shares, network.classes, "Predictions by label", dark=ui.dark())
            chart(network.name, figure, "confusion", "confusion")
        pairs = [
            (int(counts[i, j]), network.classes[i], network.classes[j])
            for i, j in np.argwhere(counts - np.diag(counts.diagonal()) > 0)
        ]
        st.table(
            [
                {"Label": label, "Predicted as": prediction, "Images": count}
                for count, label, prediction in sorted(pairs, reverse=True)[:MAX_CONFUSED_PAIRS]
            ],
            border="horizontal",
        )


def _measure(store: Store, jobs: JobQueue, network: Network) -> None:
    data = data_sets.of_fingerprint(store, network.data_fingerprint)
    if data is not None and data.classes != network.classes:
        st.info(
            f"Accuracy is not defined: {network.name} has {len(network.classes)} classes that are not those of "
            f"{network.data}. It can still be the front network of any comparison.",
            icon=":material/info:",
        )
        return
    job = measurement_job(network.id)
    status = jobs.status(job)
    if status is not None and status.active:
        ui.watch(jobs, job)
        return
    if status is not None and status.message:
        st.error(status.message, icon=":material/error:")
    place, clicked = ui.sentence_with_button("Measure", ":material/play_arrow:", primary=True)
    place.info("Its accuracy by class is not measured yet.", icon=":material/info:")
    if clicked:
        ui.queue(lambda: jobs.measure(network.id))


def _training(store: Store, jobs: JobQueue, network: Network) -> None:
    if points := network.origin.get("curve"):
        chart(network.name, figures.curve(points, network.origin["epochs"], dark=ui.dark()), "curve", "training")
    else:
        st.info(
            "There is no training curve: it was not trained here, or before StitchLab kept curves.",
            icon=":material/info:",
        )
    origin = {key: value for key, value in network.origin.items() if key != "curve"}
    st.markdown("\n".join(f"- **{key.replace('_', ' ')}:** {_write_value(value)}" for key, value in origin.items()))
    st.json(network.record(), expanded=False)


def _write_value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_write_value(part)}" for key, part in value.items())
    if value is None or value == []:
        return "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


ASPECTS: dict[str, Callable[[Store, JobQueue, Network], None]] = {
    "Layers": _layers,
    "Classes": _classes,
    "Linear probes": probes.draw,
    "How it came to be": _training,
}

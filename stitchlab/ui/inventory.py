"""Draws the networks: a table of all, and one with its layers, its classes, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from stitchlab import ui
from stitchlab.errors import StitchLabError
from stitchlab.figures import activations
from stitchlab.figures import networks as figures
from stitchlab.jobs import Jobs, measuring
from stitchlab.results import data_sets, networks
from stitchlab.results.networks import Network
from stitchlab.results.run import list_runs
from stitchlab.store import Store
from stitchlab.ui import probes
from stitchlab.ui.asking import cuts_of
from stitchlab.ui.charts import chart

SHOWN = 20  # classes up to which a confusion matrix can be read
MISTAKEN = 8  # pairs of classes that are named
UNTRACED = (
    "torch.fx cannot trace this network, so it runs by hooks: the same numbers, more slowly, since the tail "
    "computes what comes before it too."
)
BOUND: Any = {"bind": "query-params"}


def draw(store: Store, jobs: Jobs) -> None:
    """Draw the table of networks and the chosen network below it."""
    there = {network.name: network for network in networks.list_networks(store)}
    if not there:
        _none()
        return
    _table(there)
    if st.session_state.get("network") not in (None, *there):
        st.warning(f"No network is called {st.session_state.pop('network')} here.", icon=":material/link_off:")
    name = st.selectbox("Network", list(there), key="network", **BOUND)
    if name is not None:
        _one(store, jobs, there[name])


def _none() -> None:
    st.info(
        "No network is here yet. The gallery's runs can be looked at without theirs. To compare networks yourself, "
        "choose Train or Import above, or compute the demo on Home, which trains two small ones.",
        icon=":material/info:",
    )
    ui.door("app.py", "Home", {}, "Two small networks and their grid, by a button")


def accuracy(network: Network) -> str:
    """Write a network's accuracy for people: ``98.9 %``, or why there is none."""
    return network.unmeasured if network.accuracy is None else f"{100 * network.accuracy:.1f} %"


def how(network: Network) -> str:
    """Say in a word or two how a network was made."""
    origin = network.origin
    if origin["how"] == "control":
        return str(origin["control"])
    also = [text for key, text in (("attack", "adversarially"), ("label_noise", "on noisy labels")) if origin.get(key)]
    return " ".join([origin["how"], *also])


def _table(there: dict[str, Network]) -> None:
    st.dataframe(
        [
            {
                "Name": n.name,
                "Architecture": n.architecture,
                "Data": n.data.rpartition("/")[2],
                "Accuracy": None if n.accuracy is None else 100 * n.accuracy,
                "Parameters": n.parameters or None,
                "Seed": n.seed,
                "How": how(n),
                "Created": n.created[:16].replace("T", " "),
            }
            for n in there.values()
        ],
        column_config={
            "Accuracy": st.column_config.NumberColumn(
                format="%.1f %%",
                help="On the whole test split of its data; empty where it has other classes, or was never measured.",
            ),
            "Parameters": st.column_config.NumberColumn(format="localized"),
        },
        key="table",
        on_select=lambda: _pick(list(there)),
        selection_mode="single-row",
        hide_index=True,
        width="stretch",
        height=min(420, 38 + 35 * len(there)),
        placeholder="–",
        alt="Networks: architecture, data, accuracy, size, and how each came to be",
    )


def _pick(names: list[str]) -> None:
    for row in st.session_state["table"].selection.rows[:1]:
        st.session_state["network"] = names[row]


def _one(store: Store, jobs: Jobs, network: Network) -> None:
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
        ui.door("pages/1_Compare.py", "Compare it", {"front": network.name}, "As the front network")
    with middle.popover("Rename", icon=":material/edit:", width="stretch"):
        _rename(store, network)
    with right.popover("Delete", icon=":material/delete:", width="stretch"):
        _delete(store, network)
    look = (
        st.segmented_control("Look at", list(LOOKS), default="Layers", key="about", required=True, wrap=True, **BOUND)
        or "Layers"
    )
    LOOKS[look](store, jobs, network)


def _rename(store: Store, network: Network) -> None:
    name = st.text_input("New name", network.name, key=f"new-name-{network.id}")
    if st.button("Rename it", type="primary", key="rename", on_click=_renamed, args=(store, network, name)):
        st.rerun()
    _told("rename_error")


def _renamed(store: Store, network: Network, name: str) -> None:
    try:
        st.session_state["network"] = networks.rename(store, network.id, name).name
    except StitchLabError as error:
        st.session_state["rename_error"] = str(error)


def _delete(store: Store, network: Network) -> None:
    used = sum(network.id in (run.request.front, run.request.end) for run in list_runs(store))
    st.write(
        f"Delete **{network.name}**? {used} runs use it: their results stay and can be looked at, but nothing can "
        "be added to them once its weights are gone."
    )
    st.button("Yes, delete it", type="primary", key="delete", on_click=_deleted, args=(store, network))


def _deleted(store: Store, network: Network) -> None:
    networks.delete(store, network.id)
    st.session_state.pop("network", None)


def _told(key: str) -> None:
    """Show an error that a callback left."""
    if message := st.session_state.pop(key, None):
        st.error(message, icon=":material/error:")


def _layers(store: Store, jobs: Jobs, network: Network) -> None:
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
                "Layer": p.name,
                "Block": p.default,
                "Shape": "×".join(map(str, p.shape)),
                "Parameters up to it": p.parameters,
                "Arithmetic up to it": p.flops / max(1, cuts.flops),
                "Same output": ", ".join(p.aliases),
            }
            for p in cuts.points
        ],
        column_config={
            "Arithmetic up to it": st.column_config.ProgressColumn(format="percent"),
            "Parameters up to it": st.column_config.NumberColumn(format="localized"),
        },
        hide_index=True,
        width="stretch",
        alt="Every layer at which it can be cut",
    )


def _classes(store: Store, jobs: Jobs, network: Network) -> None:
    counts = networks.confusion(store, network)
    if counts is None:
        _measure(store, jobs, network)
        return
    images = counts.sum(1)
    shares = counts / np.maximum(1, images)[:, None]
    right = [float(share) if n else None for share, n in zip(shares.diagonal(), images, strict=True)]
    left, other = st.columns(2)
    with left:
        title = f"Accuracy by class, {int(images.sum()):,} test images"
        chart(
            network.name,
            figures.by_class(right, network.classes, title, dark=ui.dark()),
            "by-class",
            "accuracy by class",
        )
    with other:
        if len(network.classes) <= SHOWN:
            figure = activations.confusion(shares, network.classes, "Predictions by label", dark=ui.dark())
            chart(network.name, figure, "confusion", "confusion")
        pairs = [
            (int(counts[i, j]), network.classes[i], network.classes[j])
            for i, j in np.argwhere(counts - np.diag(counts.diagonal()) > 0)
        ]
        st.table(
            [
                {"Label": label, "Predicted as": told, "Images": count}
                for count, label, told in sorted(pairs, reverse=True)[:MISTAKEN]
            ],
            border="horizontal",
        )


def _measure(store: Store, jobs: Jobs, network: Network) -> None:
    data = data_sets.of_fingerprint(store, network.data_fingerprint)
    if data is not None and data.classes != network.classes:
        st.info(
            f"Accuracy is not defined: {network.name} has {len(network.classes)} classes that are not those of "
            f"{network.data}. It can still be the front network of any comparison.",
            icon=":material/info:",
        )
        return
    job = measuring(network.id)
    status = jobs.status(job)
    if status is not None and status.active:
        ui.watch(jobs, job)
        return
    if status is not None and status.message:
        st.error(status.message, icon=":material/error:")
    text, clicked = ui.beside("Measure", ":material/play_arrow:", primary=True)
    text.info("Its accuracy was not measured class by class yet.", icon=":material/info:")
    if clicked:
        ui.queue(lambda: jobs.measure(network.id))


def _training(store: Store, jobs: Jobs, network: Network) -> None:
    if points := network.origin.get("curve"):
        chart(network.name, figures.curve(points, network.origin["epochs"], dark=ui.dark()), "curve", "training")
    else:
        st.info(
            "There is no training curve: it was not trained here, or before curves were kept.", icon=":material/info:"
        )
    said = {key: value for key, value in network.origin.items() if key != "curve"}
    st.markdown("\n".join(f"- **{key.replace('_', ' ')}:** {_plain(value)}" for key, value in said.items()))
    st.json(network.record(), expanded=False)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(v)}" for key, v in value.items())
    if value is None or value == []:
        return "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


LOOKS: dict[str, Callable[[Store, Jobs, Network], None]] = {
    "Layers": _layers,
    "Classes": _classes,
    "Linear probes": probes.draw,
    "How it came to be": _training,
}

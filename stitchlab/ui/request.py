"""The pickers: two networks, layers, methods and their settings; together they are a request."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.data import registry as datasets
from stitchlab.errors import StitchLabError
from stitchlab.figures.grids import METHOD_LABELS
from stitchlab.grid.compute import ask
from stitchlab.indices import REGISTRY as INDICES
from stitchlab.models import controls
from stitchlab.models import store as networks
from stitchlab.models.cut_points import outline
from stitchlab.models.store import Network
from stitchlab.request import METHODS, PRESETS, TaskLoss, preset
from stitchlab.results.run import Run
from stitchlab.store import Store
from stitchlab.ui.inventory import UNTRACED, accuracy, how

BOUND: Any = {"bind": "query-params"}  # what is picked is in the URL
CONTROL = "A control: nothing in its activations was learned. A good measure of similarity rates it low."


def pick(store: Store) -> Run | None:
    """Draws the pickers; the run that they ask for, or None, with a message, where it cannot be."""
    there = {network.name: network for network in networks.list_networks(store)}
    _two_networks(there)
    end = there[st.session_state["end"]]
    left, right = st.columns(2)
    try:
        front = controls.front(store, st.session_state["front"], end, int(st.session_state.get("seed", 0)))
        with left:
            _layers(store, front, "front_layers", "Front layers (rows)")
        with right:
            _layers(store, end, "end_layers", "End layers (columns)")
        with st.expander("Methods and settings", icon=":material/tune:"):
            settings = _settings(store, end)
        return ask(store, front.id, end.id, front_layers=st.session_state["front_layers"],
                   end_layers=st.session_state["end_layers"], **settings)
    except StitchLabError as error:
        st.error(str(error), icon=":material/error:")
        return None


def restore(store: Store, run: Run) -> bool:
    """Sets all pickers to what a run asked for, before they are drawn; False where they cannot say it."""
    names = {network.id: network.name for network in networks.list_networks(store)}
    request = run.request
    recipe = _recipe(request.tlm)
    if recipe is None or not {request.front, request.end} <= names.keys():
        return False
    data = store.intact("data", request.data) or {}
    every = request.eval_images == data.get("test")
    st.session_state.update({
        "front": names[request.front], "end": names[request.end],
        "front_layers": list(request.front_layers), "end_layers": list(request.end_layers),
        "methods": list(request.methods), "indices": list(request.indices),
        "recipe": recipe, "epochs": request.tlm.epochs, "lr": request.tlm.lr, "targets": request.tlm.targets,
        "init": request.tlm.init, "dm_images": request.dm.images, "eval_images": None if every else request.eval_images,
        "seed": request.seed, "data": run.record["data"]["name"],
    })
    return True


def _recipe(tlm: TaskLoss) -> str | None:
    """The preset that this recipe is, but for what can be picked; None where it is of nobody's."""
    picked: dict[str, Any] = {"epochs": tlm.epochs, "lr": tlm.lr, "targets": tlm.targets, "init": tlm.init}
    return next((name for name, known in PRESETS.items() if replace(known, **picked) == tlm), None)


def _two_networks(there: dict[str, Network]) -> None:
    names = list(there)
    ends = [name for name, network in there.items() if network.architecture != controls.NOISE]
    fronts = [*names, *controls.names(list(there.values()))]
    left, middle, right = st.columns([10, 1, 10], vertical_alignment="center")
    front = left.selectbox(
        "Front network", fronts, key="front", on_change=_forget, args=("front_layers",),
        help="Runs up to a front layer; its activations are what the stitch maps. At the end of the list: controls, "
             "which a good measure of similarity rates low: noise, and every network untrained.", **BOUND,
    )
    middle.button("", key="swap", icon=":material/swap_horiz:", help="Swap front and end", on_click=_swap,
                  width="stretch", disabled=front not in ends)
    end = right.selectbox(
        "End network", ends, index=0 if "end" in st.session_state else min(1, len(ends) - 1), key="end",
        on_change=_forget, args=("end_layers", "data"),
        help="Runs on from an end layer; what it has there itself is native.", **BOUND,
    )
    left.caption(_about(there[front]) if front in there else CONTROL)
    right.caption(_about(there[end]))
    ui.door("pages/5_Networks.py", "More networks: train or import them", {"part": "Train"}, "The page Networks")


def _about(network: Network) -> str:
    data = network.data.rpartition("/")[2]
    return f"{network.architecture} · accuracy {accuracy(network)} on {data} · {how(network)}"


def _layers(store: Store, network: Network, key: str, label: str) -> None:
    points, traced = layers(str(store.root), network.id)
    st.multiselect(
        label, list(points), default=[name for name, (default, _) in points.items() if default], key=key,
        help="All blocks unless you choose; every cut point can be chosen. The grid shows them in network order. "
        "Shapes: " + ", ".join(f"{name} {shape}" for name, (_, shape) in points.items()), wrap=True, **BOUND,
    )
    if not traced:
        st.caption(f"{network.name}: {UNTRACED}")


@st.cache_data(show_spinner=False, max_entries=64)
def layers(root: str, network: str) -> tuple[dict[str, tuple[bool, str]], bool]:
    """Cut points of a network by name: whether a grid offers them unasked, and their shape; whether it was traced."""
    cuts = outline(Store(root), networks.find(Store(root), network))
    return {point.name: (point.default, "×".join(map(str, point.shape))) for point in cuts.points}, cuts.traced


def _settings(store: Store, end: Network) -> dict[str, Any]:
    one, two, three = st.columns(3)
    methods = one.pills("Methods", METHODS, selection_mode="multi", default=METHODS, key="methods",
                        format_func=METHOD_LABELS.__getitem__, wrap=True, **BOUND)
    indices = two.pills("Similarity indices", list(INDICES), selection_mode="multi", default=list(INDICES),
                        key="indices", format_func=lambda name: INDICES[name].label, wrap=True, **BOUND)
    with three:
        data = _data(store, end)
    tlm = _tlm()
    one, two, three = st.columns(3)
    k = one.number_input("Training images for DM (K)", 1, None, 100, key="dm_images", **BOUND)
    m = two.number_input("Test images for evaluation (M)", 1, None, None, key="eval_images", placeholder="all", **BOUND)
    seed = three.number_input("Seed", 0, 2**32 - 1, 0, key="seed", **BOUND)
    return {"methods": methods or [], "indices": indices or [], "data": data, "tlm": tlm, "dm_images": k,
            "eval_images": m, "seed": seed}


def _tlm() -> TaskLoss:
    one, two, three, four, five = st.columns(5)
    recipe = one.selectbox("TLM recipe", list(PRESETS), key="recipe", on_change=_take_recipe, **BOUND,
                           help="paper: Adam, 30 epochs at a constant rate. quick: 5 epochs of SOAP, in a sixth of "
                           "the time. Its accuracies are rarely a point lower, mostly higher; its distances and "
                           "Fréchet ratios are others. Compare numbers of one recipe only.")
    epochs = two.number_input("TLM epochs", 1, None, PRESETS["paper"].epochs, key="epochs", **BOUND)
    rate = three.number_input("TLM learning rate", 0.0, None, PRESETS["paper"].lr, 1e-3, format="%g", key="lr", **BOUND)
    targets = four.selectbox("TLM targets", ("labels", "soft"), key="targets", **BOUND,
                             help="soft: the end network's own outputs")
    init = five.selectbox("TLM starts from", ("default", "dm"), key="init", **BOUND,
                          help="default: PyTorch's initialisation. dm: the map that direct matching finds.")
    return preset(recipe, epochs=epochs, lr=rate, targets=targets, init=init)


def _data(store: Store, end: Network) -> str | None:
    """The data set to compare on: only those that the store has seen are offered, so no path comes from outside."""
    labels = {r["name"]: r["label"] for r in datasets.known(store) if tuple(r["classes"]) == end.classes}
    names = list(labels | {end.data: ""})
    twice = [label for label in labels.values() if list(labels.values()).count(label) > 1]
    shown = {name: name if labels.get(name, "") in ("", *twice) else labels[name] for name in names}
    chosen = st.selectbox("Data set", names, index=names.index(end.data), key="data", format_func=shown.__getitem__,
                          help="Images of the comparison; by default what the end network was trained on.", **BOUND)
    return None if chosen == end.data else chosen


def _forget(*keys: str) -> None:
    """What was picked for another network is forgotten, so that the defaults come."""
    for key in keys:
        st.session_state.pop(key, None)


def _swap() -> None:
    state = st.session_state
    for one, other in (("front", "end"), ("front_layers", "end_layers")):
        state[one], state[other] = state[other], state[one]
    _forget("data")


def _take_recipe() -> None:
    recipe = PRESETS[st.session_state["recipe"]]
    st.session_state.update({"epochs": recipe.epochs, "lr": recipe.lr})

"""The pickers: two networks, layers, methods and their settings; together they are a request."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.augmentations import AUGMENTATIONS
from stitchlab.catalog.indices import DEFAULT_INDICES, INDICES, ROWS
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.catalog.presets import PRESETS, preset
from stitchlab.errors import StitchLabError
from stitchlab.jobs import Jobs
from stitchlab.request import AUTO, METHODS, TaskLoss
from stitchlab.results import controls, data_sets, networks
from stitchlab.results.cut_points import Cuts
from stitchlab.results.networks import Network
from stitchlab.results.resolve import resolve
from stitchlab.results.run import Run
from stitchlab.store import Store
from stitchlab.ui import links
from stitchlab.ui.asking import answered, cuts_of
from stitchlab.ui.inventory import UNTRACED, accuracy, how

BOUND: Any = {"bind": "query-params"}  # what is picked is in the URL
CONTROL = "A control: nothing in its activations was learned, so learning explains no similarity that it has."
#: What each kind of index compares, for the help of their picker.
COMPARED = "What they compare: " + "; ".join(
    f"{', '.join(index.label for index in INDICES.values() if index.needs == needs)}: {what}"
    for needs, what in ROWS.items()) + "."


def pick(store: Store, jobs: Jobs) -> Run | None:
    """Draw the pickers; return the run that they ask for, or None, with a message, where there is none.

    The page stops here while it is not known where a network can be cut.
    """
    there = {network.name: network for network in networks.list_networks(store)}
    if all(network.architecture == controls.NOISE for network in there.values()):
        st.info("Only controls are here, into which nothing can be stitched: train a network, or import one.",
                icon=":material/info:")
        ui.door("pages/5_Networks.py", "Train or import networks", {"part": "Train"}, "The page Networks")
        return None
    _two_networks(there)
    front, end = st.session_state["front"], there[st.session_state["end"]]
    left, right = st.columns(2)
    try:
        with left:
            rows = _front_cuts(store, jobs, front, end)
            _layers(rows, front, "front_layers", "Front layers (rows)")
        with right:
            columns = cuts_of(store, jobs, end)
            _layers(columns, end.name, "end_layers", "End layers (columns)")
        with st.expander("Methods and settings", icon=":material/tune:"):
            settings = _settings(store, end)
        if rows is None or columns is None:
            st.stop()  # the page is drawn again when the answer is there
        return resolve(store, front, end.id, front_layers=st.session_state["front_layers"],
                       end_layers=st.session_state["end_layers"], front_cuts=rows, **settings)
    except StitchLabError as error:
        st.error(str(error), icon=":material/error:")
        return None


def restore(store: Store, run: Run) -> bool:
    """Set all pickers to what a run asked for, before they are drawn; False where they cannot say it."""
    said = links.picked(store, run)
    if said is None:
        return False
    st.session_state.update(said)
    return True


def _two_networks(there: dict[str, Network]) -> None:
    names = list(there)
    ends = [name for name, network in there.items() if network.architecture != controls.NOISE]
    fronts = [*names, *controls.names(list(there.values()))]
    left, middle, right = st.columns([10, 1, 10], vertical_alignment="center")
    front = left.selectbox(
        "Front network", fronts, key="front", on_change=_forget, args=("front_layers",),
        help="Runs up to a front layer; its activations are what the stitch maps. At the end of the list: controls, "
             "in which nothing was learned: noise, and every network untrained.", **BOUND,
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


def _front_cuts(store: Store, jobs: Jobs, name: str, end: Network) -> Cuts | None:
    """The cut points of the front network; of a control also before it is made."""
    seed = int(st.session_state.get("seed", 0))
    if not controls.is_control(name):
        return cuts_of(store, jobs, networks.find(store, name))
    if (made := controls.kept(store, name, end, seed)) is not None:
        return cuts_of(store, jobs, made)
    if name != controls.NOISE:
        return cuts_of(store, jobs, controls.pattern(store, name, end))
    record = answered(jobs, "front_cut_points", name, end.id, seed, what="the layers of the noise network")
    return None if record is None else Cuts.from_record(record)


def _layers(cuts: Cuts | None, name: str, key: str, label: str) -> None:
    """Draws the picker of layers, or its empty frame while they are not known."""
    if cuts is None:
        st.multiselect(label, [], disabled=True, placeholder="not known yet")
        return
    st.multiselect(
        label, [p.name for p in cuts.points], default=cuts.defaults(), key=key,
        help="All blocks unless you choose; every cut point can be chosen. The grid shows them in network order. "
        "Shapes: " + ", ".join(f"{p.name} {'×'.join(map(str, p.shape))}" for p in cuts.points), wrap=True, **BOUND,
    )
    if not cuts.traced:
        st.caption(f"{name}: {UNTRACED}")


def _settings(store: Store, end: Network) -> dict[str, Any]:
    one, two, three = st.columns(3)
    methods = one.pills("Methods", METHODS, selection_mode="multi", default=METHODS, key="methods",
                        format_func=METHOD_LABELS.__getitem__, wrap=True, **BOUND)
    indices = two.multiselect("Similarity indices", list(INDICES), default=list(DEFAULT_INDICES), key="indices",
                              format_func=lambda name: INDICES[name].label, wrap=True, help=COMPARED, **BOUND)
    with three:
        data = _data(store, end)
    tlm = _tlm(data_sets.find(store, data or end.data_fingerprint).augmentation)
    one, two, three = st.columns(3)
    k = one.number_input("Training images for DM (K)", 1, None, 100, key="dm_images", **BOUND)
    m = two.number_input("Test images for evaluation (M)", 1, None, None, key="eval_images", placeholder="all", **BOUND)
    seed = three.number_input("Seed", 0, 2**32 - 1, 0, key="seed", **BOUND)
    return {"methods": methods or [], "indices": indices or [], "data": data, "tlm": tlm, "dm_images": k,
            "eval_images": m, "seed": seed}


def _tlm(usual: str) -> TaskLoss:
    one, two, three = st.columns(3)
    recipe = one.selectbox("TLM recipe", list(PRESETS), key="recipe", on_change=_take_recipe, **BOUND,
                           help="paper: Adam, 30 epochs at a constant rate, augmented images. plain: the same on "
                           "images as they are. quick: 5 epochs of SOAP, in a sixth of the time. Its accuracies are "
                           "rarely a point lower, mostly higher; its distances and Fréchet ratios are others. Compare "
                           "numbers of one recipe only.")
    augment = two.selectbox("TLM augmentation", (AUTO, *AUGMENTATIONS), key="augment", **BOUND,
                            format_func=lambda name: f"auto: {AUGMENTATIONS[usual].short}" if name == AUTO
                            else AUGMENTATIONS[name].short,
                            help="What is done to training images before either network sees them. auto: what this "
                            "data set's training usually does, as in the paper's code. DM's images never are.")
    images = three.number_input("TLM training images", 1, None, None, key="train_images", placeholder="all", **BOUND,
                                help="TLM trains on the first so many of the training split's permutation.")
    one, two, three, four = st.columns(4)
    epochs = one.number_input("TLM epochs", 1, None, links.DEFAULTS["epochs"], key="epochs", **BOUND)
    rate = two.number_input("TLM learning rate", 0.0, None, links.DEFAULTS["lr"], 1e-3, format="%g", key="lr",
                            **BOUND)
    targets = three.selectbox("TLM targets", ("labels", "soft"), key="targets", **BOUND,
                              help="soft: the end network's own outputs")
    init = four.selectbox("TLM starts from", ("default", "dm"), key="init", **BOUND,
                          help="default: PyTorch's initialisation. dm: the map that direct matching finds.")
    return preset(recipe, epochs=epochs, lr=rate, targets=targets, init=init, augment=augment, images=images)


def _data(store: Store, end: Network) -> str | None:
    """The data set to compare on: only those that the store has seen are offered, so no path comes from outside."""
    labels = {r.name: r.label for r in data_sets.known(store) if r.classes == end.classes}
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
    st.session_state.update({"epochs": recipe.epochs, "lr": recipe.lr, "augment": recipe.augment})

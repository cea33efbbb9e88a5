"""The pickers: two networks, layers, methods and their settings; together they are a request."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.augmentations import AUGMENTATIONS
from stitchlab.catalog.indices import DEFAULT_INDICES, INDICES, ROWS
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.catalog.presets import PRESETS, preset
from stitchlab.errors import StitchLabError
from stitchlab.jobs import Jobs
from stitchlab.request import AUTO, INITS, LEAST_PERMUTATIONS, METHODS, TARGETS, TaskLoss
from stitchlab.results import controls, data_sets, networks
from stitchlab.results.chance import A_COLUMN, PERMUTATIONS
from stitchlab.results.cut_points import Cuts, selections
from stitchlab.results.networks import Network
from stitchlab.results.resolve import resolve
from stitchlab.results.run import Run
from stitchlab.store import Store
from stitchlab.ui import links
from stitchlab.ui.asking import answered, cuts_of
from stitchlab.ui.inventory import UNTRACED, accuracy, how

OWN = "Single layers …"  # the choice of layers that a picker of its own makes
TAGS = 12  # layers up to which they are shown one by one
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
        st.info("Only controls are here, into which nothing can be stitched: train a network, or import one." if there
                else "No networks are here yet: train two, or import your own; Home has a demo that trains small ones.",
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
        ui.say(error)
        return None


def show(picks: dict[str, Any]) -> None:
    """Have the pickers show this, by their keys (`links.picked`), and else their defaults, when they are drawn next."""
    for key in links.KEYS:
        for own in (key, f"{key}_by"):
            st.session_state.pop(own, None)
    st.session_state["picks"] = picks


def changed() -> bool:
    """Tell whether the visitor has changed a picker since this was asked last."""
    return bool(st.session_state.pop("picked", False))


def _two_networks(there: dict[str, Network]) -> None:
    names = list(there)
    ends = [name for name, network in there.items() if network.architecture != controls.NOISE]
    fronts = [*names, *controls.names(list(there.values()))]
    _default("front", names[0], fronts)
    _default("end", next((name for name in ends if name != st.session_state["front"]), ends[0]), ends)
    left, middle, right = st.columns([10, 1, 10], vertical_alignment="center")
    front = left.selectbox(
        "Front network", fronts, key="front", on_change=_picked, args=("front_layers",),
        help="Runs up to a front layer; its activations are what the stitch maps. At the end of the list: controls, "
             "in which nothing was learned: noise, and every network untrained.",
    )
    middle.button("", key="swap", icon=":material/swap_horiz:", help="Swap front and end", on_click=_swap,
                  width="stretch", disabled=front not in ends)
    end = right.selectbox(
        "End network", ends, key="end", on_change=_picked, args=("end_layers", "data"),
        help="Runs on from an end layer; what it has there itself is native.",
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
    """Draws the picker of layers, by choices that are usual and one by one; or its frame while they are not known."""
    if cuts is None:
        st.multiselect(label, [], disabled=True, placeholder="not known yet")
        return
    _default(key, cuts.defaults(), [point.name for point in cuts.points])
    choices, chosen, by = selections(cuts), st.session_state[key], f"{key}_by"
    if st.session_state.get(by) != OWN:  # which stays until another is chosen
        st.session_state[by] = next((title for title, layers in choices.items() if layers == chosen), OWN)
    choice = st.selectbox(label, [*choices, OWN], key=by, on_change=_take_choice, args=(key, choices),
                          help="The grid shows them in network order. Every cut point can be chosen: single layers.")
    if choice == OWN or len(chosen) <= TAGS:
        st.multiselect(
            f"{label}, one by one", [p.name for p in cuts.points], key=key, on_change=_picked, wrap=True,
            label_visibility="collapsed", placeholder="Type to search layers",
            help="Shapes: " + ", ".join(f"{p.name} {'×'.join(map(str, p.shape))}" for p in cuts.points),
        )
    else:
        st.session_state[key] = chosen  # kept, though its own picker is not drawn
        st.caption(f"{chosen[0]} … {chosen[-1]}")
    if not cuts.traced:
        st.caption(f"{name}: {UNTRACED}")


def _settings(store: Store, end: Network) -> dict[str, Any]:
    one, two, three = st.columns(3)
    _default("methods", list(METHODS), METHODS)
    _default("indices", list(DEFAULT_INDICES), INDICES)
    methods = one.pills("Methods", METHODS, selection_mode="multi", key="methods", on_change=_picked,
                        format_func=METHOD_LABELS.__getitem__, wrap=True)
    indices = two.multiselect("Similarity indices", list(INDICES), key="indices", on_change=_picked,
                              format_func=lambda name: INDICES[name].label, wrap=True, help=COMPARED)
    with three:
        data = _data(store, end)
    images = data_sets.find(store, data or end.data_fingerprint)
    tlm = _tlm(images.augmentation)
    one, two, three, four = st.columns(4)
    _default("dm_images", 100)
    _default("null", None)
    _default("seed", 0)
    k = one.number_input("Training images for DM (K)", 1, None, key="dm_images", on_change=_picked)
    _default("eval_images", None)
    m = two.number_input("Test images for evaluation (M)", 1, None, key="eval_images", placeholder="all",
                         on_change=_picked)
    null = three.number_input("Permutations for chance", LEAST_PERMUTATIONS, None, key="null", placeholder="none",
                              on_change=_picked,
                              help="How often images are permuted to see what an index says by chance: the 95 % bound, "
                              f"calibrated values and p of every cell. {PERMUTATIONS} are usual, and {A_COLUMN} for "
                              "each end layer where those are more.")
    seed = four.number_input("Seed", 0, 2**32 - 1, key="seed", on_change=_picked)
    return {"methods": methods or [], "indices": indices or [], "data": data, "tlm": tlm, "dm_images": k,
            "eval_images": m, "null": null or 0, "seed": seed}


def _tlm(usual: str) -> TaskLoss:
    for key, choices in (("recipe", PRESETS), ("augment", (AUTO, *AUGMENTATIONS)), ("targets", TARGETS),
                         ("init", INITS)):
        _default(key, next(iter(choices)), choices)
    _default("train_images", None)
    _default("epochs", links.DEFAULTS["epochs"])
    _default("lr", links.DEFAULTS["lr"])
    one, two, three = st.columns(3)
    recipe = one.selectbox("TLM recipe", list(PRESETS), key="recipe", on_change=_take_recipe,
                           help="paper: Adam, 30 epochs at a constant rate, augmented images. plain: the same on "
                           "images as they are. quick: 5 epochs of SOAP, in a sixth of the time. Its accuracies are "
                           "rarely a point lower, mostly higher; its distances and Fréchet ratios are others. Compare "
                           "numbers of one recipe only.")
    augment = two.selectbox("TLM augmentation", (AUTO, *AUGMENTATIONS), key="augment", on_change=_picked,
                            format_func=lambda name: f"auto: {AUGMENTATIONS[usual].short}" if name == AUTO
                            else AUGMENTATIONS[name].short,
                            help="What is done to training images before either network sees them. auto: what this "
                            "data set's training usually does, as in the paper's code. DM's images never are.")
    images = three.number_input("TLM training images", 1, None, key="train_images", placeholder="all",
                                on_change=_picked,
                                help="TLM trains on the first so many of the training split's permutation.")
    one, two, three, four = st.columns(4)
    epochs = one.number_input("TLM epochs", 1, None, key="epochs", on_change=_picked)
    rate = two.number_input("TLM learning rate", 0.0, None, step=1e-3, format="%g", key="lr", on_change=_picked)
    targets = three.selectbox("TLM targets", TARGETS, key="targets", on_change=_picked,
                              help="soft: the end network's own outputs")
    init = four.selectbox("TLM starts from", INITS, key="init", on_change=_picked,
                          help="default: PyTorch's initialisation. dm: the map that direct matching finds.")
    return preset(recipe, epochs=epochs, lr=rate, targets=targets, init=init, augment=augment, images=images)


def _data(store: Store, end: Network) -> str | None:
    """The data set to compare on: only those that the store has seen are offered, so no path comes from outside."""
    labels = {r.name: r.label for r in data_sets.known(store) if r.classes == end.classes}
    names = list(labels | {end.data: ""})
    twice = [label for label in labels.values() if list(labels.values()).count(label) > 1]
    shown = {name: name if labels.get(name, "") in ("", *twice) else labels[name] for name in names}
    _default("data", end.data, names)
    chosen = st.selectbox("Data set", names, key="data", format_func=shown.__getitem__, on_change=_picked,
                          help="Images of the comparison; by default what the end network was trained on.")
    return None if chosen == end.data else chosen


def _default(key: str, value: Any, choices: Container[str] | None = None) -> None:
    """Sets what a picker shows where nothing else, or nothing that can be chosen, is set.

    A widget that had a default of its own, too, would have Streamlit warn of two.
    """
    state, wanted = st.session_state, st.session_state["picks"].get(key, value)
    for fits in (state.get(key, wanted), value):
        each = fits if isinstance(fits, list) else [fits]
        if choices is None or all(item in choices for item in each):
            state[key] = fits
            return


def _picked(*forget: str) -> None:
    """Notes a change; what was picked for another network is forgotten, so that the defaults come."""
    st.session_state["picked"] = True
    for key in forget:
        st.session_state["picks"].pop(key, None)
        for own in (key, f"{key}_by"):
            st.session_state.pop(own, None)


def _take_choice(key: str, choices: dict[str, list[str]]) -> None:
    if (layers := choices.get(st.session_state[f"{key}_by"])) is not None:
        st.session_state[key] = layers
        _picked()


def _swap() -> None:
    state = st.session_state
    held = {key: state.get(key) for key in ("front", "end", "front_layers", "end_layers")}
    _picked("data", "front_layers", "end_layers")
    state.update(front=held["end"], end=held["front"])
    # Layers that are not known yet are their networks' blocks.
    state.update({key: layers for key, layers in (("front_layers", held["end_layers"]),
                                                  ("end_layers", held["front_layers"])) if layers is not None})


def _take_recipe() -> None:
    recipe = PRESETS[st.session_state["recipe"]]
    st.session_state.update({"epochs": recipe.epochs, "lr": recipe.lr, "augment": recipe.augment})
    _picked()

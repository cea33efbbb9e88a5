"""Draws the pickers of two networks and their layers; together with the pickers of settings they describe a run."""

from __future__ import annotations

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.glossary import meaning
from stitchlab.errors import StitchLabError
from stitchlab.jobs import JobQueue
from stitchlab.results import controls, networks
from stitchlab.results.cut_points import Cuts, selections
from stitchlab.results.networks import Network
from stitchlab.results.resolve import resolve
from stitchlab.results.run import Run
from stitchlab.store import Store
from stitchlab.ui import request_settings
from stitchlab.ui.asking import ask_worker, cuts_of
from stitchlab.ui.inventory import UNTRACED, accuracy, how
from stitchlab.ui.picking import note_change, set_default

OWN = "Single layers …"  # the choice that opens a picker of single layers
MAX_LAYERS_LISTED = 12  # more layers are summarised by the first and the last
ABOUT_CONTROL = meaning("control")
NATIVE = f"Native activations: {meaning('native activations')}"


def pick(store: Store, jobs: JobQueue) -> Run | None:
    """Draw the pickers; return the run that they describe, or None, with a message, if there is none."""
    networks_by_name = {network.name: network for network in networks.list_networks(store)}
    if all(network.architecture == controls.NOISE for network in networks_by_name.values()):
        st.info(
            "Only controls are here, into which nothing can be stitched: train a network, or import one."
            if networks_by_name
            else "No networks are here yet: train two, or import your own. Home has a demo that trains small ones.",
            icon=":material/info:",
        )
        ui.link_to_page("pages/5_Networks.py", "Train or import networks", {"part": "Train"}, "The page Networks")
        return None
    _two_networks(networks_by_name)
    front, end = st.session_state["front"], networks_by_name[st.session_state["end"]]
    left, right = st.columns(2)
    try:
        with left:
            front_cuts = _front_cuts(store, jobs, front, end)
            _layers(front_cuts, front, "front_layers", "Front layers (rows)")
        with right:
            end_cuts = cuts_of(store, jobs, end)
            _layers(end_cuts, end.name, "end_layers", "End layers (columns)")
        with st.expander("Methods and settings", icon=":material/tune:"):
            settings = request_settings.settings(store, end)
        if front_cuts is None or end_cuts is None:
            st.stop()  # the page is drawn again once the answer has come
        return resolve(
            store,
            front,
            end.id,
            front_layers=st.session_state["front_layers"],
            end_layers=st.session_state["end_layers"],
            front_cuts=front_cuts,
            **settings,
        )
    except StitchLabError as error:
        ui.show_error(error)
        return None


def _two_networks(networks_by_name: dict[str, Network]) -> None:
    names = list(networks_by_name)
    ends = [name for name, network in networks_by_name.items() if network.architecture != controls.NOISE]
    fronts = [*names, *controls.names(list(networks_by_name.values()))]
    set_default("front", names[0], fronts)
    set_default("end", next((name for name in ends if name != st.session_state["front"]), ends[0]), ends)
    left, middle, right = st.columns([10, 1, 10], vertical_alignment="center")
    front = left.selectbox(
        "Front network",
        fronts,
        key="front",
        on_change=note_change,
        args=("front_layers",),
        help=f"{meaning('front network')} At the end of the list: controls, that is, noise and untrained networks.",
    )
    middle.button(
        "",
        key="swap",
        icon=":material/swap_horiz:",
        help="Swap front and end",
        on_click=_swap,
        width="stretch",
        disabled=front not in ends,
    )
    end = right.selectbox(
        "End network",
        ends,
        key="end",
        on_change=note_change,
        args=("end_layers", "data"),
        help=f"{meaning('end network')} {NATIVE}",
    )
    left.caption(_about(networks_by_name[front]) if front in networks_by_name else ABOUT_CONTROL)
    right.caption(_about(networks_by_name[end]))
    ui.link_to_page(
        "pages/5_Networks.py", "More networks: train or import them", {"part": "Train"}, "The page Networks"
    )


def _about(network: Network) -> str:
    data = network.data.rpartition("/")[2]
    return f"{network.architecture} · accuracy {accuracy(network)} on {data} · {how(network)}"


def _front_cuts(store: Store, jobs: JobQueue, name: str, end: Network) -> Cuts | None:
    """Return the cut points of the front network; those of a control even before it is made."""
    seed = int(st.session_state.get("seed", 0))
    if not controls.is_control(name):
        return cuts_of(store, jobs, networks.find(store, name))
    if (control := controls.kept(store, name, end, seed)) is not None:
        return cuts_of(store, jobs, control)
    if name != controls.NOISE:
        return cuts_of(store, jobs, controls.pattern(store, name, end))
    record = ask_worker(jobs, "front_cut_points", name, end.id, seed, awaited="the layers of the noise network")
    return None if record is None else Cuts.from_record(record)


def _layers(cuts: Cuts | None, name: str, key: str, label: str) -> None:
    """Draw the picker of layers, by presets or one by one; a placeholder while the layers are not known."""
    if cuts is None:
        st.multiselect(label, [], disabled=True, placeholder="not known yet")
        return
    set_default(key, cuts.defaults(), [point.name for point in cuts.points])
    choices, layers, preset_key = selections(cuts), st.session_state[key], f"{key}_by"
    if st.session_state.get(preset_key) != OWN:  # the picker of single layers stays until a preset is chosen
        st.session_state[preset_key] = next((title for title, preset in choices.items() if preset == layers), OWN)
    choice = st.selectbox(
        label,
        [*choices, OWN],
        key=preset_key,
        on_change=_take_choice,
        args=(key, choices),
        help="The grid shows them in network order. Every cut point can be chosen: single layers.",
    )
    if choice == OWN or len(layers) <= MAX_LAYERS_LISTED:
        st.multiselect(
            f"{label}, one by one",
            [point.name for point in cuts.points],
            key=key,
            on_change=note_change,
            wrap=True,
            label_visibility="collapsed",
            placeholder="Type to search layers",
            help="Shapes: " + ", ".join(f"{point.name} {'×'.join(map(str, point.shape))}" for point in cuts.points),
        )
    else:
        st.session_state[key] = layers  # Streamlit would forget it, since its picker is not drawn
        st.caption(f"{layers[0]} … {layers[-1]}")
    if not cuts.traced:
        st.caption(f"{name}: {UNTRACED}")


def _take_choice(key: str, choices: dict[str, list[str]]) -> None:
    if (layers := choices.get(st.session_state[f"{key}_by"])) is not None:
        st.session_state[key] = layers
        note_change()


def _swap() -> None:
    state = st.session_state
    before = {key: state.get(key) for key in ("front", "end", "front_layers", "end_layers")}
    note_change("data", "front_layers", "end_layers")
    state.update(front=before["end"], end=before["front"])
    # Layers that are not known yet get their defaults later: the blocks of their network.
    state.update(
        {
            key: layers
            for key, layers in (("front_layers", before["end_layers"]), ("end_layers", before["front_layers"]))
            if layers is not None
        }
    )

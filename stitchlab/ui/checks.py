"""Chooses the networks to check, with settings: the demo's, the visitor's, or those of an earlier suite or a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypedDict

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from stitchlab import ui
from stitchlab.catalog.checks import CHECKS
from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.catalog.presets import PRESETS
from stitchlab.errors import StitchLabError
from stitchlab.jobs import JobQueue
from stitchlab.request import METHODS, Method, TaskLoss
from stitchlab.results import controls, cut_points, data_sets, demo, networks, shelf
from stitchlab.results.chance import min_permutations
from stitchlab.results.checks import answers as kept
from stitchlab.results.checks.suite import RECIPE, Checking, find, suite_of, wanted
from stitchlab.results.resolve import NotFoundYet
from stitchlab.store import Store
from stitchlab.ui import opened
from stitchlab.ui.asking import ask_worker

#: What stands in the address instead of a suite's id: for the demo's networks, and for the visitor's own.
DEMO = "demo"
OWN = "own"
FIRST_NETWORKS_DATA = ""  # the choice of the data that the first network came with
BOUND: Any = {"bind": "query-params"}


@dataclass(frozen=True)
class CheckSelection:
    """Holds the suite that the page Checks shows: the arguments of `Jobs.check`, and the checking.

    The checking is None while networks are untrained. For one from a file, whose store has a ``source``, nothing can be
    computed.
    """

    arguments: dict[str, Any]
    checking: Checking | None


def choose(store: Store, jobs: JobQueue) -> CheckSelection | None:
    """Draw the choice of a suite, which goes into the address, and its pickers; None, with a message, without one."""
    suites = {str(suite["id"]): suite for suite in kept.suites(store)}
    of_files = {answers.suite.id: answers.checking for answers in shelf.tables(store)}
    linked = st.query_params.get("suite", "")
    # At first the visitor's newest suite, else the gallery's, which needs no computing; never an opened file.
    gallery = [key for key, file in of_files.items() if file.store.source is not None and file.store.source.gallery]
    choice = linked if linked in (DEMO, OWN, *suites, *of_files) else next(iter([*suites, *gallery]), DEMO)
    if linked and choice != linked:
        st.warning(f"This link's suite is not here: {ui.literal(linked)}", icon=":material/link_off:")
    st.session_state["suites"] = choice
    st.selectbox(
        "Networks",
        [*suites, *of_files, DEMO, OWN],
        key="suites",
        format_func=lambda key: _of_file(of_files[key]) if key in of_files else _name(suites, key),
        on_change=lambda: st.query_params.update({"suite": st.session_state["suites"], "check": "", "subject": ""}),
    )
    if choice in of_files:
        return CheckSelection({}, of_files[choice])
    try:
        if choice == OWN:
            return _own(store)
        if choice == DEMO:
            return _demo(store)
        checking = suite_of(store, suites[choice]["wanted"])
    except NotFoundYet as error:
        answer = ask_worker(jobs, "cut_points", error.network, awaited="the layers of these networks")
        if answer is not None and cut_points.kept(store, error.network) is not None:
            st.rerun()
        return None
    except StitchLabError as error:
        ui.show_error(error)
        return None
    if checking.suite.id != choice:
        st.info(
            "Definitions of checks, or of what they rest on, have changed since this suite was requested. Under "
            "today's definitions it is another suite, which reuses the results that have not changed.",
            icon=":material/update:",
        )
    return _selection(checking)


def _selection(checking: Checking) -> CheckSelection:
    """Describe a checking as `Jobs.check` takes it. Raises NotFoundYet while a network's layers are unknown."""
    _ = checking.alike  # it reads the layers of all networks, so the error is raised here and not while drawing
    return CheckSelection(wanted(checking), checking)


def about(checking: Checking) -> None:
    """Describe the suite; if its networks have different layers, say which checks need networks with the same."""
    suite = checking.suite
    data = data_sets.of_fingerprint(checking.store, suite.data)
    parts = [
        f"{len(suite.networks)} network{'s' * (len(suite.networks) > 1)}: {checking.title}",
        data.label if data else "",
        f"{suite.eval_images:,} test images",
        f"{suite.dm.images:,} training images for direct matching" if "dm" in suite.methods else "",
    ]
    st.caption(ui.literal(" · ".join(filter(None, parts))))
    opened.whose(checking.store.source)
    for line in unequal(checking) if checking.store.source is None else ():
        st.info(ui.literal(line), icon=":material/account_tree:")


def unequal(checking: Checking) -> list[str]:
    """Say which checks need more networks than these, or networks with the same layers, and which can be run."""
    names = {network.id: network.name for network in checking.networks}
    remarks = []
    if len(checking.alike) > 1:
        groups = "; ".join(", ".join(names[n] for n in group) for group in checking.alike)
        need_same_layers = ", ".join(check.label for check in CHECKS.values() if check.same_layers)
        need_no_same_layers = ", ".join(check.label for check in CHECKS.values() if not check.same_layers)
        pairs = [", ".join(names[n] for n in group) for group in checking.alike if len(group) > 1]
        outcome = (
            f"they are run on {' and on '.join(pairs)}" if pairs else "they cannot be run, as no two have the same"
        )
        remarks.append(
            f"These networks have different layers ({groups}). {need_same_layers} need networks with the same layers: "
            f"{outcome}. The other checks can be run: {need_no_same_layers}."
        )
    if unanswerable := [check for check in CHECKS.values() if check.networks > len(checking.networks)]:
        remarks.append(
            f"{', '.join(check.label for check in unanswerable)} need {unanswerable[0].networks} networks or more: one "
            "network is not enough data."
        )
    return remarks


def demo_by_names() -> dict[str, Any]:
    """Describe a checking of the demo's networks by their names, before they are trained."""
    return {
        "names": list(demo.SEEDS),
        "data": demo.DATA,
        "methods": list(METHODS),
        "indices": list(INDICES),
        "tlm": asdict(PRESETS[RECIPE]),
        "dm_images": 100,
        "eval_images": None,
        "null": min_permutations(demo.LAYERS),
        "seed": 0,
    }


def _name(suites: dict[str, Any], key: str) -> str:
    if key == DEMO:
        return f"The demo: {_count(len(demo.SEEDS))} seeds of ResNet-14 on digits"
    if key == OWN:
        return "Other networks …"
    suite = suites[key]
    return f"{', '.join(suite['networks'])} · {suite['created'][:16].replace('T', ' ')} · {key[:6]}"


def _of_file(checking: Checking) -> str:
    assert checking.store.source is not None
    return f"{checking.store.source.file}: {checking.title} · {checking.suite.id[:6]}"


def _count(number: int) -> str:
    return {2: "two", 3: "three", 4: "four"}.get(number, str(number))


def _demo(store: Store) -> CheckSelection:
    """Return the suite of the demo's networks, described by their names alone until all of them are trained."""
    return CheckSelection(demo_by_names(), None) if demo.untrained(store) else _selection(find(store, demo.SEEDS))


def _own(store: Store) -> CheckSelection | None:
    """Draw the pickers of the visitor's own networks. Raises StitchLabError; NotFoundYet."""
    offered = [n.name for n in networks.list_networks(store) if n.architecture != controls.NOISE]
    if not offered:
        st.info("No networks are here yet: train some, or import your own.", icon=":material/info:")
        ui.link_to_page("pages/5_Networks.py", "Train or import networks", {"part": "Train"}, "The page Networks")
        return None
    _drop_unavailable("check_networks", offered)
    names = st.multiselect(
        "Which networks",
        offered,
        key="check_networks",
        placeholder="Seeds of one architecture, or any networks",
        help="Checks that need the same layers take networks of one architecture, trained from different seeds.",
        **BOUND,
    )
    with st.expander("Measures and settings", icon=":material/tune:"):
        settings = _settings(store)
    if not names:
        st.info(
            "Choose the networks to check: at least two seeds of one architecture; four are better.",
            icon=":material/info:",
        )
        return None
    return _selection(find(store, names, **settings))


class Measures(TypedDict):
    """Holds the measures to check."""

    methods: Sequence[Method]
    indices: Sequence[str]


class Settings(Measures):
    """Holds the arguments of `find` that the pickers set, which are all but the networks."""

    data: str | None
    dm_images: int
    tlm: TaskLoss
    eval_images: int | None
    seed: int


def _settings(store: Store) -> Settings:
    """Draw the pickers of measures and settings in three columns; return the arguments of `find` but the networks."""
    left, middle, right = st.columns(3)
    measures = _measures(left, middle)
    labels = {record.fingerprint: record.label for record in data_sets.known(store)}
    fingerprint = right.selectbox(
        "Data set",
        [FIRST_NETWORKS_DATA, *labels],
        key="check_data",
        format_func=lambda key: labels.get(key, "What the first network came with"),
        **BOUND,
    )
    recipe = left.selectbox(
        "TLM recipe",
        list(PRESETS),
        index=list(PRESETS).index(RECIPE),
        key="check_recipe",
        help="For every stitch that a check trains. The recipe paper takes six times as long as quick.",
        **BOUND,
    )
    eval_images = middle.number_input(
        "Test images for evaluation", 1, None, None, key="check_eval_images", placeholder="all", **BOUND
    )
    dm_images = right.number_input("Training images for DM", 1, None, 100, key="check_dm_images", **BOUND)
    train_images = left.number_input(
        "TLM training images", 1, None, None, key="check_train_images", placeholder="all", **BOUND
    )
    seed = middle.number_input("Seed", 0, 2**32 - 1, 0, key="check_seed", **BOUND)
    tlm = PRESETS[recipe or RECIPE]
    return {
        **measures,
        "data": fingerprint or None,
        "dm_images": dm_images or 100,
        "tlm": tlm if train_images is None else replace(tlm, images=train_images),
        "eval_images": eval_images,
        "seed": seed or 0,
    }


def _measures(left: DeltaGenerator, right: DeltaGenerator) -> Measures:
    """Draw the pickers of the measures to check: methods and similarity indices."""
    methods = left.pills(
        "Methods",
        METHODS,
        selection_mode="multi",
        default=list(METHODS),
        key="check_methods",
        format_func=METHOD_LABELS.__getitem__,
        wrap=True,
        **BOUND,
    )
    indices = right.multiselect(
        "Similarity indices",
        list(INDICES),
        default=list(INDICES),
        key="check_indices",
        format_func=lambda name: INDICES[name].label,
        **BOUND,
    )
    return {"methods": methods or (), "indices": indices or ()}


def _drop_unavailable(key: str, offered: Sequence[str]) -> None:
    """Remove from a picker's selection the names that it no longer offers."""
    if key in st.session_state:
        st.session_state[key] = [name for name in st.session_state[key] if name in offered]

"""Chooses the networks to check, and settings: the demo's, one's own, those of an earlier suite or of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from stitchlab import ui
from stitchlab.catalog.checks import CHECKS
from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.catalog.presets import PRESETS
from stitchlab.errors import StitchLabError
from stitchlab.jobs import Jobs
from stitchlab.request import METHODS
from stitchlab.results import controls, cut_points, data_sets, demo, networks, shelf
from stitchlab.results.chance import enough
from stitchlab.results.checks import answers as kept
from stitchlab.results.checks.suite import RECIPE, Checking, asked, find, wanted
from stitchlab.results.resolve import NotFoundYet
from stitchlab.store import Store
from stitchlab.ui import opened
from stitchlab.ui.asking import answered

DEMO, OWN = "demo", "own"  # what the address says instead of a suite's id
DATA = ""  # the data that the first network came with
BOUND: Any = {"bind": "query-params"}


@dataclass(frozen=True)
class Asked:
    """Holds what the page Checks is about: what `Jobs.check` gets, and its checking; None while networks are untrained.

    Nothing can be computed for a checking from a file, whose store has a ``source``.
    """

    what: dict[str, Any]
    checking: Checking | None


def choose(store: Store, jobs: Jobs) -> Asked | None:
    """Draw the choice of a suite, which goes into the address, and its pickers; None, with a message, without one."""
    known = {str(suite["id"]): suite for suite in kept.suites(store)}
    files = {answers.suite.id: answers.checking for answers in shelf.tables(store)}
    said = st.query_params.get("suite", "")
    # One's own newest, else the gallery's, which is there at once; somebody's file is not chosen unasked.
    gallery = [key for key, made in files.items() if made.store.source is not None and made.store.source.gallery]
    which = said if said in (DEMO, OWN, *known, *files) else next(iter([*known, *gallery]), DEMO)
    if said and which != said:
        st.warning(f"This link's suite is not here: {ui.literal(said)}", icon=":material/link_off:")
    st.session_state["suites"] = which
    st.selectbox(
        "Networks",
        [*known, *files, DEMO, OWN],
        key="suites",
        format_func=lambda key: _of_file(files[key]) if key in files else _name(known, key),
        on_change=lambda: st.query_params.update({"suite": st.session_state["suites"], "check": "", "subject": ""}),
    )
    if which in files:
        return Asked({}, files[which])
    try:
        if which == OWN:
            return _own(store)
        if which == DEMO:
            return _demo(store)
        made = asked(store, known[which]["wanted"])
    except NotFoundYet as error:
        found = answered(jobs, "cut_points", error.network, what="the layers of these networks")
        if found is not None and cut_points.kept(store, error.network) is not None:
            st.rerun()
        return None
    except StitchLabError as error:
        ui.say(error)
        return None
    if made.suite.id != which:
        st.info(
            "Definitions of checks, or of what they rest on, have changed since this suite was requested. Under "
            "today's it is another suite, which reuses what has not changed.",
            icon=":material/update:",
        )
    return _asked(made)


def _asked(made: Checking) -> Asked:
    """Describe a checking as `Jobs.check` takes it. Raises NotFoundYet, here and not later, for unknown layers."""
    _ = made.alike  # which looks at the layers of all of them
    return Asked(wanted(made), made)


def about(made: Checking) -> None:
    """Show what is checked, and which checks need networks with the same layers where not all have them."""
    suite = made.suite
    data = data_sets.of_fingerprint(made.store, suite.data)
    parts = [
        f"{len(suite.networks)} network{'s' * (len(suite.networks) > 1)}: {made.title}",
        data.label if data else "",
        f"{suite.eval_images:,} test images",
        f"{suite.dm.images:,} training images for direct matching" if "dm" in suite.methods else "",
    ]
    st.caption(ui.literal(" · ".join(filter(None, parts))))
    opened.whose(made.store.source)
    for line in unequal(made) if made.store.source is None else ():
        st.info(ui.literal(line), icon=":material/account_tree:")


def unequal(made: Checking) -> list[str]:
    """Say which checks these networks are too few for, or too different, and which can still be run."""
    names = {network.id: network.name for network in made.networks}
    said = []
    if len(made.alike) > 1:
        groups = "; ".join(", ".join(names[n] for n in group) for group in made.alike)
        need = ", ".join(check.label for check in CHECKS.values() if check.same_layers)
        rest = ", ".join(check.label for check in CHECKS.values() if not check.same_layers)
        pairs = [", ".join(names[n] for n in group) for group in made.alike if len(group) > 1]
        which = f"they are made on {' and on '.join(pairs)}" if pairs else "they cannot be made, as no two have"
        said.append(
            f"These networks have different layers ({groups}). {need} need networks with the same layers: "
            f"{which}. The others still can be made: {rest}."
        )
    if few := [check for check in CHECKS.values() if check.networks > len(made.networks)]:
        said.append(
            f"{', '.join(check.label for check in few)} take {few[0].networks} networks or more: not enough "
            "data with one."
        )
    return said


def demo_by_names() -> dict[str, Any]:
    """Describe a checking of the demo's networks before they are trained."""
    return {
        "names": list(demo.SEEDS),
        "data": demo.DATA,
        "methods": list(METHODS),
        "indices": list(INDICES),
        "tlm": asdict(PRESETS[RECIPE]),
        "dm_images": 100,
        "eval_images": None,
        "null": enough(demo.LAYERS),
        "seed": 0,
    }


def _name(known: dict[str, Any], key: str) -> str:
    if key == DEMO:
        return f"The demo: {_count(len(demo.SEEDS))} seeds of ResNet-14 on digits"
    if key == OWN:
        return "Other networks …"
    suite = known[key]
    return f"{', '.join(suite['networks'])} · {suite['created'][:16].replace('T', ' ')} · {key[:6]}"


def _of_file(made: Checking) -> str:
    assert made.store.source is not None
    return f"{made.store.source.file}: {made.title} · {made.suite.id[:6]}"


def _count(number: int) -> str:
    return {2: "two", 3: "three", 4: "four"}.get(number, str(number))


def _demo(store: Store) -> Asked:
    """Return the suite of the demo's networks; by their names alone where one of them is not trained yet."""
    return Asked(demo_by_names(), None) if demo.untrained(store) else _asked(find(store, demo.SEEDS))


def _own(store: Store) -> Asked | None:
    """Draw the pickers of one's own networks. Raises StitchLabError; NotFoundYet."""
    there = [n.name for n in networks.list_networks(store) if n.architecture != controls.NOISE]
    if not there:
        st.info("No networks are here yet: train some, or import your own.", icon=":material/info:")
        ui.door("pages/5_Networks.py", "Train or import networks", {"part": "Train"}, "The page Networks")
        return None
    _keep("check_networks", there)
    names = st.multiselect(
        "Which networks",
        there,
        key="check_networks",
        placeholder="Seeds of one architecture, or any networks",
        help="Checks that need the same layers take networks of one architecture, trained from different seeds.",
        **BOUND,
    )
    with st.expander("Measures and settings", icon=":material/tune:"):
        settings = _settings(store)
    if not names:
        st.info(
            "Choose the networks to check: two seeds of one architecture at least, four are better.",
            icon=":material/info:",
        )
        return None
    made = find(store, names, **settings)
    return _asked(made)


def _settings(store: Store) -> dict[str, Any]:
    """Draw the pickers of measures and settings in three columns; return what `find` takes beside the networks."""
    one, two, three = st.columns(3)
    measures = _measures(one, two)
    data = {record.fingerprint: record.label for record in data_sets.known(store)}
    on = three.selectbox(
        "Data set",
        [DATA, *data],
        key="check_data",
        format_func=lambda key: data.get(key, "What the first network came with"),
        **BOUND,
    )
    chosen = one.selectbox(
        "TLM recipe",
        list(PRESETS),
        index=list(PRESETS).index(RECIPE),
        key="check_recipe",
        help="Of task loss matching, wherever a check trains. paper takes six times as long as quick.",
        **BOUND,
    )
    most = two.number_input(
        "Test images for evaluation", 1, None, None, key="check_eval_images", placeholder="all", **BOUND
    )
    dm = three.number_input("Training images for DM", 1, None, 100, key="check_dm_images", **BOUND)
    train = one.number_input("TLM training images", 1, None, None, key="check_train_images", placeholder="all", **BOUND)
    seed = two.number_input("Seed", 0, 2**32 - 1, 0, key="check_seed", **BOUND)
    tlm = PRESETS[chosen or RECIPE]
    return {
        **measures,
        "data": on or None,
        "dm_images": dm or 100,
        "tlm": tlm if train is None else replace(tlm, images=train),
        "eval_images": most,
        "seed": seed or 0,
    }


def _measures(left: DeltaGenerator, right: DeltaGenerator) -> dict[str, Sequence[str]]:
    """Draw the pickers of what is checked: methods and similarity indices."""
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


def _keep(key: str, there: Sequence[str]) -> None:
    """Drop what a picker has selected that is no longer offered."""
    if key in st.session_state:
        st.session_state[key] = [name for name in st.session_state[key] if name in there]

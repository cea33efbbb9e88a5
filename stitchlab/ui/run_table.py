"""Draws the table of runs: one's own, those of opened files and the gallery's; the selection is in the address."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.results import recipe, shelf
from stitchlab.results.duration import seconds
from stitchlab.results.run import Run, list_runs
from stitchlab.results.run_record import ROOM
from stitchlab.results.summary import Summaries, Summary
from stitchlab.store import Store
from stitchlab.ui import embedding

KINDS = {"all": "All", "own": "Computed here", "opened": "Opened files", "gallery": "Gallery"}
FROM = {"own": "here", "opened": "file", "gallery": "gallery"}
CHOSEN = "runs"  # the key of the address that names the chosen runs
COUNTING = 0.3  # seconds that a look counts runs of which no summary is kept
ROWS = 12  # that are seen before the table scrolls


def kind(run: Run) -> str:
    """Say where a run comes from, as a key of `KINDS`."""
    return "own" if run.source is None else "gallery" if run.source.gallery else "opened"


def called(run: Run) -> str:
    """Name a run for people: by the name given here or in its file, else by its networks and data."""
    return run.name or (run.source.title if run.source else "") or run.title


def known(store: Store) -> list[Run]:
    """List all runs: one's own, newest first, then those of opened files and the gallery that are not one's own."""
    found = {run.id: run for run in _own(str(store.root), _changed(store))}
    for run in (*shelf.opened(store), *shelf.gallery()):
        found.setdefault(run.id, run)
    return list(found.values())


def draw(store: Store, runs: Sequence[Run]) -> list[Run]:
    """Draw the filter and the table; return the selected runs, those of the address, in its order."""
    if not runs:
        st.info(
            "Nothing is compared yet. Compare makes a run; a .stitch file that somebody sent you opens above.",
            icon=":material/info:",
        )
        ui.door("pages/1_Compare.py", "Compare two networks", {}, "Two networks, a grid of their layers")
        return []
    shown = _filtered(runs)
    _warn_of_unknown(runs)
    counted = _summaries(str(store.root)).of([run for run in shown if run.source is None], COUNTING)
    rows = [_row(run, counted.get(run.id) if run.source is None else _of_file(run)) for run in shown]
    if rows:
        _table(rows, shown)
    if not rows:
        st.info("No run has all of these words: try fewer, or another kind.", icon=":material/info:")
    if any(count is None for count in counted.values()) and not embedding.embedded():
        st.session_state["counting"] = 0
        st.fragment(_count_on, run_every=ui.REFRESH_INTERVAL_S)()
    by_id = {run.id: run for run in shown}
    return [by_id[name] for name in st.query_params.get_all(CHOSEN) if name in by_id]


def _filtered(runs: Sequence[Run]) -> list[Run]:
    left, right = st.columns([3, 4], vertical_alignment="center")
    words = left.text_input(
        "Filter",
        key="find",
        placeholder="Filter: names, networks, data, recipe, id",
        label_visibility="collapsed",
        bind="query-params",
    )
    there = {kind(run) for run in runs}
    of = (
        right.segmented_control(
            "Where from",
            [key for key in KINDS if key in ("all", *there)],
            default="all",
            key="from",
            format_func=KINDS.__getitem__,
            label_visibility="collapsed",
            required=True,
            bind="query-params",
        )
        or "all"
    )
    asked = (words or "").lower().split()
    return [run for run in runs if of in ("all", kind(run)) and all(word in _words(run) for word in asked)]


def _words(run: Run) -> str:
    """Join all texts of a run that the filter searches."""
    of_file = [run.source.file, run.source.title] if run.source else []
    return " ".join([run.name, run.title, run.record["data"]["name"], recipe.words(run), run.id, *of_file]).lower()


def _table(rows: list[dict[str, Any]], shown: Sequence[Run]) -> None:
    """Draw the table. Its key is of its rows and of what a link chose, since a selection is of places, not of runs."""
    said, ids = st.query_params.get_all(CHOSEN), [run.id for run in shown]
    state = st.session_state
    if said != state.get("chosen_runs"):  # somebody's link, or the back button
        state.update(chosen_runs=said, chosen_by_link=state.get("chosen_by_link", 0) + 1)
    places = [k for k, one in enumerate(ids) if one in said]
    key = f"runs-{state.get('chosen_by_link', 0)}-{hashlib.sha256(''.join(ids).encode()).hexdigest()[:12]}"
    st.dataframe(
        rows,
        key=key,
        on_select=lambda: _choose(key, ids),
        selection_mode="multi-row",
        hide_index=True,
        selection_default={"selection": {"rows": places}},
        width="stretch",
        placeholder="–",
        height=38 + 35 * min(ROWS, len(rows)),
        alt="Runs: what was requested, and how much of it is there",
        column_config={
            "Run": st.column_config.TextColumn(width=250, pinned=True),
            "Requested": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm", width=125),
            "Done": st.column_config.ProgressColumn(
                format="percent",
                min_value=0,
                max_value=1,
                width=110,
                help="Results that are there, each method and index counted",
            ),
            "Time": st.column_config.TextColumn(help="Of all of its cells together", width=60),
            "Size": st.column_config.NumberColumn(
                format="%.1f MB",
                width=80,
                help="Of all files that it uses; those that several runs share count for each",
            ),
            "Networks and data": None if all(called(run) == run.title for run in shown) else "Networks and data",
        },
    )


def _choose(key: str, ids: Sequence[str]) -> None:
    """Put the selected runs into the address, those first that were selected before."""
    picked = [ids[row] for row in sorted(st.session_state[key].selection.rows) if row < len(ids)]
    before = [one for one in st.query_params.get_all(CHOSEN) if one in picked]
    st.query_params.update({CHOSEN: [*before, *(one for one in picked if one not in before)] or ""})
    st.session_state["chosen_runs"] = st.query_params.get_all(CHOSEN)


def choose(runs: Sequence[Run]) -> None:
    """Select these runs when the table is next drawn: put them into the address."""
    st.query_params.update({CHOSEN: [run.id for run in runs] or ""})


def _row(run: Run, summary: Summary | None) -> dict[str, Any]:
    request = run.request
    return {
        "Run": called(run),
        "Requested": datetime.fromisoformat(run.record["created"]).replace(tzinfo=None),
        "Done": None if summary is None else summary.done / max(1, run.total),
        "Time": "" if summary is None or not summary.seconds else seconds(summary.seconds),
        "Size": summary.bytes / 1e6 if summary and summary.bytes else None,
        "From": FROM[kind(run)],
        "Layers": f"{len(request.front_layers)}×{len(request.end_layers)}",
        "Methods": ", ".join(
            [
                *(method.upper() for method in request.methods),
                *([f"{len(request.indices)} indices"] if request.indices else []),
            ]
        ),
        "Recipe of TLM": recipe.words(run) if "tlm" in request.methods else "",
        "Networks and data": run.title,
        "Seed": request.seed,
        "Id": run.id[:8],
    }


def _warn_of_unknown(runs: Sequence[Run]) -> None:
    there = {run.id for run in runs}
    for name in filter(None, st.query_params.get_all(CHOSEN)):
        if name not in there:
            st.warning(f"This link's run is not here: {ui.literal(name)}", icon=":material/link_off:")


def _of_file(run: Run) -> Summary:
    """Read what a file has, which never changes."""
    return Summary(len(run.cells), sum(cell.get("seconds", 0.0) for cell in run.cells.values()), 0)


def _count_on() -> None:
    """Draw again in a second: some runs have not been counted yet."""
    st.session_state["counting"] += 1
    if st.session_state["counting"] > 1:
        st.rerun()
    st.caption(":material/hourglass_top: Counting what older runs have …")


def _changed(store: Store) -> float:
    try:
        return os.stat(store.root / ROOM).st_mtime
    except OSError:
        return 0.0


@st.cache_resource(show_spinner=False, max_entries=4)
def _own(root: str, changed: float) -> list[Run]:
    """List a store's runs, as of the last change of their folder; only their records are looked at."""
    return list_runs(Store(root))


@st.cache_resource(show_spinner=False, max_entries=4)
def _summaries(root: str) -> Summaries:
    return Summaries(Store(root))

"""Draws the table of runs: computed here, from opened files, from the gallery. The selection is in the address."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import streamlit as st

from stitchlab import ui
from stitchlab.results import recipe, shelf
from stitchlab.results.duration import seconds
from stitchlab.results.run import Run, list_runs
from stitchlab.results.run_record import ROOM
from stitchlab.results.summary import Summaries, Summary
from stitchlab.store import Store
from stitchlab.ui import embedding

Kind = Literal["own", "opened", "gallery"]  #: where a run comes from
KINDS: dict[Kind | Literal["all"], str] = {
    "all": "All",
    "own": "Computed here",
    "opened": "Opened files",
    "gallery": "Gallery",
}
FROM: dict[Kind, str] = {"own": "here", "opened": "file", "gallery": "gallery"}
CHOSEN = "runs"  # the query parameter that names the chosen runs
COUNTING_S = 0.3  # in which results of runs are counted, while the page is drawn, if no summary is kept
MAX_ROWS_SEEN = 12  # a table with more rows scrolls


def kind(run: Run) -> Kind:
    """Return where a run comes from."""
    return "own" if run.source is None else "gallery" if run.source.gallery else "opened"


def name_of(run: Run) -> str:
    """Return a run's name: the one given here or in its file, else its networks and data."""
    return run.name or (run.source.title if run.source else "") or run.title


def list_all(store: Store) -> list[Run]:
    """List all runs once: those computed here, newest first, then those of opened files and of the gallery."""
    runs = {run.id: run for run in _own(str(store.root), _last_change(store))}
    for run in (*shelf.opened(store), *shelf.gallery()):
        runs.setdefault(run.id, run)
    return list(runs.values())


def draw(store: Store, runs: Sequence[Run]) -> list[Run]:
    """Draw the filter and the table; return the runs that the address selects, in its order."""
    if not runs:
        st.info(
            "Nothing is compared yet. Compare makes a run; a .stitch file that somebody sent you can be opened above.",
            icon=":material/info:",
        )
        ui.link_to_page("pages/1_Compare.py", "Compare two networks", {}, "Two networks, a grid of their layers")
        return []
    shown = _filtered(runs)
    _warn_of_unknown(runs)
    summaries = _summaries(str(store.root)).of([run for run in shown if run.source is None], COUNTING_S)
    rows = [_row(run, summaries.get(run.id) if run.source is None else _summary_of_file(run)) for run in shown]
    if rows:
        _table(rows, shown)
    if not rows:
        st.info("No run has all of these words: try fewer, or another kind.", icon=":material/info:")
    if any(summary is None for summary in summaries.values()) and not embedding.embedded():
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
    kinds = {kind(run) for run in runs}
    origin = (
        right.segmented_control(
            "Where from",
            [key for key in KINDS if key in ("all", *kinds)],
            default="all",
            key="from",
            format_func=KINDS.__getitem__,
            label_visibility="collapsed",
            required=True,
            bind="query-params",
        )
        or "all"
    )
    search_words = (words or "").lower().split()
    return [run for run in runs if origin in ("all", kind(run)) and all(word in _words(run) for word in search_words)]


def _words(run: Run) -> str:
    """Join the texts of a run that the filter searches."""
    of_file = [run.source.file, run.source.title] if run.source else []
    return " ".join([run.name, run.title, run.record["data"]["name"], recipe.words(run), run.id, *of_file]).lower()


def _table(rows: list[dict[str, Any]], shown: Sequence[Run]) -> None:
    """Draw the table. Its key changes with its rows and with a link's choice, since Streamlit selects row numbers."""
    selected_ids, ids = st.query_params.get_all(CHOSEN), [run.id for run in shown]
    state = st.session_state
    if selected_ids != state.get("chosen_runs"):  # changed by a link or the back button
        state.update(chosen_runs=selected_ids, chosen_by_link=state.get("chosen_by_link", 0) + 1)
    selected_rows = [row for row, run_id in enumerate(ids) if run_id in selected_ids]
    key = f"runs-{state.get('chosen_by_link', 0)}-{hashlib.sha256(''.join(ids).encode()).hexdigest()[:12]}"
    st.dataframe(
        rows,
        key=key,
        on_select=lambda: _choose(key, ids),
        selection_mode="multi-row",
        hide_index=True,
        selection_default={"selection": {"rows": selected_rows}},
        width="stretch",
        placeholder="–",
        height=38 + 35 * min(MAX_ROWS_SEEN, len(rows)),
        alt="Runs: what was requested, and how much of it is computed",
        column_config={
            "Run": st.column_config.TextColumn(width=250, pinned=True),
            "Requested": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm", width=125),
            "Done": st.column_config.ProgressColumn(
                format="percent",
                min_value=0,
                max_value=1,
                width=110,
                help="Share of the results that are computed, over all methods and indices",
            ),
            "Time": st.column_config.TextColumn(help="Of all cells of the run together", width=60),
            "Size": st.column_config.NumberColumn(
                format="%.1f MB",
                width=80,
                help="Of all files that the run uses; a file that several runs share counts for each of them",
            ),
            "Networks and data": None if all(name_of(run) == run.title for run in shown) else "Networks and data",
        },
    )


def _choose(key: str, ids: Sequence[str]) -> None:
    """Put the selected runs into the address, first those that were selected before."""
    selected = [ids[row] for row in sorted(st.session_state[key].selection.rows) if row < len(ids)]
    kept = [run_id for run_id in st.query_params.get_all(CHOSEN) if run_id in selected]
    st.query_params.update({CHOSEN: [*kept, *(run_id for run_id in selected if run_id not in kept)] or ""})
    st.session_state["chosen_runs"] = st.query_params.get_all(CHOSEN)


def choose(runs: Sequence[Run]) -> None:
    """Select these runs when the table is next drawn: put them into the address."""
    st.query_params.update({CHOSEN: [run.id for run in runs] or ""})


def _row(run: Run, summary: Summary | None) -> dict[str, Any]:
    request = run.request
    return {
        "Run": name_of(run),
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
    ids = {run.id for run in runs}
    for name in filter(None, st.query_params.get_all(CHOSEN)):
        if name not in ids:
            st.warning(f"This link's run is not here: {ui.literal(name)}", icon=":material/link_off:")


def _summary_of_file(run: Run) -> Summary:
    """Summarise the results of an opened file, which never change."""
    return Summary(len(run.cells), sum(cell.get("seconds", 0.0) for cell in run.cells.values()), 0)


def _count_on() -> None:
    """Draw the page again in a second, since some runs have not been counted yet."""
    st.session_state["counting"] += 1
    if st.session_state["counting"] > 1:
        st.rerun()
    st.caption(":material/hourglass_top: Counting the results of older runs …")


def _last_change(store: Store) -> float:
    try:
        return os.stat(store.root / ROOM).st_mtime
    except OSError:
        return 0.0


@st.cache_resource(show_spinner=False, max_entries=4)
def _own(root: str, changed: float) -> list[Run]:
    """List a store's runs, from their records alone. It is cached until their folder changes."""
    return list_runs(Store(root))


@st.cache_resource(show_spinner=False, max_entries=4)
def _summaries(root: str) -> Summaries:
    return Summaries(Store(root))

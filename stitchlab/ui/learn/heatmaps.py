"""Draws steps 4 and 5: two heatmaps, in which the reader looks for cells where task loss matching misleads."""

from __future__ import annotations

import streamlit as st

from stitchlab import ui
from stitchlab.figures import run_grids
from stitchlab.request import Cell
from stitchlab.results.anomalies import (
    Unlike,
    accurate_only_by_tlm,
    depth_difference,
    differ,
    distant,
    distant_and_accurate,
    gap,
    unlike_itself,
)
from stitchlab.results.run import Run
from stitchlab.results.similarity import MAX_INACCURATE_SHARE
from stitchlab.ui.charts import side_by_side
from stitchlab.ui.learn import runs
from stitchlab.ui.learn.lesson import Lesson, Reply, answer_by_click, ask_for_cell, no_run, shown_cell
from stitchlab.ui.run_table import name_of


def distant_layers(lesson: Lesson) -> None:
    """Draw step 4: find distant layers that task loss matching rates as alike."""
    if (run := lesson.run) is None:
        no_run("There is no run yet whose heatmaps could be shown.")
        return
    right = distant_and_accurate(run)
    _heatmaps(lesson, run, right)
    distant_cells = [cell for cell in run.request.cells if distant(run, *cell)]
    widest = max(distant_cells, key=lambda cell: gap(run, *cell), default=None)
    none = "No distant cell is rated alike by task loss matching alone in this run." + (
        f" It is farthest above direct matching in {_name(widest)}: {_both(run, widest)}." if widest else ""
    )
    ask_for_cell(lesson, run, right, lambda cell: _distant(run, cell, right), none)


def itself(lesson: Lesson) -> None:
    """Draw step 5: find a layer that task loss matching rates less similar to itself than to another."""
    run = lesson.run and runs.comparison_with_itself(lesson.store, lesson.run)
    if lesson.run is None or run is None:
        no_run(
            "This step needs a network that is compared with itself, and there is no such run yet. To make one, "
            "choose the same network as front and end on Compare."
        )
        return
    if run.id != lesson.run.id:
        st.caption(f"This step uses a network compared with itself: {ui.literal(name_of(run))}.")
    layers = unlike_itself(run, "tlm")
    right = list(dict.fromkeys(cell for each in layers for cell in ((each.layer, each.layer), each.other)))
    _heatmaps(lesson, run, right)
    none = (
        f"Task loss matching rates each of the {len(run.request.front_layers)} layers as most similar to itself in "
        f"this run, as far as {run.request.eval_images:,} test images can tell. So does direct matching"
        + (f", except for {len(exceptions)} of them." if (exceptions := unlike_itself(run, "dm")) else ".")
    )
    ask_for_cell(lesson, run, right, lambda cell: _itself(run, cell), none)


def _heatmaps(lesson: Lesson, run: Run, right: list[Cell]) -> None:
    side_by_side(
        run.id,
        run_grids.metric_grids(run, "accuracy"),
        f"learn-{lesson.number}",
        shown_cell(lesson, run, right),
        on_select=lambda key: answer_by_click(run, key, right),
        selection_mode="points",
    )
    st.caption("★ marks the best front layer for each end layer (column).")


def _distant(run: Run, cell: Cell, right: list[Cell]) -> Reply:
    """Reply to a cell chosen in step 4."""
    difference = depth_difference(run, *cell)
    where = f"{_name(cell)}, " + (
        f"{difference:.0%} of the way from the first layer to the last apart"
        if difference
        else "at the same place in the order of layers"
    )
    if cell not in right:
        if accurate_only_by_tlm(run, *cell):
            return Reply(
                False,
                f"{where}: {_both(run, cell)}. The methods disagree, but these layers are not distant. "
                "Look farther from the diagonal.",
            )
        if distant(run, *cell):
            why = (
                "the methods do not disagree enough here"
                if gap(run, *cell) >= 0
                else "here task loss matching rates them lower"
            )
            return Reply(False, f"{where}: {_both(run, cell)}. Distant, but {why}.")
        return Reply(False, f"{where}: {_both(run, cell)}. Look farther from the diagonal, at layers that are distant.")
    own = "" if run.own_accuracy is None else f"; the end network alone {run.own_accuracy:.2f}"
    return Reply(
        True,
        f"{where}: {_both(run, cell)}{own}.{_corresponding(run, cell)} One of "
        f"{len(right)} such cell{'s' * (len(right) != 1)} in this grid: the two layers are half of the "
        f"grid apart or more, and task loss matching keeps {MAX_INACCURATE_SHARE:.0%} or more of the accuracy "
        "above chance, direct matching less. Read as similarity, task loss matching calls these two "
        "layers alike.",
    )


def _corresponding(run: Run, cell: Cell) -> str:
    """Compare with the cell of corresponding layers, if task loss matching rates that lower; else return nothing."""
    if run.request.front_layers != run.request.end_layers:
        return ""
    corresponding = cell[1], cell[1]
    chosen_value, value = (run.value("tlm", "accuracy", *each) for each in (cell, corresponding))
    if chosen_value is None or value is None or value >= chosen_value:
        return ""
    return f" Corresponding layers, {_name(corresponding)}, are rated lower by task loss matching: {value:.2f}."


def _itself(run: Run, cell: Cell) -> Reply:
    """Reply to a cell chosen in step 5."""
    matching = [each for each in unlike_itself(run, "tlm") if cell in ((each.layer, each.layer), each.other)]
    if not matching:
        if cell[0] != cell[1]:
            return Reply(
                False,
                f"{_name(cell)} are two layers: {_both(run, cell)}. Look on the diagonal, where a layer meets itself.",
            )
        return Reply(False, f"{_name(cell)}: {_both(run, cell)}. {_highest(run, cell)}")
    unlike = matching[0]
    dm, same = run.value("dm", "accuracy", *unlike.other), run.value("dm", "accuracy", unlike.layer, unlike.layer)
    direct = "" if dm is None or same is None else f" Direct matching says {same:.2f} and {dm:.2f}."
    counts = {method: len(unlike_itself(run, method)) for method in ("tlm", "dm")}
    return Reply(
        True,
        f"Task loss matching rates {ui.literal(unlike.layer)} with itself {unlike.own:.2f}, and "
        f"{_name(unlike.other)} {unlike.value:.2f}.{direct}{_identity(run, unlike)} Of "
        f"{len(run.request.front_layers)} layers, task loss matching rates {counts['tlm']} below "
        f"another one, direct matching {counts['dm']}.",
    )


def _highest(run: Run, cell: Cell) -> str:
    """Compare with the highest other cell of a layer's row and column in task loss matching."""
    others = [
        other
        for other in run.request.cells
        if (other[0] == cell[0] or other[1] == cell[1])
        and other != cell
        and run.value("tlm", "accuracy", *other) is not None
    ]
    if not others or run.value("tlm", "accuracy", *cell) is None:
        return "There is nothing to compare it with."
    best = max(others, key=lambda other: run.value("tlm", "accuracy", *other) or 0.0)
    value = run.value("tlm", "accuracy", *best) or 0.0
    if value <= (run.value("tlm", "accuracy", *cell) or 0.0):
        return "No cell of its row or column is rated higher by task loss matching."
    return (
        f"The highest other cell of its row and column, {_name(best)}, is rated {value:.2f} by task loss "
        f"matching: no more above it than {run.request.eval_images:,} test images leave open."
    )


def _identity(run: Run, unlike: Unlike) -> str:
    """Name the accuracy of the identity map, if the trained map is clearly worse."""
    own = run.own_accuracy
    if own is None or own <= unlike.own or not differ(unlike.own, own, run.request.eval_images):
        return ""
    return f" The identity would be a map of accuracy {own:.2f} there: the training did not find it."


def _name(cell: Cell) -> str:
    return f"**{ui.literal(f'{cell[0]} → {cell[1]}')}**"


def _both(run: Run, cell: Cell) -> str:
    tlm, dm = (run.value(method, "accuracy", *cell) for method in ("tlm", "dm"))
    texts = ["undefined" if value is None else f"{value:.2f}" for value in (tlm, dm)]
    return f"task loss matching {texts[0]}, direct matching {texts[1]}"

"""Draws steps 4 and 5: two heatmaps, in which the reader finds the cell where task loss matching misleads."""

from __future__ import annotations

import streamlit as st

from stitchlab import ui
from stitchlab.figures import run_grids
from stitchlab.request import Cell
from stitchlab.results.anomalies import (
    Unlike,
    called_alike,
    depth_difference,
    differ,
    distant,
    distant_alike,
    gap,
    unlike_itself,
)
from stitchlab.results.run import Run
from stitchlab.results.similarity import INACCURATE
from stitchlab.ui.charts import side_by_side
from stitchlab.ui.learn import runs
from stitchlab.ui.learn.lesson import Lesson, Reply, clicked, find, lacking, shown_cell
from stitchlab.ui.run_table import called


def distant_layers(lesson: Lesson) -> None:
    """Draw step 4: find distant layers that task loss matching rates as alike."""
    if (run := lesson.run) is None:
        lacking("There is no run yet whose heatmaps could be shown.")
        return
    right = distant_alike(run)
    _heatmaps(lesson, run, right)
    far = [cell for cell in run.request.cells if distant(run, *cell)]
    most = max(far, key=lambda cell: gap(run, *cell), default=None)
    none = "No distant cell is rated alike by task loss matching alone in this run." + (
        f" It is farthest above direct matching in {_called(most)}: {_both(run, most)}." if most else ""
    )
    find(lesson, run, right, lambda cell: _distant(run, cell, right), none)


def itself(lesson: Lesson) -> None:
    """Draw step 5: find a layer that task loss matching rates less similar to itself than to another."""
    run = lesson.run and runs.within(lesson.store, lesson.run)
    if lesson.run is None or run is None:
        lacking(
            "This step takes a network that is compared with itself, and no such run is here. Compare makes one: "
            "choose the same network as front and end."
        )
        return
    if run.id != lesson.run.id:
        st.caption(f"This step takes a network compared with itself: {ui.literal(called(run))}.")
    found = unlike_itself(run, "tlm")
    right = list(dict.fromkeys(cell for each in found for cell in ((each.layer, each.layer), each.other)))
    _heatmaps(lesson, run, right)
    none = (
        f"Task loss matching rates each of the {len(run.request.front_layers)} layers as most similar to itself in "
        f"this run, as far as {run.request.eval_images:,} test images can tell. So does direct matching"
        + (f" but for {len(less)}." if (less := unlike_itself(run, "dm")) else ".")
    )
    find(lesson, run, right, lambda cell: _itself(run, cell), none)


def _heatmaps(lesson: Lesson, run: Run, right: list[Cell]) -> None:
    side_by_side(
        run.id,
        run_grids.stitched(run, "accuracy"),
        f"learn-{lesson.number}",
        shown_cell(lesson, run, right),
        on_select=lambda key: clicked(run, key, right),
        selection_mode="points",
    )
    st.caption("★ marks the best front layer of each column, so for each end layer.")


def _distant(run: Run, cell: Cell, right: list[Cell]) -> Reply:
    """Reply to a cell chosen in step 4."""
    far = depth_difference(run, *cell)
    share = f"{_called(cell)}, " + (
        f"{far:.0%} of the way from the first layer to the last apart"
        if far
        else "at the same place in the order of layers"
    )
    if cell not in right:
        if called_alike(run, *cell):
            return Reply(
                False,
                f"{share}: {_both(run, cell)}. The methods disagree, but these layers are not distant. "
                "Look farther from the diagonal.",
            )
        if distant(run, *cell):
            why = (
                "the methods do not disagree enough here"
                if gap(run, *cell) >= 0
                else "here task loss matching is the lower one"
            )
            return Reply(False, f"{share}: {_both(run, cell)}. Distant, but {why}.")
        return Reply(False, f"{share}: {_both(run, cell)}. Look farther from the diagonal, at layers that are distant.")
    own = "" if run.own_accuracy is None else f"; the end network alone {run.own_accuracy:.2f}"
    return Reply(
        True,
        f"{share}: {_both(run, cell)}{own}.{_corresponding(run, cell)} One of "
        f"{len(right)} such cell{'s' * (len(right) != 1)} in this grid: the two layers are half of the "
        f"grid apart or more, and task loss matching keeps {INACCURATE:.0%} or more of the accuracy "
        "above chance, direct matching less. Read as similarity, task loss matching calls these two "
        "layers alike.",
    )


def _corresponding(run: Run, cell: Cell) -> str:
    """Compare with the cell of the same end layer and the front layer at the same depth, where TLM rates it lower."""
    if run.request.front_layers != run.request.end_layers:
        return ""
    same = cell[1], cell[1]
    here, there = (run.value("tlm", "accuracy", *of) for of in (cell, same))
    if here is None or there is None or there >= here:
        return ""
    return f" Corresponding layers, {_called(same)}, are rated lower by task loss matching: {there:.2f}."


def _itself(run: Run, cell: Cell) -> Reply:
    """Reply to a cell chosen in step 5."""
    found = [each for each in unlike_itself(run, "tlm") if cell in ((each.layer, each.layer), each.other)]
    if not found:
        if cell[0] != cell[1]:
            return Reply(
                False,
                f"{_called(cell)} are two layers: {_both(run, cell)}. Look on the diagonal, where a "
                "layer meets itself.",
            )
        return Reply(False, f"{_called(cell)}: {_both(run, cell)}. {_highest(run, cell)}")
    each = found[0]
    dm, same = run.value("dm", "accuracy", *each.other), run.value("dm", "accuracy", each.layer, each.layer)
    direct = "" if dm is None or same is None else f" Direct matching says {same:.2f} and {dm:.2f}."
    counts = {method: len(unlike_itself(run, method)) for method in ("tlm", "dm")}
    return Reply(
        True,
        f"Task loss matching rates {ui.literal(each.layer)} with itself {each.own:.2f}, and "
        f"{_called(each.other)} {each.value:.2f}.{direct}{_identity(run, each)} Of "
        f"{len(run.request.front_layers)} layers, task loss matching rates {counts['tlm']} below "
        f"another one, direct matching {counts['dm']}.",
    )


def _highest(run: Run, cell: Cell) -> str:
    """Compare with the highest other cell of a layer's row and column in task loss matching."""
    others = [
        of
        for of in run.request.cells
        if (of[0] == cell[0] or of[1] == cell[1]) and of != cell and run.value("tlm", "accuracy", *of) is not None
    ]
    if not others or run.value("tlm", "accuracy", *cell) is None:
        return "There is nothing to compare it with."
    best = max(others, key=lambda of: run.value("tlm", "accuracy", *of) or 0.0)
    value = run.value("tlm", "accuracy", *best) or 0.0
    if value <= (run.value("tlm", "accuracy", *cell) or 0.0):
        return "No cell of its row or column is rated higher by task loss matching."
    return (
        f"The highest other cell of its row and column, {_called(best)}, is rated {value:.2f} by task loss "
        f"matching: no more above it than {run.request.eval_images:,} test images leave open."
    )


def _identity(run: Run, of: Unlike) -> str:
    """Say what the map could have been, where the training has clearly missed it."""
    own = run.own_accuracy
    if own is None or own <= of.own or not differ(of.own, own, run.request.eval_images):
        return ""
    return f" The identity would be a map of accuracy {own:.2f} there: the training did not find it."


def _called(cell: Cell) -> str:
    return f"**{ui.literal(f'{cell[0]} → {cell[1]}')}**"


def _both(run: Run, cell: Cell) -> str:
    tlm, dm = (run.value(method, "accuracy", *cell) for method in ("tlm", "dm"))
    said = ["undefined" if value is None else f"{value:.2f}" for value in (tlm, dm)]
    return f"task loss matching {said[0]}, direct matching {said[1]}"

"""Turns the names in a figure's options into its panels: what each one shows, not how it looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import METHOD_LABELS, METRICS
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.export import several
from stitchlab.export.options import Options
from stitchlab.figures import curves, run_grids
from stitchlab.figures.curves import Curves
from stitchlab.figures.grid import Grid
from stitchlab.request import Cell, Detection, Method
from stitchlab.results import trajectory
from stitchlab.results.detection import NATIVE, DetectionResults
from stitchlab.results.detection_settings import fullest_settings
from stitchlab.results.run import Run
from stitchlab.store import Array

DIFFERENCE = "difference"
SCORES = "scores"
TRAJECTORY = "trajectory"

# Prefixes of a name, followed by a colon.
REVERSE = "reverse"
MEAN = "mean"
SPREAD = "spread"
CHANGE = "change"
COMBINATIONS: dict[str, Callable[[Sequence[Run], Sequence[Grid]], Grid]] = {
    MEAN: several.mean,
    SPREAD: several.spread,
    CHANGE: several.change,
}


@dataclass(frozen=True)
class Panel:
    """Describes a part of a figure: its heatmap or curves, the name that asked for it, and the run of its numbers.

    Panels of the same ``quantity`` share one colour range; ``method`` is empty for a panel of no method.
    """

    content: Grid | Curves
    item: str
    run: Run
    quantity: str = ""
    method: Method | Literal[""] = ""

    @property
    def index(self) -> str:
        """Return the similarity index whose values it shows, raw or calibrated; empty if it shows none."""
        name = self.quantity.removeprefix(f"{run_grids.CALIBRATED}/")
        return name if name in INDICES else ""

    @property
    def combines_runs(self) -> bool:
        """Tell whether its numbers are computed from several runs."""
        return self.item.partition(":")[0] in COMBINATIONS


def panels(run: Run, options: Options) -> list[Panel]:
    """Return a figure's panels, in order.

    Raises UnknownName for a name that the run does not have, listing those that it has; StitchLabError if nothing of it
    is computed.
    """
    check_cell(run, options)
    chosen = [panel for item in shown_names(run, options) for panel in _panels_of(run, options, item)]
    if not chosen:
        raise StitchLabError(f"run {run.id} has nothing of {', '.join(options.show)} to draw")
    return _on_same_ranges(chosen)


def shown_names(run: Run, options: Options) -> tuple[str, ...]:
    """Return the names of what is shown: those in the options; by default all indices if the run stitches nothing."""
    if options.show == Options.show and not run.request.methods and run.request.indices:
        return (run_grids.SHOWN_INDICES,)
    return options.show


def names(run: Run, detection: Detection | None = None) -> Iterator[str]:
    """Yield the names of all that a figure of this run can show.

    With the prefix ``reverse:`` a name stands for the same panel of the run of the opposite direction, with ``mean:``
    and ``spread:`` for the mean and the standard deviation over several runs, with ``change:`` for a second run's
    values minus this one's.
    """
    methods = run.request.methods
    for metric in METRICS if methods else ():
        yield from (metric, *(f"{method}/{metric}" for method in methods))
        if set(methods) == set(METHOD_LABELS):
            yield f"{DIFFERENCE}/{metric}"
    if run.request.indices:
        yield from (run_grids.SHOWN_INDICES, *run.request.indices)
    if indices_with_null := run_grids.indices_with_null(run):
        yield from (run_grids.CALIBRATED, *(f"{run_grids.CALIBRATED}/{name}" for name in indices_with_null))
    detectors = _detectors_with_results(run, detection)
    for detector in detectors:
        for metric in DETECTORS[detector].metrics:
            yield from (f"{detector}/{metric}", *(f"{method}/{detector}/{metric}" for method in methods))
    yield from (f"{SCORES}/{detector}" for detector in detectors if not DETECTORS[detector].compares)
    if "tlm" in methods and cells_with_trajectory(run):
        yield TRAJECTORY


def check_cell(run: Run, options: Options) -> None:
    """Raise UnknownName if the options name a cell that the run does not have."""
    if options.cell is not None and options.cell not in run.request.cells:
        raise UnknownName("cell of this run", ":".join(options.cell), (f"{i}:{j}" for i, j in run.request.cells))


def cells_with_trajectory(run: Run) -> list[Cell]:
    """List the cells whose trajectory is computed."""
    return [cell for cell in run.request.cells if trajectory.kept(run, *cell) is not None]


def _in_short(run: Run, detection: Detection | None) -> str:
    """List in one line what a run has: its metrics without the methods, its indices, each detector's first metric."""
    quantities = [*(METRICS if run.request.methods else ()), *run.request.indices]
    quantities += [f"{name}/{DETECTORS[name].metrics[0]}" for name in _detectors_with_results(run, detection)]
    return ", ".join(quantities) if quantities else "nothing"


def detection_results(run: Run, detection: Detection | None = None) -> DetectionResults:
    """Return what detectors say about a run, by these settings or by those that most of its cells were judged with."""
    return DetectionResults(run, detection or fullest_settings(run))


def _detectors_with_results(run: Run, detection: Detection | None) -> list[str]:
    """List the detectors that have judged at least one cell of this run."""
    results = detection_results(run, detection)
    return [name for name in DETECTORS if any(results.entry(name, *cell) is not None for cell in results.cells)]


def _panels_of(run: Run, options: Options, item: str) -> list[Panel]:
    """Return the panels of one name, with its prefix. Raises UnknownName; StitchLabError."""
    prefix, colon, name = item.rpartition(":")
    if colon and prefix not in (REVERSE, *COMBINATIONS):
        raise UnknownName("combination of runs", prefix, (REVERSE, *COMBINATIONS))
    if prefix in COMBINATIONS:
        runs = (run, *options.others)
        panels_by_run = [_panels_of_run(each, options, name) for each in runs]
        return [
            replace(
                same_panel[0],
                item=item,
                quantity=same_panel[0].quantity if prefix == MEAN else item,
                content=COMBINATIONS[prefix](runs, [_grid(panel, item) for panel in same_panel]),
            )
            for same_panel in zip(*panels_by_run, strict=False)
        ]
    if prefix == REVERSE:
        reverse_run = several.opposite(run)
        reverse_options = replace(options, cell=options.cell and options.cell[::-1])
        return [
            replace(
                panel, item=item, content=replace(panel.content, title=f"{panel.content.title}, opposite direction")
            )
            for panel in _panels_of_run(reverse_run, reverse_options, name)
        ]
    return _panels_of_run(run, options, name)


def _grid(panel: Panel, item: str) -> Grid:
    """Return a panel's heatmap. Raises StitchLabError if it shows curves."""
    if isinstance(panel.content, Curves):
        raise StitchLabError(f"{item}: expected a heatmap, got curves of one cell, which have no mean over runs")
    return panel.content


def _panels_of_run(run: Run, options: Options, name: str) -> list[Panel]:
    """Return the panels of one name without a prefix. Raises UnknownName; StitchLabError."""
    if name not in names(run, options.detection):
        raise UnknownName(
            "figure of this run", name, names(run, options.detection), f"It has {_in_short(run, options.detection)}"
        )
    if name == TRAJECTORY:
        return _trajectory(run, options)
    if name.startswith(f"{SCORES}/"):
        return [_scores(run, options, name.removeprefix(f"{SCORES}/"))]
    return _grids(run, options, name)


def _grids(run: Run, options: Options, item: str) -> list[Panel]:
    """Return the heatmaps of one name, which the run has."""

    def panel(grid: Grid, quantity: str, method: Method | Literal[""] = "") -> Panel:
        return Panel(grid, item, run, quantity, method)

    by_index = {
        name: panel(grid, name) for name, grid in zip(run.request.indices, run_grids.index_grids(run), strict=True)
    }
    if item == run_grids.SHOWN_INDICES:
        return list(by_index.values())
    if item in by_index:
        return [by_index[item]]
    first, _, rest = item.partition("/")
    if first == run_grids.CALIBRATED:
        calibrated = {
            name: panel(grid, f"{first}/{name}")
            for name, grid in zip(run_grids.indices_with_null(run), run_grids.calibrated_grids(run), strict=True)
        }
        return [calibrated[rest]] if rest else list(calibrated.values())
    if first == DIFFERENCE:
        return [panel(grid, item) for grid in run_grids.difference_grids(run, rest)]
    quantity = rest if first in METHOD_LABELS else item
    detector, _, metric = quantity.partition("/")
    grids = _detector_grids(run, options, detector, metric) if metric else run_grids.metric_grids(run, quantity)
    return [
        panel(grid, quantity, method)
        for method, grid in zip(run.request.methods, grids, strict=True)
        if first not in METHOD_LABELS or method == first
    ]


def _detector_grids(run: Run, options: Options, detector: str, metric: str) -> list[Grid]:
    """Return a detector's heatmaps, with its name in the titles: a figure is read without the page around it."""
    name = DETECTORS[detector].label
    in_title = "" if name == OOD_METRICS[metric].label else f" ({name[0].lower()}{name[1:]})"
    results = detection_results(run, options.detection)
    return [replace(grid, title=grid.title + in_title) for grid in run_grids.detection_grids(results, detector, metric)]


def _cell(options: Options, item: str) -> Cell:
    """Return the cell that the options name. Raises StitchLabError if they name none."""
    if options.cell is None:
        raise StitchLabError(f"{item}: expected a front and an end layer, got none; name them (--cell FRONT:END)")
    return options.cell


def _scores(run: Run, options: Options, detector: str) -> Panel:
    i, j = _cell(options, f"{SCORES}/{detector}")
    results = detection_results(run, options.detection)
    native = results.arrays(detector, NATIVE, "", j)
    by_set: dict[str, Array] = {
        method: arrays["scores"]
        for method in run.request.methods
        if "scores" in (arrays := results.arrays(detector, method, i, j))
    }
    if "scores" not in native or not by_set:
        why = results.reason(detector, NATIVE, "", j)
        raise StitchLabError(
            f"{DETECTORS[detector].label} has no scores for {i} → {j}"
            + (f": {why}" if why else f" yet; `ood {run.id} --cells {i}:{j}` computes them")
        )
    by_set = {"native": native["scores"], **by_set, "outliers": native["outliers.scores"]}
    return Panel(curves.scores(by_set, DETECTORS[detector].label, f"{i} → {j}"), f"{SCORES}/{detector}", run)


def _trajectory(run: Run, options: Options) -> list[Panel]:
    i, j = _cell(options, TRAJECTORY)
    epochs = trajectory.kept(run, i, j)
    if epochs is None:
        raise StitchLabError(
            f"TLM's epochs in {i} → {j} are not computed; the page Activations computes them, or choose one of "
            + ", ".join(":".join(cell) for cell in cells_with_trajectory(run))
        )
    return [Panel(chart, TRAJECTORY, run) for chart in curves.trajectory(epochs[0], run.own_accuracy, f"{i} → {j}")]


def _on_same_ranges(shown: list[Panel]) -> list[Panel]:
    """Give panels of the same quantity the same colour range, whichever runs they show."""
    ranges: dict[str, tuple[float, float]] = {}
    for panel in shown:
        if isinstance(grid := panel.content, Grid):
            low, high = ranges.get(panel.quantity, (grid.low, grid.high))
            ranges[panel.quantity] = min(low, grid.low), max(high, grid.high)
    return [
        replace(panel, content=replace(panel.content, low=ranges[panel.quantity][0], high=ranges[panel.quantity][1]))
        if isinstance(panel.content, Grid)
        else panel
        for panel in shown
    ]

"""Chooses what stands in an exported figure: from the names in its options to panels, without how they look."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

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
from stitchlab.request import Detection
from stitchlab.results import trajectory
from stitchlab.results.detection import NATIVE, DetectionResults
from stitchlab.results.detection_settings import judged_with
from stitchlab.results.run import Run
from stitchlab.store import Array

DIFFERENCE, SCORES, TRAJECTORY = "difference", "scores", "trajectory"
REVERSE, MEAN, SPREAD, CHANGE = "reverse", "mean", "spread", "change"  # before a name and a colon
SETS_OF_RUNS: dict[str, Callable[[Sequence[Run], Sequence[Grid]], Grid]] = {
    MEAN: several.mean,
    SPREAD: several.spread,
    CHANGE: several.change,
}


@dataclass(frozen=True)
class Panel:
    """Describes a part of a figure: what it draws, the name that asked for it, and the run of its numbers.

    Panels of the same ``quantity`` have colours that can be compared; ``method`` is empty where there is none.
    """

    draws: Grid | Curves
    item: str
    run: Run
    quantity: str = ""
    method: str = ""

    @property
    def index(self) -> str:
        """Return the similarity index whose values it draws, raw or calibrated; empty where it draws none."""
        name = self.quantity.removeprefix(f"{run_grids.CALIBRATED}/")
        return name if name in INDICES else ""

    @property
    def of_runs(self) -> bool:
        """Tell whether its numbers are of several runs together."""
        return self.item.partition(":")[0] in SETS_OF_RUNS


def panels(run: Run, options: Options) -> list[Panel]:
    """Return a figure's panels, in order. Raises UnknownName for what the run does not have, naming what it has."""
    check_cell(run, options)
    made = [panel for item in shown(run, options) for panel in _of(run, options, item)]
    if not made:
        raise StitchLabError(f"run {run.id} has nothing of {', '.join(options.show)} to draw")
    return _on_same_ranges(made)


def shown(run: Run, options: Options) -> tuple[str, ...]:
    """Return the names of what is shown: those of the options, or all indices where nothing is stitched nor named."""
    if options.show == Options.show and not run.request.methods and run.request.indices:
        return (run_grids.SHOWN_INDICES,)
    return options.show


def names(run: Run, detection: Detection | None = None) -> Iterator[str]:
    """Name all that a figure of this run may show.

    ``reverse:`` before a name shows the same of the run of the opposite direction, ``mean:`` and ``spread:`` show that
    over several runs, ``change:`` what a second run has more of it.
    """
    methods = run.request.methods
    for metric in METRICS if methods else ():
        yield from (metric, *(f"{method}/{metric}" for method in methods))
        if set(methods) == set(METHOD_LABELS):
            yield f"{DIFFERENCE}/{metric}"
    if run.request.indices:
        yield from (run_grids.SHOWN_INDICES, *run.request.indices)
    if with_null := run_grids.with_null(run):
        yield from (run_grids.CALIBRATED, *(f"{run_grids.CALIBRATED}/{name}" for name in with_null))
    judged = _judged(run, detection)
    for detector in judged:
        for metric in DETECTORS[detector].metrics:
            yield from (f"{detector}/{metric}", *(f"{method}/{detector}/{metric}" for method in methods))
    yield from (f"{SCORES}/{detector}" for detector in judged if not DETECTORS[detector].compares)
    if "tlm" in methods and walks(run):
        yield TRAJECTORY


def check_cell(run: Run, options: Options) -> None:
    """Check that the options name a cell of the run. Raises UnknownName where they do not."""
    if options.cell is not None and options.cell not in run.request.cells:
        raise UnknownName("cell of this run", ":".join(options.cell), (f"{i}:{j}" for i, j in run.request.cells))


def walks(run: Run) -> list[tuple[str, str]]:
    """List the cells in which TLM's epochs are computed."""
    return [cell for cell in run.request.cells if trajectory.kept(run, *cell) is not None]


def _in_short(run: Run, detection: Detection | None) -> str:
    """Say what a run has, in one line: of metrics that each method and each detector has, the metrics alone."""
    named = [*(METRICS if run.request.methods else ()), *run.request.indices]
    if judged := _judged(run, detection):
        named += [f"{name}/{metric}" for name in judged for metric in DETECTORS[name].metrics[:1]]
    return ", ".join(named) if named else "nothing"


def distribution(run: Run, detection: Detection | None = None) -> DetectionResults:
    """Return what detectors say about a run, with these settings or those with which it was judged most."""
    return DetectionResults(run, detection or judged_with(run))


def _judged(run: Run, detection: Detection | None) -> list[str]:
    """List the detectors that have judged any cell of this run."""
    found = distribution(run, detection)
    return [name for name in DETECTORS if any(found.entry(name, *cell) is not None for cell in found.cells)]


def _of(run: Run, options: Options, item: str) -> list[Panel]:
    """Return the panels of one name. Raises UnknownName; StitchLabError."""
    before, colon, name = item.rpartition(":")
    if colon and before not in (REVERSE, *SETS_OF_RUNS):
        raise UnknownName("set of runs", before, (REVERSE, *SETS_OF_RUNS))
    if before in SETS_OF_RUNS:
        runs = (run, *options.others)
        of_each = [_known(one, options, name) for one in runs]
        return [
            replace(
                alike[0],
                item=item,
                quantity=alike[0].quantity if before == MEAN else item,
                draws=SETS_OF_RUNS[before](runs, [_grid(panel, item) for panel in alike]),
            )
            for alike in zip(*of_each, strict=False)
        ]
    if before == REVERSE:
        other = several.opposite(run)
        turned = replace(options, cell=options.cell and options.cell[::-1])
        return [
            replace(panel, item=item, draws=replace(panel.draws, title=f"{panel.draws.title}, opposite direction"))
            for panel in _known(other, turned, name)
        ]
    return _known(run, options, name)


def _grid(panel: Panel, item: str) -> Grid:
    if isinstance(panel.draws, Curves):
        raise StitchLabError(f"{item}: expected a heatmap, got curves of one cell, which have no mean over runs")
    return panel.draws


def _known(run: Run, options: Options, name: str) -> list[Panel]:
    if name not in names(run, options.detection):
        raise UnknownName(
            "figure of this run", name, names(run, options.detection), f"It has {_in_short(run, options.detection)}"
        )
    if name == TRAJECTORY:
        return _walk(run, options)
    if name.startswith(f"{SCORES}/"):
        return [_scores(run, options, name.removeprefix(f"{SCORES}/"))]
    return _grids(run, options, name)


def _grids(run: Run, options: Options, item: str) -> list[Panel]:
    """Return the heatmaps of one name that is known."""

    def panel(grid: Grid, quantity: str, method: str = "") -> Panel:
        return Panel(grid, item, run, quantity, method)

    by_index = {name: panel(grid, name) for name, grid in zip(run.request.indices, run_grids.indices(run), strict=True)}
    if item == run_grids.SHOWN_INDICES:
        return list(by_index.values())
    if item in by_index:
        return [by_index[item]]
    first, _, rest = item.partition("/")
    if first == run_grids.CALIBRATED:
        by_chance = {
            name: panel(grid, f"{first}/{name}")
            for name, grid in zip(run_grids.with_null(run), run_grids.calibrated(run), strict=True)
        }
        return [by_chance[rest]] if rest else list(by_chance.values())
    if first == DIFFERENCE:
        return [panel(grid, item) for grid in run_grids.difference(run, rest)]
    quantity = rest if first in METHOD_LABELS else item
    detector, _, metric = quantity.partition("/")
    made = _judged_grids(run, options, detector, metric) if metric else run_grids.stitched(run, quantity)
    return [
        panel(grid, quantity, method)
        for method, grid in zip(run.request.methods, made, strict=True)
        if first not in METHOD_LABELS or method == first
    ]


def _judged_grids(run: Run, options: Options, detector: str, metric: str) -> list[Grid]:
    """Return a detector's heatmaps, with its name in the titles: a figure is read without the page around it."""
    known, label = DETECTORS[detector], OOD_METRICS[metric].label
    of = "" if known.label == label else f" ({known.label[0].lower()}{known.label[1:]})"
    found = distribution(run, options.detection)
    return [replace(grid, title=grid.title + of) for grid in run_grids.judged(found, detector, metric)]


def _cell(run: Run, options: Options, item: str) -> tuple[str, str]:
    if options.cell is None:
        raise StitchLabError(f"{item}: expected a front and an end layer, got none; name them (--cell FRONT:END)")
    return options.cell


def _scores(run: Run, options: Options, detector: str) -> Panel:
    i, j = _cell(run, options, f"{SCORES}/{detector}")
    found = distribution(run, options.detection)
    native = found.arrays(detector, NATIVE, "", j)
    by_set: dict[str, Array] = {
        name: kept["scores"] for name in run.request.methods if "scores" in (kept := found.arrays(detector, name, i, j))
    }
    if "scores" not in native or not by_set:
        why = found.reason(detector, NATIVE, "", j)
        raise StitchLabError(
            f"{DETECTORS[detector].label} has no scores for {i} → {j}"
            + (f": {why}" if why else f" yet; `ood {run.id} --cells {i}:{j}` computes them")
        )
    by_set = {"native": native["scores"], **by_set, "outliers": native["outliers.scores"]}
    return Panel(curves.scores(by_set, DETECTORS[detector].label, f"{i} → {j}"), f"{SCORES}/{detector}", run)


def _walk(run: Run, options: Options) -> list[Panel]:
    i, j = _cell(run, options, TRAJECTORY)
    kept = trajectory.kept(run, i, j)
    if kept is None:
        raise StitchLabError(
            f"TLM's epochs in {i} → {j} are not computed; the page Activations computes them, or choose one of "
            + ", ".join(":".join(cell) for cell in walks(run))
        )
    return [Panel(drawn, TRAJECTORY, run) for drawn in curves.trajectory(kept[0], run.own_accuracy, f"{i} → {j}")]


def _on_same_ranges(made: list[Panel]) -> list[Panel]:
    """Give panels of the same quantity the same colour range, whichever runs they are of."""
    ends: dict[str, tuple[float, float]] = {}
    for panel in made:
        if isinstance(grid := panel.draws, Grid):
            low, high = ends.get(panel.quantity, (grid.low, grid.high))
            ends[panel.quantity] = min(low, grid.low), max(high, grid.high)
    return [
        replace(panel, draws=replace(panel.draws, low=ends[panel.quantity][0], high=ends[panel.quantity][1]))
        if isinstance(panel.draws, Grid)
        else panel
        for panel in made
    ]

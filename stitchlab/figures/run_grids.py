"""Makes the heatmaps of a run: a quantity of both methods on one colour range, their difference, indices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import METHOD_LABELS, METRICS
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.figures.grid import Grid, number
from stitchlab.figures.ranges import Values, shared_range
from stitchlab.request import Method
from stitchlab.results import chance
from stitchlab.results.definitions import remark
from stitchlab.results.detection import DetectionResults
from stitchlab.results.recipe import words
from stitchlab.results.run import Run

SHOWN_INDICES = "indices"  # what is shown instead of a metric
CALIBRATED = "calibrated"  # the same, by what permuted images say
ABOUT_INDICES = (
    "Each index on its own scale. CKA compares images by images, all positions flattened; PWCCA and Procrustes compare "
    "channels, averaged over positions. They see different things. For unrelated layers debiased CKA is about 0; CKA "
    "is not."
)
ABOUT_CALIBRATED = (
    "Images were permuted {} times to see what each index says by chance: 0 is the bound that 95 % of those stay "
    "within, 1 a copy. All on one scale, higher = more similar."
)


def stitched(run: Run, metric: str) -> list[Grid]:
    """Return the heatmaps of TLM and DM, if the run has them, on one colour range; a range of -1..1 is centred on 0."""
    matrices = {method: run.matrix(method, metric) for method in run.request.methods}
    if not matrices:
        return []
    known = METRICS[metric]
    low, high = shared_range(list(matrices.values()), known.low, known.high)
    return [
        _grid(
            run,
            values,
            f"{METHOD_LABELS[method]}: {known.label.lower()}",
            _recipe(run, method),
            low,
            high,
            known.better,
            diverging=known.low < 0,
        )
        for method, values in matrices.items()
    ]


def difference(run: Run, metric: str) -> list[Grid]:
    """Return TLM − DM, red where TLM calls the layers more similar; nothing where the run has only one of them.

    Colours are centred on 0, and of a quantity that has an upper end they go to that in every run.
    """
    if set(run.request.methods) != set(METHOD_LABELS):
        return []
    known = METRICS[metric]
    values = run.matrix("tlm", metric) - run.matrix("dm", metric)
    _, high = shared_range([np.abs(values)], 0.0, known.high)
    title = f"TLM − DM: {known.label.lower()}"
    subtitle = (
        f"red: TLM calls it more similar, blue: DM does · colours from {number(-high or -1.0)} to "
        f"{number(high or 1.0)} · {_recipe(run, 'tlm')}"
    )
    grid = _grid(run, values, title, subtitle, -high or -1.0, high or 1.0, diverging=True)
    return [replace(grid, red_low=known.better == "lower")]


def indices(run: Run) -> list[Grid]:
    """Return a heatmap for each similarity index, on its own range; a range of -1..1 is centred on 0."""
    grids = []
    for name in run.request.indices:
        index = INDICES[name]
        subtitle = f"{index.metric}: {index.better} = more similar"
        if index.needs == "paper":
            subtitle += " · cells of equal shape are on another scale"
        grid = _grid(
            run,
            run.matrix(name, index.metric),
            index.label,
            _remarked(run, name, subtitle),
            index.low,
            index.high,
            index.better,
            diverging=index.low < 0,
        )
        grids.append(_with_chance(run, name, grid, "null95", "calibrated", "p"))
    return grids


def calibrated(run: Run) -> list[Grid]:
    """Return each index that has a null: 0 is the 95 % bound of permuted images, 1 a copy; all on one scale."""
    names = with_null(run)
    matrices = [run.matrix(name, "calibrated") for name in names]
    low, high = shared_range(matrices, 0.0, 1.0) if matrices else (0.0, 1.0)
    most = max(high, -low) if low < 0 else 0.0  # then colours are centred on 0
    grids = []
    for name, values in zip(names, matrices, strict=True):
        index = INDICES[name]
        subtitle = f"0: bound of {run.request.null} permutations, 1: a copy"
        grid = _grid(
            run,
            values,
            f"{index.label}, calibrated",
            _remarked(run, name, subtitle),
            -most,
            most or high,
            "higher",
            diverging=most > 0,
        )
        grids.append(_with_chance(run, name, grid, index.metric, "null95", "p"))
    return grids


def with_null(run: Run) -> list[str]:
    """List the indices of a run that are compared with permuted images."""
    return [name for name in run.request.indices if INDICES[name].permutable] if run.request.null else []


def _with_chance(run: Run, name: str, grid: Grid, *beside: str) -> Grid:
    """Add hollow stars and further numbers to an index's heatmap, where permutations were asked for."""
    if name not in with_null(run):
        return grid
    called = {"null95": "95 % of chance", "p": "p", "calibrated": "calibrated"}
    return replace(
        grid,
        by_chance=chance.by_chance(run, name),
        beside=tuple((called.get(metric, metric), run.matrix(name, metric)) for metric in beside),
    )


def judged(found: DetectionResults, detector: str, metric: str) -> list[Grid]:
    """Return what a detector says about TLM and DM, on one colour range; † marks end layers where it is not believed.

    Fréchet ratios and shifts span powers of ten, so they are coloured by their logarithm.

    Args:
        found: what detectors say about the run's cells.
        detector: its name.
        metric: one of its metrics, such as ``auroc`` or ``ratio``.
    """
    run, known, label = found.run, OOD_METRICS[metric], DETECTORS[detector].label
    matrices = {method: found.matrix(detector, method, metric) for method in run.request.methods}
    log = known.high is None
    low, high = _log_range(list(matrices.values())) if log else (known.low or 0.0, known.high or 1.0)
    doubtful = tuple(j for j in run.request.end_layers if found.reliability(detector, j).holds is False)
    return [
        replace(
            _grid(
                run, values, f"{METHOD_LABELS[method]}: {known.label}", f"{label} · {_recipe(run, method)}", low, high
            ),
            log=log,
            doubtful=doubtful,
        )
        for method, values in matrices.items()
    ]


def _log_range(matrices: list[Values]) -> tuple[float, float]:
    known = np.concatenate([np.ravel(v) for v in matrices])
    known = known[known > 0]
    return (float(known.min()), max(float(known.max()), float(known.min()) * 1.01)) if known.size else (0.1, 1.0)


def _recipe(run: Run, method: Method) -> str:
    of_dm = f"least squares on {run.request.dm.images} training images"
    return _remarked(run, method, words(run) if method == "tlm" else of_dm)


def _remarked(run: Run, name: str, said: str) -> str:
    return " · ".join(filter(None, (said, remark(run.request, name))))


def _grid(
    run: Run,
    values: Values,
    title: str,
    subtitle: str,
    low: float,
    high: float,
    better: str = "",
    diverging: bool = False,
) -> Grid:
    return Grid(
        title=title,
        subtitle=subtitle,
        values=values,
        low=low,
        high=high,
        better=better,
        diverging=diverging,
        front_layers=run.request.front_layers,
        end_layers=run.request.end_layers,
        front=run.record["front"]["name"],
        end=run.record["end"]["name"],
    )

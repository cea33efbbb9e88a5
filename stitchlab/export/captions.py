"""Writes captions that can be read by themselves, and notes under a figure without one: plain text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.indices import INDICES, ROWS
from stitchlab.catalog.methods import FUNCTIONAL, METRICS
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.catalog.outliers import DATA, OUTLIERS
from stitchlab.export.options import Options
from stitchlab.export.shown import CHANGE, DIFFERENCE, REVERSE, SCORES, SPREAD, TRAJECTORY, Panel, distribution, panels
from stitchlab.figures.curves import Curves
from stitchlab.figures.grid import Grid
from stitchlab.figures.layer_names import shorten
from stitchlab.results import data_sets
from stitchlab.results.definitions import changed, listed, remark
from stitchlab.results.recipe import words
from stitchlab.results.run import Run
from stitchlab.results.version import VERSION
from stitchlab.results.why_empty import BEFORE


def heading(run: Run, options: Options) -> str:
    """Return the title above a figure; empty where none was wanted."""
    return run.title if options.title is None else options.title.strip()


def letter(options: Options, k: int) -> str:
    """Return what stands before the title of panel k: ``(a) ``, or nothing where panels are not lettered.

    >>> letter(Options(letters=True), 27), letter(Options(), 0)
    ('(ab) ', '')
    """
    digits = ""
    while k >= 0:
        digits, k = chr(ord("a") + k % 26) + digits, k // 26 - 1
    return f"({digits}) " if options.letters else ""


def caption(run: Run, options: Options, *, table: bool = False) -> str:
    """Write a caption that says all that is needed to understand a figure of a run, or a table of the same.

    Args:
        run: what it is of.
        options: what is shown, and how.
        table: whether the caption is of a table, which has no colours.

    Raises UnknownName for what this run does not have, and StitchLabError as `stitchlab.export.shown.panels`.
    """
    shown = panels(run, options)
    named = "; ".join(f"{letter(options, k)}{_titled(panel)}" for k, panel in enumerate(shown))
    runs = _runs(run, options, shown)
    parts = [
        f"{run.title}: {named}.",
        *_meanings(shown, options, table),
        _directions(run, shown),
        _images(run),
        *_methods(run, shown),
        _alone(run),
        *_marks(shown, table),
        _several(options, shown, runs),
        *map(_unfinished, runs),
        *_older(shown),
        *map(_origin, runs),
    ]
    return " ".join(filter(None, parts))


def notes(shown: Sequence[Panel]) -> str:
    """Write what has to stand beside a figure without a caption: recipes, and what marks mean."""
    return " ".join([*_methods(shown[0].run, shown), *_marks(shown)])


def _titled(panel: Panel) -> str:
    """Say within a sentence what a panel shows."""
    drawn = panel.draws
    return f"{drawn.title}, {drawn.subtitle}" if isinstance(drawn, Curves) else drawn.title


def _meanings(shown: Sequence[Panel], options: Options, table: bool) -> list[str]:
    """Explain each number, once."""
    said = [meaning for panel in shown for meaning in _meaning(panel.item.rpartition(":")[2], panel, options)]
    for panel in shown:
        last = panel.item.rpartition("/")[2]
        if f"{DIFFERENCE}/" in panel.item and not panel.item.startswith(SPREAD):
            signs = ("positive", "negative") if METRICS[last].better == "higher" else ("negative", "positive")
            more, less = signs if table else ("red", "blue")
            said.append(
                f"TLM − DM: {more} where task loss matching calls the layers more similar, {less} where direct "
                "matching does."
            )
    return list(dict.fromkeys(said))


def _meaning(item: str, panel: Panel, options: Options) -> list[str]:
    last = item.rpartition("/")[2]
    if item == TRAJECTORY:
        return ["Epoch 0 is the map before training."]
    if item.startswith(f"{SCORES}/"):
        detector = DETECTORS[last]
        return [
            f"{detector.label} ({detector.reference}): {detector.meaning}; the axis is stretched (asinh); known "
            f"outliers: {_outliers(panel, options)}."
        ]
    if item.startswith(f"{DIFFERENCE}/"):
        return [_of_metric(last)]
    if panel.index and panel.quantity != panel.index:
        index = INDICES[panel.index]
        return [
            f"{index.label} ({index.reference}), calibrated by {panel.run.request.null} permutations of images: 0 "
            "at the bound that 95 % of them stay within, 1 for a copy."
        ]
    if panel.index:
        index = INDICES[panel.index]
        rows = "" if remark(panel.run.request, index.name) else f"; rows: {ROWS[index.needs]}"
        return [f"{index.label} ({index.reference}): {index.metric}, {index.better} is more similar{rows}."]
    if last in OOD_METRICS and panel.quantity not in METRICS:
        label = DETECTORS[panel.quantity.partition("/")[0]].label
        metric = OOD_METRICS[last]
        of = "" if label == metric.label else f" by {label.lower()}"
        return [f"{metric.label}{of}: {metric.meaning}; known outliers: {_outliers(panel, options)}."]
    return [_of_metric(last)]


def _of_metric(name: str) -> str:
    metric = METRICS[name]
    return f"{metric.label}: {metric.meaning}; {metric.better} is more similar."


def _outliers(panel: Panel, options: Options) -> str:
    """Name the known outliers of a panel: a made kind, or another data set."""
    kind = distribution(panel.run, options.detection).detection.outliers
    if kind in OUTLIERS:
        return OUTLIERS[kind].label.lower()
    data = data_sets.of_fingerprint(panel.run.store, kind.removeprefix(DATA))
    return f"data {kind.removeprefix(DATA)[:16]}" if data is None else data.label


def _directions(run: Run, shown: Sequence[Panel]) -> str:
    """Say which network is where in heatmaps."""
    if not any(isinstance(panel.draws, Grid) for panel in shown):
        return ""
    front, end = (f"{run.record[side]['name']} ({run.record[side]['architecture']})" for side in ("front", "end"))
    text = (
        f"Rows: front layers of {front}; columns: end layers of {end}, both in network order (front → end: the "
        "stitched network runs the front network up to its layer, then the stitch, then the end network)."
    )
    turned = any(panel.item.startswith(f"{REVERSE}:") for panel in shown)
    return text + (" In panels of the opposite direction the networks have changed places." if turned else "")


def _images(run: Run) -> str:
    request, data = run.request, run.record["data"]
    test = data["test"]
    of = "all" if request.eval_images == test else f"the first {request.eval_images:,} of"
    return f"Evaluated on {of} {test:,} test images of {data['label']}; seed {request.seed}."


def _methods(run: Run, shown: Sequence[Panel]) -> list[str]:
    """Say how the methods that are shown were fitted; indices alone need no such sentence."""
    request, train = run.request, run.record["data"]["train"]
    stitched = [panel for panel in shown if not panel.index]
    both = any(not panel.method for panel in stitched)
    said = []
    if "tlm" in request.methods and stitched and (both or any(panel.method == "tlm" for panel in stitched)):
        images = "" if request.tlm.images else f", all {train:,} training images"
        of = f" of {train:,}" if request.tlm.images else ""
        said.append(f"TLM (task loss matching): {words(run)}{of}{images}.")
    if "dm" in request.methods and stitched and (both or any(panel.method == "dm" for panel in stitched)):
        said.append(f"DM (direct matching): least squares on {request.dm.images:,} un-augmented training images.")
    return said


def _alone(run: Run) -> str:
    own = run.own_accuracy
    return "" if own is None else f"The end network alone: accuracy {own:.3f}."


def _marks(shown: Sequence[Panel], table: bool = False) -> list[str]:
    """Say what stars, daggers and grey mean, or what stands for them in a table, where there are any."""
    grids = [panel.draws for panel in shown if isinstance(panel.draws, Grid)]
    said = []
    if any(grid.better and not np.isnan(grid.values).all() for grid in grids):
        said.append(f"{'Bold' if table else '★'}: most similar of its column.")
    if any(grid.by_chance for grid in grids) and not table:
        said.append(
            "Hollow ★: the best of that column is no better than the best of permuted images (p ≥ .05, Holm's "
            "correction over the columns)."
        )
    if any(grid.doubtful for grid in grids):
        said.append(f"†{'' if table else ', pale'}: the detector does not deserve belief at that end layer.")
    if any(np.isnan(grid.values).any() for grid in grids):
        said.append(f"{'–' if table else 'Grey'}: not computed yet, or undefined.")
    elided = list(
        dict.fromkeys(
            short
            for grid in grids
            for layers in (grid.front_layers, grid.end_layers)
            if (short := shorten(layers).elided)
        )
    )
    said += [f"In names of layers, … is “{'” or “'.join(elided)}”."] if elided else []
    return said


def _runs(run: Run, options: Options, shown: Sequence[Panel]) -> list[Run]:
    """List all runs whose numbers are in a figure."""
    others = options.others if any(panel.of_runs for panel in shown) else ()
    return list({one.id: one for one in (run, *(panel.run for panel in shown), *others)}.values())


def _several(options: Options, shown: Sequence[Panel], runs: Sequence[Run]) -> str:
    if not any(panel.of_runs for panel in shown):
        return ""
    if all(panel.item.startswith(f"{CHANGE}:") for panel in shown if panel.of_runs):
        return (
            "Red where the second run calls the layers more similar, blue where the first does, on the layers that "
            f"both have: {runs[0].title}, run {runs[0].id}, and {options.others[0].title}, run "
            f"{options.others[0].id}."
        )
    return (
        f"Means and standard deviations (n − 1) are over {1 + len(options.others)} runs ("
        f"{', '.join(one.title for one in (runs[0], *options.others))}), on the layers that they have in common; a "
        "cell that one of them lacks is grey."
    )


def _unfinished(run: Run) -> str:
    earlier = changed(run.request)
    said = [f"Unfinished: {len(run.cells):,} of {run.total:,} results are there."] if not run.complete else []
    return " ".join([*said, *([f"Earlier definitions: {listed(earlier)}."] if earlier else [])])


def _older(shown: Sequence[Panel]) -> list[str]:
    """Say which of the shown metrics some cells lack, since those were computed before the metrics were introduced."""
    labels = [METRICS[last].label for panel in shown if (last := panel.item.rpartition("/")[2]) in FUNCTIONAL]
    older = {panel.run.id: len(panel.run.older) for panel in shown} if labels else {}
    said = ", ".join(dict.fromkeys(labels))
    return [f"{said}: {count:,} stitched cells of run {name} were {BEFORE}." for name, count in older.items() if count]


def _origin(run: Run) -> str:
    """Say which run it is, and where its numbers come from."""
    source = run.source
    if source is None:
        return f"StitchLab {VERSION}, run {run.id or '(draft)'}."
    where = "StitchLab's gallery" if source.gallery else "somebody's file"
    return f"StitchLab {source.maker}, run {run.id}, read from {source.file} ({where}, made {source.made[:10]})."

"""Writes captions that stand by themselves, and the notes under a figure without a caption, as plain text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.indices import INDICES, ROWS
from stitchlab.catalog.methods import FUNCTIONAL, METRICS
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.catalog.outliers import DATA, OUTLIERS
from stitchlab.export.options import Options
from stitchlab.export.shown import (
    CHANGE,
    DIFFERENCE,
    REVERSE,
    SCORES,
    SPREAD,
    TRAJECTORY,
    Panel,
    detection_results,
    panels,
)
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
    """Return the title above a figure; empty if the options ask for none."""
    return run.title if options.title is None else options.title.strip()


def letter(options: Options, k: int) -> str:
    """Return the letter before the title of panel k, such as ``(a) ``; empty if panels are not lettered.

    >>> letter(Options(letters=True), 27), letter(Options(), 0)
    ('(ab) ', '')
    """
    letters = ""
    while k >= 0:
        letters, k = chr(ord("a") + k % 26) + letters, k // 26 - 1
    return f"({letters}) " if options.letters else ""


def caption(run: Run, options: Options, *, table: bool = False) -> str:
    """Write a caption that says all that a reader needs to understand a figure or a table of a run.

    Args:
        run: the run that the figure shows.
        options: what is shown, and how.
        table: whether the caption belongs to a table, which has no colours.

    Raises UnknownName and StitchLabError as `stitchlab.export.shown.panels`.
    """
    shown = panels(run, options)
    titles = "; ".join(f"{letter(options, k)}{_title_of(panel)}" for k, panel in enumerate(shown))
    runs = _runs(run, options, shown)
    parts = [
        f"{run.title}: {titles}.",
        *_meanings(shown, options, table),
        _directions(run, shown),
        _images(run),
        *_methods(run, shown),
        _own_accuracy(run),
        *_marks(shown, table),
        _combined_runs(options, shown, runs),
        *map(_unfinished, runs),
        *_cells_without_metrics(shown),
        *map(_origin, runs),
    ]
    return " ".join(filter(None, parts))


def notes(shown: Sequence[Panel]) -> str:
    """Write what a figure without a caption cannot do without: the recipes, and what its marks mean."""
    return " ".join([*_methods(shown[0].run, shown), *_marks(shown)])


def _title_of(panel: Panel) -> str:
    """Name within a sentence what a panel shows."""
    content = panel.content
    return f"{content.title}, {content.subtitle}" if isinstance(content, Curves) else content.title


def _meanings(shown: Sequence[Panel], options: Options, table: bool) -> list[str]:
    """Explain each number, once."""
    meanings = [meaning for panel in shown for meaning in _meaning(panel.item.rpartition(":")[2], panel, options)]
    for panel in shown:
        metric = panel.item.rpartition("/")[2]
        if f"{DIFFERENCE}/" in panel.item and not panel.item.startswith(SPREAD):
            signs = ("positive", "negative") if METRICS[metric].better == "higher" else ("negative", "positive")
            more, less = signs if table else ("red", "blue")
            meanings.append(
                f"TLM − DM: {more} where task loss matching rates the layers as more similar, {less} where direct "
                "matching does."
            )
    return list(dict.fromkeys(meanings))


def _meaning(item: str, panel: Panel, options: Options) -> list[str]:
    name = item.rpartition("/")[2]
    if item == TRAJECTORY:
        return ["Epoch 0 is the map before training."]
    if item.startswith(f"{SCORES}/"):
        detector = DETECTORS[name]
        return [
            f"{detector.label} ({detector.reference}): {detector.meaning}; the axis is stretched (asinh); known "
            f"outliers: {_outliers(panel, options)}."
        ]
    if item.startswith(f"{DIFFERENCE}/"):
        return [_metric_meaning(name)]
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
    if name in OOD_METRICS and panel.quantity not in METRICS:
        label = DETECTORS[panel.quantity.partition("/")[0]].label
        metric = OOD_METRICS[name]
        by_detector = "" if label == metric.label else f" by {label.lower()}"
        return [f"{metric.label}{by_detector}: {metric.meaning}; known outliers: {_outliers(panel, options)}."]
    return [_metric_meaning(name)]


def _metric_meaning(name: str) -> str:
    metric = METRICS[name]
    return f"{metric.label}: {metric.meaning}; {metric.better} is more similar."


def _outliers(panel: Panel, options: Options) -> str:
    """Name the known outliers of a panel: a synthetic kind, or another data set."""
    kind = detection_results(panel.run, options.detection).detection.outliers
    if kind in OUTLIERS:
        return OUTLIERS[kind].label.lower()
    data = data_sets.of_fingerprint(panel.run.store, kind.removeprefix(DATA))
    return f"data {kind.removeprefix(DATA)[:16]}" if data is None else data.label


def _directions(run: Run, shown: Sequence[Panel]) -> str:
    """Say which network is in the rows of heatmaps, and which in the columns."""
    if not any(isinstance(panel.content, Grid) for panel in shown):
        return ""
    front, end = (f"{run.record[side]['name']} ({run.record[side]['architecture']})" for side in ("front", "end"))
    text = (
        f"Rows: front layers of {front}; columns: end layers of {end}, both in network order (front → end: the "
        "stitched network runs the front network up to its layer, then the stitch, then the end network)."
    )
    swapped = any(panel.item.startswith(f"{REVERSE}:") for panel in shown)
    return text + (" In panels of the opposite direction the two networks are swapped." if swapped else "")


def _images(run: Run) -> str:
    request, data = run.request, run.record["data"]
    test = data["test"]
    share = "all" if request.eval_images == test else f"the first {request.eval_images:,} of"
    return f"Evaluated on {share} {test:,} test images of {data['label']}; seed {request.seed}."


def _methods(run: Run, shown: Sequence[Panel]) -> list[str]:
    """Say how the stitches of the shown methods were fitted; nothing if only indices are shown."""
    request, train = run.request, run.record["data"]["train"]
    stitched = [panel for panel in shown if not panel.index]
    both = any(not panel.method for panel in stitched)
    sentences = []
    if "tlm" in request.methods and stitched and (both or any(panel.method == "tlm" for panel in stitched)):
        images = f" of {train:,}" if request.tlm.images else f", all {train:,} training images"
        sentences.append(f"TLM (task loss matching): {words(run)}{images}.")
    if "dm" in request.methods and stitched and (both or any(panel.method == "dm" for panel in stitched)):
        sentences.append(f"DM (direct matching): least squares on {request.dm.images:,} un-augmented training images.")
    return sentences


def _own_accuracy(run: Run) -> str:
    own = run.own_accuracy
    return "" if own is None else f"The end network alone: accuracy {own:.3f}."


def _marks(shown: Sequence[Panel], table: bool = False) -> list[str]:
    """Say what stars, daggers and grey cells mean in a figure, or bold numbers, daggers and dashes in a table."""
    grids = [panel.content for panel in shown if isinstance(panel.content, Grid)]
    sentences = []
    if any(grid.better and not np.isnan(grid.values).all() for grid in grids):
        sentences.append(f"{'Bold' if table else '★'}: most similar of its column.")
    if any(grid.by_chance for grid in grids) and not table:
        sentences.append(
            "Hollow ★: the best of that column is no better than the best of permuted images (p ≥ .05, Holm's "
            "correction over the columns)."
        )
    if any(grid.doubtful for grid in grids):
        sentences.append(f"†{'' if table else ', pale'}: the detector is not believed at that end layer.")
    if any(np.isnan(grid.values).any() for grid in grids):
        sentences.append(f"{'–' if table else 'Grey'}: not computed yet, or undefined.")
    elided = list(
        dict.fromkeys(
            short
            for grid in grids
            for layers in (grid.front_layers, grid.end_layers)
            if (short := shorten(layers).elided)
        )
    )
    sentences += [f"In names of layers, … is “{'” or “'.join(elided)}”."] if elided else []
    return sentences


def _runs(run: Run, options: Options, shown: Sequence[Panel]) -> list[Run]:
    """List all runs whose numbers are in a figure."""
    others = options.others if any(panel.combines_runs for panel in shown) else ()
    return list({each.id: each for each in (run, *(panel.run for panel in shown), *others)}.values())


def _combined_runs(options: Options, shown: Sequence[Panel], runs: Sequence[Run]) -> str:
    if not any(panel.combines_runs for panel in shown):
        return ""
    if all(panel.item.startswith(f"{CHANGE}:") for panel in shown if panel.combines_runs):
        return (
            "Red where the second run rates the layers as more similar, blue where the first does, on the layers that "
            f"both have: {runs[0].title}, run {runs[0].id}, and {options.others[0].title}, run "
            f"{options.others[0].id}."
        )
    return (
        f"Means and standard deviations (n − 1) are over {1 + len(options.others)} runs ("
        f"{', '.join(each.title for each in (runs[0], *options.others))}), on the layers that they have in common; a "
        "cell that is missing from one of them is grey."
    )


def _unfinished(run: Run) -> str:
    earlier = changed(run.request)
    missing = [f"Unfinished: {len(run.cells):,} of {run.total:,} results are computed."] if not run.complete else []
    return " ".join([*missing, *([f"Earlier definitions: {listed(earlier)}."] if earlier else [])])


def _cells_without_metrics(shown: Sequence[Panel]) -> list[str]:
    """Say how many cells lack a metric that is shown, since they were computed before it was introduced."""
    labels = [METRICS[name].label for panel in shown if (name := panel.item.rpartition("/")[2]) in FUNCTIONAL]
    older_cells = {panel.run.id: len(panel.run.without_functional) for panel in shown} if labels else {}
    metrics = ", ".join(dict.fromkeys(labels))
    return [
        f"{metrics}: {count:,} stitched cells of run {run_id} were {BEFORE}."
        for run_id, count in older_cells.items()
        if count
    ]


def _origin(run: Run) -> str:
    """Name the run, and the file that its numbers were read from, if any."""
    source = run.source
    if source is None:
        return f"StitchLab {VERSION}, run {run.id or '(draft)'}."
    kind = "StitchLab's gallery" if source.gallery else "an opened file"
    return f"StitchLab {source.maker}, run {run.id}, read from {source.file} ({kind}, made {source.made[:10]})."

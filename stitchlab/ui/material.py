"""Gets what the views show: statistics from the store, by set; images and activations from the pages' worker.

Of an opened file they come from its samples, or a line says that it has none: no worker is asked.
"""

from __future__ import annotations

import numpy as np

from stitchlab import ui
from stitchlab.jobs import Jobs
from stitchlab.results import samples
from stitchlab.results.detection import NATIVE, OUTLIERS, STATISTICS, DetectionResults
from stitchlab.results.run import Run
from stitchlab.store import Array
from stitchlab.ui import opened
from stitchlab.ui.asking import answered
from stitchlab.ui.pictures import pictures

LABELS = "labels"  # of the evaluation images, beside the native statistics


def statistics(found: DetectionResults, i: str, j: str) -> dict[str, dict[str, Array]]:
    """Read the statistics of each set of activations.

    Args:
        found: what detectors say about the run's cells.
        i, j: front layer and end layer of the cell.

    Returns: by set (native, the methods, known outliers) and statistic; empty until the native ones are there.
    """
    kept = found.arrays(STATISTICS, NATIVE, "", j)
    prefix = f"{OUTLIERS}."
    sets = {"native": {name: value for name, value in kept.items() if not name.startswith((prefix, LABELS))}}
    for method in found.run.request.methods:
        sets[method] = found.arrays(STATISTICS, method, i, j)
    sets["outliers"] = {name.removeprefix(prefix): value for name, value in kept.items() if name.startswith(prefix)}
    return {name: values for name, values in sets.items() if values} if kept else {}


def activations(jobs: Jobs, run: Run, image: int, i: str, j: str) -> dict[str, Array] | None:
    """Return one image's activations at the end layer.

    Args:
        jobs: the queue, which asks a worker.
        run: whose networks make them.
        image: place of the test image, from 0.
        i, j: front layer and end layer of the cell.

    Returns: (C, H, W) by set, native and the methods, NaN where a file lacks a channel; None until they are there.
    """
    if run.source:
        return _sampled(run, image, i, j)
    # How many cells are there is part of the question, since more may come.
    made: dict[str, Array] | None = answered(
        jobs, "feature_maps", run, image, i, j, len(run.cells), what=f"the feature maps of test image {image}"
    )
    return made


def channels(run: Run, i: str, j: str, count: int) -> list[int]:
    """List the channels whose maps can be shown: all; of an opened file those of its sample.

    Args:
        run: whose cell it is.
        i, j: front layer and end layer of the cell.
        count: how many channels the end layer has.
    """
    kept = samples.kept(run, i, j) if run.source else None
    return list(range(count)) if kept is None else sorted(map(int, kept["channels"]))


def _sampled(run: Run, image: int, i: str, j: str) -> dict[str, Array] | None:
    """Read one image's activations from the sample of a file; what it does not hold is NaN."""
    kept = samples.kept(run, i, j)
    if kept is None or image >= len(kept["images"]):
        there = samples.there(run)
        opened.lacks(
            run,
            "the feature maps of this cell and image"
            + (
                f" (it has those of the first {samples.IMAGES} test images of {ui.literal(', '.join(there))})"
                if there
                else ""
            ),
        )
        return None
    made: dict[str, Array] = {}
    for name in (NATIVE, *run.request.methods):
        of = kept[name][image].astype(np.float32) * kept["scale"][0]
        made[name] = np.full((int(kept["channels"].max()) + 1, *of.shape[1:]), np.nan, np.float32)
        made[name][kept["channels"]] = of
    return made


def labels(jobs: Jobs, found: DetectionResults, j: str) -> Array | None:
    """Return the labels of all evaluation images: kept beside the native statistics, asked for where those are older.

    Args:
        jobs: the queue, which asks a worker.
        found: what detectors say about the run's cells.
        j: end layer, beside whose native statistics they are kept.

    Returns: (M,) class numbers; None, with a line on the page, until they are there.
    """
    kept = found.arrays(STATISTICS, NATIVE, "", j)
    if LABELS in kept:
        return kept[LABELS]
    if found.run.source:
        opened.lacks(found.run, "the labels of the test images")
        return None
    asked: Array | None = answered(jobs, "evaluation_labels", found.run, what="the labels of the test images")
    return asked


def images(jobs: Jobs, run: Run, places: list[int]) -> tuple[Array, Array] | None:
    """Return evaluation images and their labels.

    Args:
        jobs: the queue, which asks a worker.
        run: whose images they are.
        places: of the images among the test images, from 0.

    Returns: uint8 (n, H, W, C) or grey (n, H, W), and labels (n,); None, with a line on the page, until they are there.
    """
    if run.source:
        there = samples.images(run)
        if there is not None and all(place < len(there[0]) for place in places):
            return there[0][places], there[1][places]
        opened.lacks(run, f"test image {', '.join(map(str, places))}")
        return None
    asked: tuple[Array, Array] | None = answered(jobs, "evaluation_images", run, places, what="test images")
    return asked


def image(jobs: Jobs, run: Run, place: int) -> None:
    """Draw one evaluation image with its label.

    Args:
        jobs: the queue, which asks a worker.
        run: whose image it is.
        place: of the image among the test images, from 0.
    """
    asked = images(jobs, run, [place])
    if asked is not None and len(asked[0]):
        name = run.record["data"]["classes"][asked[1][0]]
        said = f"test image {place}: {name}"
        pictures(asked[0], [said], [said], width=140)

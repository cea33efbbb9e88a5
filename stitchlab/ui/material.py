"""What the views show: statistics out of the store, by set; images and activations from the pages' worker.

Of an opened file they come from its samples, or a line says that it has none: nobody is asked.
"""

from __future__ import annotations

import numpy as np

from stitchlab import ui
from stitchlab.jobs import Jobs
from stitchlab.results import samples
from stitchlab.results.detection import NATIVE, OUTLIERS, STATISTICS, Distribution
from stitchlab.results.run import Run
from stitchlab.store import Array
from stitchlab.ui import opened
from stitchlab.ui.asking import answered
from stitchlab.ui.pictures import pictures

LABELS = "labels"  # of the evaluation images, beside the native statistics


def statistics(found: Distribution, i: str, j: str) -> dict[str, dict[str, Array]]:
    """Read the statistics of each set: native, the methods, known outliers; none before native is there."""
    kept = found.arrays(STATISTICS, NATIVE, "", j)
    prefix = f"{OUTLIERS}."
    sets = {"native": {name: value for name, value in kept.items() if not name.startswith((prefix, LABELS))}}
    for method in found.run.request.methods:
        sets[method] = found.arrays(STATISTICS, method, i, j)
    sets["outliers"] = {name.removeprefix(prefix): value for name, value in kept.items() if name.startswith(prefix)}
    return {name: values for name, values in sets.items() if values} if kept else {}


def activations(jobs: Jobs, run: Run, image: int, i: str, j: str) -> dict[str, Array] | None:
    """One image's activations by set, (C, H, W); None while the answer is on its way."""
    if run.source:
        return _sampled(run, image, i, j)
    # How many cells are there is part of the question, since more may come.
    made: dict[str, Array] | None = answered(jobs, "feature_maps", run, image, i, j, len(run.cells),
                                             what=f"the feature maps of test image {image}")
    return made


def channels(run: Run, i: str, j: str, count: int) -> list[int]:
    """List the channels, of so many, whose maps can be shown: all; of an opened file those of its sample."""
    kept = samples.kept(run, i, j) if run.source else None
    return list(range(count)) if kept is None else sorted(map(int, kept["channels"]))


def _sampled(run: Run, image: int, i: str, j: str) -> dict[str, Array] | None:
    """One image's activations out of the sample of a file; what it does not hold is NaN."""
    kept = samples.kept(run, i, j)
    if kept is None or image >= len(kept["images"]):
        there = samples.there(run)
        opened.lacks(run, "the feature maps of this cell and image" + (
            f" (it has those of the first {samples.IMAGES} test images of {ui.literal(', '.join(there))})" if there
            else ""))
        return None
    made = {}
    for name in (NATIVE, *run.request.methods):
        of = kept[name][image].astype(np.float32) * kept["scale"][0]
        made[name] = np.full((int(kept["channels"].max()) + 1, *of.shape[1:]), np.nan, np.float32)
        made[name][kept["channels"]] = of
    return made


def labels(jobs: Jobs, found: Distribution, j: str) -> Array | None:
    """Labels (M,) of all evaluation images: kept beside the native statistics, asked for where those are older."""
    kept = found.arrays(STATISTICS, NATIVE, "", j)
    if LABELS in kept:
        return kept[LABELS]
    if found.run.source:
        opened.lacks(found.run, "the labels of the test images")
        return None
    asked: Array | None = answered(jobs, "evaluation_labels", found.run, what="the labels of the test images")
    return asked


def images(jobs: Jobs, run: Run, places: list[int]) -> tuple[Array, Array] | None:
    """Evaluation images uint8 (n, H, W, C) or grey (n, H, W), and labels (n,), by place; None before they come."""
    if run.source:
        there = samples.images(run)
        if there is not None and all(place < len(there[0]) for place in places):
            return there[0][places], there[1][places]
        opened.lacks(run, f"test image {', '.join(map(str, places))}")
        return None
    asked: tuple[Array, Array] | None = answered(jobs, "evaluation_images", run, places, what="test images")
    return asked


def image(jobs: Jobs, run: Run, place: int) -> None:
    """Draw one evaluation image with its label."""
    asked = images(jobs, run, [place])
    if asked is not None and len(asked[0]):
        name = run.record["data"]["classes"][asked[1][0]]
        said = f"test image {place}: {name}"
        pictures(asked[0], [said], [said], width=140)

"""Gets the data of the views: statistics from the store, by set; images and activations from the pages' worker.

For an opened file they come from its samples, without asking a worker; if it has none, a line says so.
"""

from __future__ import annotations

import numpy as np

from stitchlab import ui
from stitchlab.jobs import JobQueue
from stitchlab.results import samples
from stitchlab.results.detection import NATIVE, OUTLIERS, STATISTICS, DetectionResults
from stitchlab.results.run import Run
from stitchlab.store import Array
from stitchlab.ui import opened
from stitchlab.ui.asking import ask_worker
from stitchlab.ui.pictures import pictures

LABELS = "labels"  # name of the evaluation images' labels among the native statistics


def statistics(results: DetectionResults, i: str, j: str) -> dict[str, dict[str, Array]]:
    """Read the statistics of each set of activations.

    Args:
        results: results of the detectors on the run's cells.
        i, j: front layer and end layer of the cell.

    Returns: by set (native, the methods, known outliers) and statistic; empty until the native ones are there.
    """
    arrays = results.arrays(STATISTICS, NATIVE, "", j)
    prefix = f"{OUTLIERS}."
    sets = {"native": {name: value for name, value in arrays.items() if not name.startswith((prefix, LABELS))}}
    for method in results.run.request.methods:
        sets[method] = results.arrays(STATISTICS, method, i, j)
    sets["outliers"] = {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
    return {name: values for name, values in sets.items() if values} if arrays else {}


def activations(jobs: JobQueue, run: Run, image: int, i: str, j: str) -> dict[str, Array] | None:
    """Return one image's activations at the end layer.

    Args:
        jobs: the queue, which asks a worker.
        run: the run that has the networks.
        image: index of the test image, from 0.
        i, j: front layer and end layer of the cell.

    Returns: (C, H, W) by set: native and the methods; NaN where a file lacks a channel. None until they are available.
    """
    if run.source:
        return _sampled(run, image, i, j)
    # The number of cells is part of the question, so that it is asked again when cells were added.
    maps: dict[str, Array] | None = ask_worker(
        jobs, "feature_maps", run, image, i, j, len(run.cells), awaited=f"the feature maps of test image {image}"
    )
    return maps


def channels(run: Run, i: str, j: str, count: int) -> list[int]:
    """List the channels whose maps can be shown: all, or for an opened file those of its sample.

    Args:
        run: the run that has the cell.
        i, j: front layer and end layer of the cell.
        count: how many channels the end layer has.
    """
    sample = samples.kept(run, i, j) if run.source else None
    return list(range(count)) if sample is None else sorted(map(int, sample["channels"]))


def _sampled(run: Run, image: int, i: str, j: str) -> dict[str, Array] | None:
    """Read one image's activations from the sample of a file; channels that it lacks are NaN."""
    sample = samples.kept(run, i, j)
    if sample is None or image >= len(sample["images"]):
        sampled_cells = samples.sampled_cells(run)
        opened.show_missing(
            run,
            "the feature maps of this cell and image"
            + (
                f" (it has those of the first {samples.IMAGES} test images of {ui.literal(', '.join(sampled_cells))})"
                if sampled_cells
                else ""
            ),
        )
        return None
    maps: dict[str, Array] = {}
    for name in (NATIVE, *run.request.methods):
        channel_maps = sample[name][image].astype(np.float32) * sample["scale"][0]
        maps[name] = np.full((int(sample["channels"].max()) + 1, *channel_maps.shape[1:]), np.nan, np.float32)
        maps[name][sample["channels"]] = channel_maps
    return maps


def labels(jobs: JobQueue, results: DetectionResults, j: str) -> Array | None:
    """Return the labels of all evaluation images, from the native statistics, or from a worker if those are older.

    Args:
        jobs: the queue, which asks a worker.
        results: results of the detectors on the run's cells.
        j: the end layer whose native statistics hold them.

    Returns: (M,) class numbers; None, with a line on the page, until they are there.
    """
    arrays = results.arrays(STATISTICS, NATIVE, "", j)
    if LABELS in arrays:
        return arrays[LABELS]
    if results.run.source:
        opened.show_missing(results.run, "the labels of the test images")
        return None
    labels: Array | None = ask_worker(jobs, "evaluation_labels", results.run, awaited="the labels of the test images")
    return labels


def images(jobs: JobQueue, run: Run, places: list[int]) -> tuple[Array, Array] | None:
    """Return evaluation images and their labels.

    Args:
        jobs: the queue, which asks a worker.
        run: the run that was evaluated on them.
        places: indices of the images among the test images, from 0.

    Returns: uint8 (n, H, W, C) or grey (n, H, W), and labels (n,). None, with a line on the page, until they are there.
    """
    if run.source:
        sample = samples.images(run)
        if sample is not None and all(place < len(sample[0]) for place in places):
            return sample[0][places], sample[1][places]
        opened.show_missing(run, f"test image {', '.join(map(str, places))}")
        return None
    answer: tuple[Array, Array] | None = ask_worker(jobs, "evaluation_images", run, places, awaited="test images")
    return answer


def image(jobs: JobQueue, run: Run, place: int) -> None:
    """Draw one evaluation image with its label.

    Args:
        jobs: the queue, which asks a worker.
        run: the run that was evaluated on it.
        place: index of the image among the test images, from 0.
    """
    images_and_labels = images(jobs, run, [place])
    if images_and_labels is not None and len(images_and_labels[0]):
        name = run.record["data"]["classes"][images_and_labels[1][0]]
        caption = f"test image {place}: {name}"
        pictures(images_and_labels[0], [caption], [caption], width=140)

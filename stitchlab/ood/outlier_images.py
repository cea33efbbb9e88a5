"""Find the images of known outliers: made from the images of the comparison, or those of another data set."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from stitchlab.catalog.outliers import DATA
from stitchlab.data import registry as datasets
from stitchlab.data.splits import DataSet
from stitchlab.errors import StitchLabError
from stitchlab.ood.outliers import outliers
from stitchlab.results.detection import DetectionResults
from stitchlab.stitch.pair import Pair


def known_outlier_images(results: DetectionResults, pair: Pair, images: Tensor, size: int) -> Iterator[Tensor]:
    """Return known outliers batch by batch, as many as there are images.

    Args:
        results: name the kind of outliers, and the run with its seed.
        pair: its data and device.
        images: places of test images, from which outliers are made where they are not another data set's test images.
        size: images of a batch.

    Raises:
        StitchLabError: the other data set has images of another shape.
    """
    kind, seed = results.detection.outliers, results.run.request.seed
    if not kind.startswith(DATA):
        outlier_images = outliers(kind, pair.data.test.take(images)[0], seed)
        return iter(outlier_images.to(pair.device).split(pair.at_once(size)))
    data_set = outlier_data_set(kind, results, pair)
    order = data_set.test.order(seed)[: len(images)]
    return (batch for batch, _ in pair.batches(data_set.test, order, size))


def outlier_data_set(kind: str, results: DetectionResults, pair: Pair) -> DataSet:
    """Load the data set whose images are outliers.

    Args:
        kind: ``data:FINGERPRINT``.
        results: of the run, in whose store the data set is looked up.
        pair: its images have to have the same shape.

    Raises:
        StitchLabError: they have another shape.
    """
    data_set = datasets.load_by_fingerprint(kind.removeprefix(DATA), results.run.store)
    if data_set.shape != pair.data.shape:
        expected, got = ("×".join(map(str, shape)) for shape in (pair.data.shape, data_set.shape))
        raise StitchLabError(
            f"expected outliers of {expected}, like the images that the networks are compared on; {data_set.label} has "
            f"{got}: choose outliers that are made from the images, or another data set"
        )
    return data_set

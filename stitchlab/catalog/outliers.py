"""List the kinds of known outliers; `stitchlab.ood.outliers` makes each by a function of its name."""

from __future__ import annotations

from dataclasses import dataclass

from stitchlab.errors import UnknownName

DATA = "data:"  # prefix of a data set's fingerprint: outliers are that data set's test images


@dataclass(frozen=True)
class OutlierKind:
    """Describe a kind of outliers that are made from the evaluation images."""

    name: str
    label: str
    meaning: str


OUTLIERS = {
    kind.name: kind
    for kind in (
        OutlierKind("noise", "Noise", "Gaussian noise with the same mean and covariance as the images"),
        OutlierKind("patches", "Shuffled patches", "each image cut into a grid of 4×4 patches, which are reordered"),
        OutlierKind("blur", "Strong blur", "Gaussian blur with a standard deviation of a quarter of the height"),
        OutlierKind("mixed", "Mixed images", "every image averaged with another one"),
        OutlierKind("constant", "Constant colours", "images of one colour"),
    )
}


def check_kind(name: str) -> None:
    """Check that the catalog has a kind of outliers of this name. Raises UnknownName."""
    if name not in OUTLIERS:
        raise UnknownName("kind of outliers", name, [*OUTLIERS, f"{DATA}NAME"])

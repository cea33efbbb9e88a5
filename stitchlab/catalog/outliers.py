"""List the kinds of known outliers; `stitchlab.ood.outliers` makes each by a function of its name."""

from __future__ import annotations

from dataclasses import dataclass

from stitchlab.errors import UnknownName

DATA = "data:"  # before a data set's fingerprint: that data set's test images


@dataclass(frozen=True)
class OutlierKind:
    """Describe a kind of outliers that are made from images."""

    name: str
    label: str
    meaning: str


OUTLIERS = {
    kind.name: kind
    for kind in (
        OutlierKind("noise", "Noise", "Gaussian noise with the images' own mean and covariance"),
        OutlierKind("patches", "Shuffled patches", "the images' own 4×4 patches in another order"),
        OutlierKind("blur", "Strong blur", "Gaussian blur, its deviation a quarter of the height"),
        OutlierKind("mixed", "Mixed images", "every image averaged with another one"),
        OutlierKind("constant", "Constant colours", "images of one colour"),
    )
}


def check_kind(name: str) -> None:
    """Check that a kind is in the catalog. Raises UnknownName."""
    if name not in OUTLIERS:
        raise UnknownName("kind of outliers", name, [*OUTLIERS, f"{DATA}NAME"])

"""List the similarity indices; `stitchlab.indices.index_function` finds the function that computes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stitchlab.catalog.methods import Direction

Needs = Literal["grams", "averages", "positions", "paper"]  #: the statistic that an index is computed from

#: What an index compares, in the words of pages and captions, by the statistic that it needs.
ROWS: dict[Needs, str] = {
    "grams": "images by images, all features flattened",
    "averages": "channels, averaged over positions",
    "positions": "channels at the end layer's positions",
    "paper": "the paper's rows: positions where both shapes are equal, averages elsewhere, so cells are not on one "
    "scale",
}

#: A change of one layer's activations. They go from those that nearly every index ignores to those that few ignore.
Change = Literal["shift", "scale", "permutation", "channel scales", "rotation", "invertible map"]
CHANGES: dict[Change, str] = {
    "shift": "a constant added to each feature",
    "scale": "one positive factor",
    "permutation": "channels reordered",
    "channel scales": "a positive factor for each channel",
    "rotation": "an orthogonal map",
    "invertible map": "any invertible linear map",
}
UP_TO_CHANNELS: tuple[Change, ...] = ("shift", "scale", "permutation")
UP_TO_ROTATION: tuple[Change, ...] = (*UP_TO_CHANNELS, "rotation")
UP_TO_INVERTIBLE: tuple[Change, ...] = tuple(CHANGES)


@dataclass(frozen=True, kw_only=True)
class Index:
    """Describe one similarity index.

    Attributes:
        metric: the name of its number in tables: ``similarity`` (higher is more similar) or ``distance`` (lower is).
        low, high: the range of its values.
        needs: the statistic that its function takes: ``grams``, or second moments of rows. Rows are ``averages`` over
            positions, ``positions``, or as in the ``paper`` (`ROWS`; see `stitchlab.indices`).
        meaning: what it computes, in a sentence without its full stop.
        undefined: where it has no value; layers that are constant or not finite have none in any index.
        front, end: the changes of the front layer's and of the end layer's activations that it ignores.
        formula: the index whose function it shares; empty if it has its own.
        version: of its definition; raise it when its function would give another number.
        default: whether a grid has it when no indices are named.
    """

    name: str
    label: str
    metric: Literal["similarity", "distance"]
    low: float
    high: float
    needs: Needs
    reference: str
    meaning: str
    undefined: str = ""
    front: tuple[Change, ...] = UP_TO_ROTATION
    end: tuple[Change, ...] = UP_TO_ROTATION
    formula: str = ""
    version: int = 1
    default: bool = False

    @property
    def better(self) -> Direction:
        """Tell whether higher or lower values are more similar."""
        return "higher" if self.metric == "similarity" else "lower"

    @property
    def best(self) -> float:
        """Return its value for two equal layers."""
        return 1.0 if self.metric == "similarity" else 0.0

    @property
    def permutable(self) -> bool:
        """Tell whether it can have a permutation null.

        Indices of positions cannot: only sums over their rows are kept, and these cannot be permuted by images.
        """
        return self.needs in ("grams", "averages")

    def all_images(self, version: int) -> bool:
        """Tell whether this version of its definition uses all evaluation images, not only the first 1,000."""
        return self.needs == "averages" and version >= _FIRST_VERSION_OF_AVERAGES.get(self.name, 1)


_FIRST_VERSION_OF_AVERAGES = {"pwcca": 2, "opd": 2}  # their version 1 had the paper's rows
_DING = "Ding et al. 2021"
_PWCCA = "Morcos et al. 2018; Ding et al. 2021"
_PAPER = "as Balogh & Jelasity 2025 compute it"
_TOO_FEW_ROWS = "where there are fewer rows than the sum of both layers' ranks plus one"


def _cka(
    name: str, label: str, low: float, reference: str, meaning: str, undefined: str = "", default: bool = False
) -> Index:
    return Index(
        name=name,
        label=label,
        metric="similarity",
        low=low,
        high=1,
        needs="grams",
        reference=reference,
        meaning=meaning,
        undefined=undefined,
        default=default,
    )


def _pwcca(
    name: str,
    label: str,
    needs: Needs,
    reference: str = _PWCCA,
    formula: str = "pwcca",
    version: int = 1,
    default: bool = False,
) -> Index:
    return Index(
        name=name,
        label=label,
        metric="distance",
        low=0,
        high=1,
        needs=needs,
        reference=reference,
        meaning="1 − the mean canonical correlation, where each direction has the weight that it has in the front "
        "layer's activations",
        undefined=_TOO_FEW_ROWS,
        front=UP_TO_CHANNELS,
        end=UP_TO_INVERTIBLE,
        formula=formula,
        version=version,
        default=default,
    )


def _opd(
    name: str,
    label: str,
    needs: Needs,
    reference: str = _DING,
    formula: str = "opd",
    version: int = 1,
    default: bool = False,
) -> Index:
    return Index(
        name=name,
        label=label,
        metric="distance",
        low=0,
        high=2,
        needs=needs,
        reference=reference,
        meaning="the squared distance of both layers, each scaled to norm 1, after the best rotation of one onto the "
        "other",
        formula=formula,
        version=version,
        default=default,
    )


def _channels(
    name: str, label: str, reference: str, meaning: str, front: tuple[Change, ...], end: tuple[Change, ...]
) -> Index:
    return Index(
        name=name,
        label=label,
        metric="similarity",
        low=0,
        high=1,
        needs="averages",
        reference=reference,
        meaning=meaning,
        undefined=_TOO_FEW_ROWS,
        front=front,
        end=end,
    )


INDICES = {
    index.name: index
    for index in (
        _cka(
            "cka",
            "Linear CKA",
            0,
            "Kornblith et al. 2019",
            "the cosine similarity of both layers' Gram matrices (images by images) of centred features",
            default=True,
        ),
        _cka(
            "cka-debiased",
            "Linear CKA (debiased)",
            -1,
            "Song et al. 2012; Kornblith et al. 2019",
            "linear CKA with the unbiased estimator of HSIC: about 0 for unrelated layers, even with few images",
            "below 4 images",
            default=True,
        ),
        _pwcca("pwcca", "PWCCA", "averages", formula="", version=2, default=True),
        _opd("opd", "Orthogonal Procrustes", "averages", formula="", version=2, default=True),
        _cka(
            "cka-rbf",
            "Gaussian CKA",
            0,
            "Kornblith et al. 2019",
            "CKA with a Gaussian kernel, half the median distance wide: pairs of images that lie close together count, "
            "not images that lie far from the mean",
            "where most pairs of images are equal",
        ),
        Index(
            name="rsa",
            label="RSA",
            metric="similarity",
            low=-1,
            high=1,
            needs="grams",
            reference="Kriegeskorte et al. 2008",
            meaning="Spearman's rank correlation of both layers' dissimilarities (1 − Pearson's correlation) over all "
            "pairs of images",
            undefined="where an image has constant features, or all pairs are equally dissimilar",
            front=("scale", "permutation"),
            end=("scale", "permutation"),
        ),
        _cka(
            "mutual-knn",
            "Mutual nearest neighbours",
            0,
            "Huh et al. 2024",
            "the mean share of an image's 10 nearest neighbours that are the same in both layers",
            "below 12 images",
        ),
        _channels(
            "cca",
            "Mean CCA",
            "Hotelling 1936; Kornblith et al. 2019",
            "the mean canonical correlation of both layers' rows: the sum divided by the smaller rank",
            UP_TO_INVERTIBLE,
            UP_TO_INVERTIBLE,
        ),
        _channels(
            "svcca",
            "SVCCA",
            "Raghu et al. 2017",
            "the mean canonical correlation of both layers, each reduced to the principal directions with 99 % of its "
            "variance",
            UP_TO_ROTATION,
            UP_TO_ROTATION,
        ),
        _channels(
            "regression",
            "Regression: end from front",
            "Kornblith et al. 2019",
            "R² of predicting the end layer's rows from the front layer's by least squares",
            UP_TO_INVERTIBLE,
            UP_TO_ROTATION,
        ),
        _channels(
            "regression-reverse",
            "Regression: front from end",
            "Kornblith et al. 2019",
            "R² of predicting the front layer's rows from the end layer's by least squares",
            UP_TO_ROTATION,
            UP_TO_INVERTIBLE,
        ),
        Index(
            name="soft-matching",
            label="Soft matching",
            metric="distance",
            low=0,
            high=2,
            needs="averages",
            reference="Khosla & Williams 2024",
            meaning="the distance of both layers' channels, each scaled to norm 1, under the best matching of channels",
            front=(*UP_TO_CHANNELS, "channel scales"),
            end=(*UP_TO_CHANNELS, "channel scales"),
        ),
        _pwcca("pwcca-positions", "PWCCA (positions)", "positions"),
        _opd("opd-positions", "Orthogonal Procrustes (positions)", "positions"),
        _pwcca("pwcca-paper", "PWCCA (paper's rows)", "paper", _PAPER),
        _opd("opd-paper", "Orthogonal Procrustes (paper's rows)", "paper", _PAPER),
    )
}

DEFAULT_INDICES = tuple(name for name, index in INDICES.items() if index.default)

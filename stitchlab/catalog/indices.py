"""The similarity indices. `stitchlab.indices.index_function` finds the function that computes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Needs = Literal["grams", "averages", "positions", "paper"]

#: What an index compares, by what it needs, for people.
ROWS: dict[Needs, str] = {
    "grams": "images by images, all features flattened",
    "averages": "channels, averaged over positions",
    "positions": "channels at the end layer's positions",
    "paper": "the paper's rows: positions where shapes are equal, averages elsewhere, so cells are not on one scale",
}


@dataclass(frozen=True)
class Index:
    """One similarity index.

    Attributes:
        metric: what tables call its number, ``similarity`` (higher is more similar) or ``distance`` (lower is).
        low, high: the range of its values.
        needs: the statistic that its function takes: ``grams``, or second moments of rows, which are ``averages`` over
            positions, ``positions``, or what the ``paper`` has (`ROWS`; see `stitchlab.indices`).
        formula: the index whose function it shares; empty: its own.
        version: of its definition; raise it when its function would give another number.
        default: whether a grid has it unless indices are named.
    """

    name: str
    label: str
    metric: Literal["similarity", "distance"]
    low: float
    high: float
    needs: Needs
    reference: str
    formula: str = ""
    version: int = 1
    default: bool = False

    @property
    def better(self) -> Literal["higher", "lower"]:
        """Say which of its values are those of more similar layers."""
        return "higher" if self.metric == "similarity" else "lower"

    def all_images(self, version: int) -> bool:
        """Whether it looks at all evaluation images, by this version of its definition, and not at the first 1,000."""
        return self.needs == "averages" and version >= _FIRST_OF_AVERAGES.get(self.name, 1)


_FIRST_OF_AVERAGES = {"pwcca": 2, "opd": 2}  # version 1 had the paper's rows
_DING, _PWCCA = "Ding et al. 2021", "Morcos et al. 2018; Ding et al. 2021"
_PAPER = "as Balogh & Jelasity 2025 compute it"

INDICES = {
    index.name: index
    for index in (
        Index("cka", "Linear CKA", "similarity", 0, 1, "grams", "Kornblith et al. 2019", default=True),
        Index("cka-debiased", "Linear CKA (debiased)", "similarity", -1, 1, "grams",
              "Song et al. 2012; Kornblith et al. 2019", default=True),
        Index("pwcca", "PWCCA", "distance", 0, 1, "averages", _PWCCA, version=2, default=True),
        Index("opd", "Orthogonal Procrustes", "distance", 0, 2, "averages", _DING, version=2, default=True),
        Index("pwcca-positions", "PWCCA (positions)", "distance", 0, 1, "positions", _PWCCA, "pwcca"),
        Index("opd-positions", "Orthogonal Procrustes (positions)", "distance", 0, 2, "positions", _DING, "opd"),
        Index("pwcca-paper", "PWCCA (paper's rows)", "distance", 0, 1, "paper", _PAPER, "pwcca"),
        Index("opd-paper", "Orthogonal Procrustes (paper's rows)", "distance", 0, 2, "paper", _PAPER, "opd"),
    )
}

DEFAULT_INDICES = tuple(name for name, index in INDICES.items() if index.default)

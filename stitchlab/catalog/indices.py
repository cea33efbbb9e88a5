"""The similarity indices. `stitchlab.indices.index_function` finds the function that computes one, by its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Index:
    """One similarity index.

    Attributes:
        metric: what tables call its number, ``similarity`` (higher is more similar) or ``distance`` (lower is).
        low, high: the range of its values.
        needs: the statistic that its function takes, ``grams`` or ``moments`` (see `stitchlab.indices`).
        version: of its definition; raise it when its function would give another number.
        default: whether a grid has it unless indices are named.
    """

    name: str
    label: str
    metric: Literal["similarity", "distance"]
    low: float
    high: float
    needs: Literal["grams", "moments"]
    reference: str
    version: int = 1
    default: bool = True


INDICES = {
    index.name: index
    for index in (
        Index("cka", "Linear CKA", "similarity", 0, 1, "grams", "Kornblith et al. 2019"),
        Index("pwcca", "PWCCA", "distance", 0, 1, "moments", "Morcos et al. 2018; Ding et al. 2021"),
        Index("opd", "Orthogonal Procrustes", "distance", 0, 2, "moments", "Ding et al. 2021"),
    )
}

DEFAULT_INDICES = tuple(name for name, index in INDICES.items() if index.default)

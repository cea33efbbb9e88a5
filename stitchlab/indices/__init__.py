"""Similarity indices. A new one is a file beside this one and an entry here; nothing else changes.

An index sees a pair of layers through one of two statistics (`stitchlab.indices.statistics`): ``grams``, the two
centred (N, N) Gram matrices of flattened features, or ``moments``, the second moments XᵀX, XᵀY, YᵀY of centred rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stitchlab.indices.cka import cka
from stitchlab.indices.opd import opd
from stitchlab.indices.pwcca import pwcca


@dataclass(frozen=True)
class Index:
    """One similarity index.

    Attributes:
        metric: what tables call its number, ``similarity`` (higher is more similar) or ``distance`` (lower is).
        low, high: the range of its values.
        needs: the statistic that ``value`` takes, ``grams`` or ``moments``.
        version: of its definition; raise it when ``value`` would give another number.
    """

    name: str
    label: str
    metric: str
    low: float
    high: float
    needs: str
    value: Callable[..., float | None]
    reference: str
    version: int = 1


REGISTRY = {
    index.name: index
    for index in (
        Index("cka", "Linear CKA", "similarity", 0, 1, "grams", cka, "Kornblith et al. 2019"),
        Index("pwcca", "PWCCA", "distance", 0, 1, "moments", pwcca, "Morcos et al. 2018; Ding et al. 2021"),
        Index("opd", "Orthogonal Procrustes", "distance", 0, 2, "moments", opd, "Ding et al. 2021"),
    )
}

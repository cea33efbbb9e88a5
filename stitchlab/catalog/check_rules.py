"""Define how a check of similarity measures is described, and the rules by which a measure passes it.

The checks are in `stitchlab.catalog.checks`. Rules stand in catalogs so that a page can say the rule beside the number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Rule = Literal["at least", "at most", "at most the probe's"]

#: What a check is computed from. All but the first three are of each network into the `next` one only.
Material = Literal["within", "across", "controls", "ranks", "halves", "fewer images of DM", "frechet", "null"]

#: Which measures a check is for: all, those of stitched networks, their accuracy alone, or indices.
Of = Literal["all", "accuracy", "indices"]

SHARE = 0.95  # of cases that have to be right
ALPHA = 0.05  # level of tests, after Holm's correction over the measures
WIDTHS = 1.0  # of noise, which a contrast has to have
DISTANT = 0.5  # share of the layers from which two layers of a network are distant


@dataclass(frozen=True, kw_only=True)
class Statistic:
    """Describe a number that a check computes for each measure.

    Attributes:
        low, high: its range, by default a share's; None where it has no end.
        rule, bound: what it has to be; ``at most the probe's`` has its bound in the data.
        tested: whether it has a p-value, which has to be below `ALPHA` too.
        only: the method that has it; empty: every measure that the check is for.
    """

    name: str
    label: str
    meaning: str
    low: float | None = 0
    high: float | None = 1
    rule: Rule = "at least"
    bound: float = SHARE
    tested: bool = False
    only: str = ""


@dataclass(frozen=True, kw_only=True)
class Check:
    """Describe one check of similarity measures.

    Attributes:
        question: that it answers, in a line.
        about: what is tested, and whose idea it was, in a paragraph.
        reference: the papers.
        statistics: the first is the one that a table of all checks shows.
        material: what it is computed from.
        of: the measures that it is for.
        networks, layers, images: how many it takes at least.
        same_layers: whether it needs two networks with the same layers.
        version: of its definition; raise it when the same runs would give another number.
    """

    name: str
    label: str
    question: str
    about: str
    reference: str
    statistics: tuple[Statistic, ...]
    material: tuple[Material, ...]
    of: Of = "all"
    networks: int = 1
    layers: int = 2
    images: int = 1
    same_layers: bool = False
    version: int = 1

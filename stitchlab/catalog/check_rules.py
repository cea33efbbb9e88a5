"""Define how a check of similarity measures is described, and the rules that decide whether a measure passes it.

The checks are in `stitchlab.catalog.checks`. The rules are in the catalog so that a page can show the rule beside the
number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stitchlab.request import Method

Rule = Literal["at least", "at most", "at most the probe's"]

#: The runs that a check is computed from. All but the first three compare each network with the next one only.
Material = Literal["within", "across", "controls", "ranks", "halves", "fewer images of DM", "frechet", "null"]

#: The measures that a check is for: all, only the accuracy of stitched networks, or only indices.
CheckedMeasures = Literal["all", "accuracy", "indices"]

MIN_RIGHT_SHARE = 0.95  # of the cases
ALPHA = 0.05  # level of tests, after Holm's correction over the measures
MIN_CONTRAST_WIDTHS = 1.0  # smallest contrast that passes, in widths of the noise
MIN_DISTANT_SHARE = 0.5  # share of a network's layers: two of its layers that are at least so far apart are distant


@dataclass(frozen=True, kw_only=True)
class Statistic:
    """Describe a number that a check computes for each measure.

    Attributes:
        low, high: the range of its values, by default that of a share; None where there is no limit.
        rule, bound: the condition for passing. The bound of ``at most the probe's`` is computed from the data.
        tested: whether it has a p-value, which has to be below `ALPHA` too.
        only: the only method that has this statistic; empty: every measure that the check is for has it.
    """

    name: str
    label: str
    meaning: str
    low: float | None = 0
    high: float | None = 1
    rule: Rule = "at least"
    bound: float = MIN_RIGHT_SHARE
    tested: bool = False
    only: Method | Literal[""] = ""


@dataclass(frozen=True, kw_only=True)
class Check:
    """Describe one check of similarity measures.

    Attributes:
        question: the question that it answers, in a line.
        about: a paragraph on what is tested and who proposed it.
        reference: the papers.
        statistics: the numbers that it computes; a table of all checks shows the first one.
        material: the kinds of runs that it is computed from.
        of: the measures that it is for.
        networks, layers, images: the smallest numbers of each that it needs.
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
    of: CheckedMeasures = "all"
    networks: int = 1
    layers: int = 2
    images: int = 1
    same_layers: bool = False
    version: int = 1

"""Provides what checks are computed from: a measure's matrices over the runs of a suite, larger where more similar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from stitchlab.results.checks.suite import Checking, Ends
from stitchlab.results.detection import DetectionResults
from stitchlab.results.halves import Halves
from stitchlab.results.quantity import Quantity
from stitchlab.results.ranks import Ranks
from stitchlab.results.run import Run

Values = npt.NDArray[np.float64]


class Material:
    """Holds the computed runs of a checking, by what they are for. All of them are there.

    Args:
        checking: the suite, whose runs are complete as far as the checks at hand need them.
    """

    def __init__(self, checking: Checking) -> None:
        self.checking = checking
        self._names = {network.id: network.name for network in checking.networks}
        self._ranks: dict[Ends, Ranks] = {}
        self._halves: dict[Ends, Halves] = {}
        self._judged: dict[Ends, DetectionResults] = {}

    def title(self, ends: Ends) -> str:
        """Name a run for people by its networks."""
        return " → ".join(self._names.get(network, network) for network in ends)

    def matrix(self, run: Run, subject: Quantity) -> Values:
        """Give a measure's matrix (front layers, end layers), larger where more similar; NaN where undefined."""
        return subject.sign * run.matrix(subject.name, subject.metric)

    def matrices(self, runs: Mapping[Any, Run], subject: Quantity) -> dict[Any, Values]:
        """Give the matrices of several runs, by the same keys."""
        return {of: self.matrix(run, subject) for of, run in runs.items()}

    def ranks(self, ends: Ends) -> Ranks:
        """Read what is known of a run of the `Checking.next` at lower ranks."""
        if ends not in self._ranks:
            self._ranks[ends] = Ranks(self.checking.next[ends])
        return self._ranks[ends]

    def halves(self, ends: Ends) -> Halves:
        """Read what is known of a run of the `Checking.next` on half samples of its images."""
        if ends not in self._halves:
            self._halves[ends] = Halves(self.checking.next[ends])
        return self._halves[ends]

    def judged(self, ends: Ends) -> DetectionResults:
        """Read what detectors say of a run of the `Checking.next`."""
        if ends not in self._judged:
            self._judged[ends] = DetectionResults(self.checking.next[ends])
        return self._judged[ends]

    @cached_property
    def largest(self) -> list[str]:
        """Find the largest group of networks with the same layers, which mean matrices are of."""
        return max(self.checking.alike, key=len)

    def mean(self, runs: Mapping[Ends, Run], subject: Quantity) -> tuple[Values, Run] | None:
        """Average a measure, in its own units, over runs within the `largest` group; give that and one of the runs."""
        found = [run for ends, run in runs.items() if set(ends) <= set(self.largest)]
        if not found:
            return None
        return np.mean([run.matrix(subject.name, subject.metric) for run in found], axis=0), found[0]


def undefined(matrices: Iterable[Values]) -> str:
    """Say how many cells are undefined and so left out; empty where none is."""
    every = list(matrices)
    count, total = sum(int(np.isnan(m).sum()) for m in every), sum(m.size for m in every)
    return f"{count:,} of {total:,} cells are undefined: left out" if count else ""

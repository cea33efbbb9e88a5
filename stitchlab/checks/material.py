"""Read what checks are computed from: the matrices of a measure over the runs of a suite, larger if more similar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

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
    """Read the computed runs of a suite, and what else checks need.

    Args:
        checking: the suite; its runs are complete as far as the checks need them.
    """

    def __init__(self, checking: Checking) -> None:
        self.checking = checking
        self._names = {network.id: network.name for network in checking.networks}
        self._ranks: dict[Ends, Ranks] = {}
        self._halves: dict[Ends, Halves] = {}
        self._detection_results: dict[Ends, DetectionResults] = {}

    def __repr__(self) -> str:
        """Say what it is: ``<Material of digits-a, digits-b>``."""
        return f"<Material of {', '.join(self._names.values())}>"

    def title(self, ends: Ends) -> str:
        """Name a run for people by its networks."""
        return " → ".join(self._names.get(network, network) for network in ends)

    def matrix(self, run: Run, measure: Quantity) -> Values:
        """Return a measure's matrix (front layers, end layers), larger where more similar; NaN where undefined."""
        return measure.sign * run.matrix(measure.name, measure.metric)

    def matrices(self, runs: Mapping[Ends, Run], measure: Quantity) -> dict[Ends, Values]:
        """Return the matrices of several runs, by the same keys."""
        return {ends: self.matrix(run, measure) for ends, run in runs.items()}

    def ranks(self, ends: Ends) -> Ranks:
        """Read the measures at lower ranks of a run of `Checking.next`."""
        if ends not in self._ranks:
            self._ranks[ends] = Ranks(self.checking.next[ends])
        return self._ranks[ends]

    def halves(self, ends: Ends) -> Halves:
        """Read the measures on half samples of the images of a run of `Checking.next`."""
        if ends not in self._halves:
            self._halves[ends] = Halves(self.checking.next[ends])
        return self._halves[ends]

    def detection_results(self, ends: Ends) -> DetectionResults:
        """Read what detectors say of a run of `Checking.next`."""
        if ends not in self._detection_results:
            self._detection_results[ends] = DetectionResults(self.checking.next[ends])
        return self._detection_results[ends]

    @cached_property
    def largest_group(self) -> list[str]:
        """Find the largest group of networks with the same layers: means of matrices are over this group."""
        return max(self.checking.alike, key=len)

    def mean(self, runs: Mapping[Ends, Run], measure: Quantity) -> tuple[Values, Run] | None:
        """Average a measure, in its own units, over runs within the `largest_group`; also return one of these runs."""
        in_group = [run for ends, run in runs.items() if set(ends) <= set(self.largest_group)]
        if not in_group:
            return None
        return np.mean([run.matrix(measure.name, measure.metric) for run in in_group], axis=0), in_group[0]


def undefined(matrices: Iterable[Values]) -> str:
    """Say how many cells are undefined, and therefore left out; empty if none is."""
    matrices = list(matrices)
    count, total = sum(int(np.isnan(m).sum()) for m in matrices), sum(m.size for m in matrices)
    return f"{count:,} of {total:,} cells are undefined: left out" if count else ""

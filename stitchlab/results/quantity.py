"""Describe a number that cells have, a metric of a method or an index: its name for people, range and direction."""

from __future__ import annotations

from dataclasses import dataclass

from stitchlab.catalog.indices import INDICES, Index
from stitchlab.catalog.methods import METHOD_LABELS, METRICS, CellMetric, Direction
from stitchlab.request import METHODS


@dataclass(frozen=True)
class Quantity:
    """Describe a metric of stitched networks, or a similarity index, as `Run.quantities` lists them.

    Attributes:
        name: of the method or index.
        metric: what tables call its number.
    """

    name: str
    metric: str

    @classmethod
    def of(cls, text: str) -> Quantity:
        """Parse a quantity such as ``tlm/accuracy``.

        >>> Quantity.of("tlm/accuracy").label, Quantity.of("cka/similarity").label
        ('Task loss matching: accuracy', 'Linear CKA')
        """
        name, _, metric = text.partition("/")
        return cls(name, metric)

    @property
    def stitched(self) -> bool:
        """Tell whether it is a metric of stitched networks."""
        return self.name in METHODS

    @property
    def _known(self) -> CellMetric | Index:
        return METRICS[self.metric] if self.stitched else INDICES[self.name]

    @property
    def label(self) -> str:
        """Name it for people."""
        label = self._known.label
        return f"{METHOD_LABELS[self.name]}: {label.lower()}" if self.stitched else label

    @property
    def better(self) -> Direction:
        """Tell whether higher or lower values are more similar."""
        return self._known.better

    @property
    def sign(self) -> float:
        """Return 1 if higher values are more similar, else −1."""
        return 1.0 if self.better == "higher" else -1.0

    @property
    def range(self) -> tuple[float, float | None]:
        """Return the lowest and the highest possible value; None if there is no highest."""
        return self._known.low, self._known.high

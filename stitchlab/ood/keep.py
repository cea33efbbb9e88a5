"""Keep what detectors say: an entry and its tensors. `stitchlab.results.detection` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from stitchlab.models.tensors import put_tensors
from stitchlab.results.detection import NATIVE, OUTLIERS, ROOM
from stitchlab.results.interval import Interval
from stitchlab.store import Store


@dataclass(frozen=True)
class Numbers:
    """Hold what a detector says of one set of activations.

    Attributes:
        metrics: its numbers by name.
        reason: why one of them is undefined; empty if none is.
    """

    metrics: Mapping[str, Interval]
    reason: str

    @property
    def intervals(self) -> dict[str, list[float | None]]:
        """Return value, low and high of each metric, as JSON."""
        return {metric: list(interval) for metric, interval in self.metrics.items()}

    def record(self) -> dict[str, Any]:
        """Convert it to the JSON of an entry."""
        return {"metrics": self.intervals, "reason": self.reason}


@dataclass(frozen=True)
class Entry:
    """Hold what is kept of one detector and one set of activations.

    Attributes:
        record: its numbers, as JSON.
        tensors: scores of images, or statistics of images and channels, by name.
    """

    record: Mapping[str, object]
    tensors: dict[str, Tensor]


def reliability_record(native: Numbers, outliers: Numbers) -> dict[str, Any]:
    """Convert to JSON what a detector says of the two sets by which it is believed, or not, at an end layer."""
    metrics = {NATIVE: native.intervals, OUTLIERS: outliers.intervals}
    return {"metrics": metrics, "reason": native.reason or outliers.reason}


def keep(
    store: Store, key: str, value: Mapping[str, object], tensors: Mapping[str, Tensor], how: Mapping[str, object]
) -> None:
    """Keep an entry and its tensors. Tensors are written first, so that an entry which can be read is complete.

    Args:
        store, key: where it is kept.
        value: what a detector says.
        tensors: by name; real numbers are kept as fp32.
        how: how it was computed (`stitchlab.models.provenance`), kept with the value.
    """
    if tensors:
        plain = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
        put_tensors(store, ROOM, key, plain)
    store.put(ROOM, key, {**value, **how, "tensors": bool(tensors)})

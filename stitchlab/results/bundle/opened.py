"""Hold the state of a file while it is opened: its run, its entries, and the store that is being filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from stitchlab.request import Detection
from stitchlab.results.bundle.arrays import Arrays
from stitchlab.results.bundle.checks import fits, need, parsed
from stitchlab.results.bundle.memory import Named, Place
from stitchlab.results.detection import DetectionResults
from stitchlab.results.run import Run

#: How a result was computed (`stitchlab.models.provenance`); ``versions`` is an index into the entry's list of them.
HOW: dict[str, Any] = {"?seconds": float, "?device": str, "?threads": int, "?computed": str, "?versions": int}


@dataclass(frozen=True)
class Opened:
    """Hold a file while it is opened: the store of its run is filled through ``values`` and ``arrays``."""

    run: Run
    entries: dict[str, bytes]
    values: dict[Place, dict[str, Any]]
    arrays: dict[Place, Named]
    _results: dict[Detection, DetectionResults] = field(default_factory=dict)

    def parsed(self, name: str, kind: Any) -> dict[str, Any]:
        """Read a JSON entry and check its kind (`fits`). Raises Wrong."""
        value: dict[str, Any] = parsed(name, self.entries[name])
        fits(name, value, kind)
        return value

    def arrays_of(self, name: str) -> Arrays | None:
        """Return the arrays of an entry; None if the file does not have it. Raises Wrong."""
        return Arrays(name, self.entries[name]) if name in self.entries else None

    def detection_results(self, detection: Detection) -> DetectionResults:
        """Return the `DetectionResults` of these settings: it computes the keys of detectors' results."""
        return self._results.setdefault(detection, DetectionResults(self.run, detection))

    def has_cell(self, front_layer: str, end_layer: str) -> bool:
        """Tell whether the request has this cell."""
        request = self.run.request
        return front_layer in request.front_layers and end_layer in request.end_layers


def expanded(entry: dict[str, Any], versions: list[dict[str, str]], names: Sequence[str]) -> dict[str, Any]:
    """Convert a result from the file's form to the store's.

    Args:
        entry: the result in the file.
        versions: the list of software versions, to which the entry refers by number.
        names: the fields that name the result; the store has a key instead.

    Raises:
        Wrong: it refers to versions that are missing.
    """
    value = {key: inner for key, inner in entry.items() if key not in names}
    if "versions" in value:
        need(0 <= value["versions"] < len(versions), "versions are missing")
        value["versions"] = versions[value["versions"]]
    return value

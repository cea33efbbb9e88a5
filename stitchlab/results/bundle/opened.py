"""Hold what is known so far of a file that is being opened: its run, its entries, and the store being filled."""

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

#: How a result was computed (`stitchlab.models.provenance`), its versions by their place in the entry's list.
HOW: dict[str, Any] = {"?seconds": float, "?device": str, "?threads": int, "?computed": str, "?versions": int}


@dataclass(frozen=True)
class Opened:
    """Hold a file that is being opened: ``values`` and ``arrays`` are what its run's store will have."""

    run: Run
    entries: dict[str, bytes]
    values: dict[Place, dict[str, Any]]
    arrays: dict[Place, Named]
    _found: dict[Detection, DetectionResults] = field(default_factory=dict)

    def parsed(self, name: str, kind: Any) -> dict[str, Any]:
        """Read a JSON entry and check its kind (`fits`). Raises Wrong."""
        made: dict[str, Any] = parsed(name, self.entries[name])
        fits(name, made, kind)
        return made

    def its_arrays(self, name: str) -> Arrays | None:
        """Return the arrays of an entry; None if the file has none. Raises Wrong."""
        return Arrays(name, self.entries[name]) if name in self.entries else None

    def found(self, detection: Detection) -> DetectionResults:
        """Return the `Distribution` that knows the keys of detectors' results under these settings."""
        return self._found.setdefault(detection, DetectionResults(self.run, detection))

    def asked(self, front_layer: str, end_layer: str) -> bool:
        """Tell whether the request has this cell."""
        request = self.run.request
        return front_layer in request.front_layers and end_layer in request.end_layers


def expanded(said: dict[str, Any], versions: list[dict[str, str]], names: Sequence[str]) -> dict[str, Any]:
    """Convert a result from the file's form to the store's.

    Args:
        said: the entry of the file.
        versions: the list of software versions, to which the entry refers by number.
        names: fields that name the result, and are left out.

    Raises:
        Wrong: it refers to versions that are missing.
    """
    value = {key: inner for key, inner in said.items() if key not in names}
    if "versions" in value:
        need(0 <= value["versions"] < len(versions), "versions are missing")
        value["versions"] = versions[value["versions"]]
    return value

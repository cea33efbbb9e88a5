"""What a file that is being opened has so far: its run, its entries, and the store that is being filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from stitchlab.request import Detection
from stitchlab.results.bundle.arrays import Arrays
from stitchlab.results.bundle.checks import fits, need, parsed
from stitchlab.results.bundle.memory import Named, Place
from stitchlab.results.detection import Distribution
from stitchlab.results.run import Run

#: How a result was computed (`stitchlab.models.provenance`), its versions by their place in the entry's list.
HOW: dict[str, Any] = {"?seconds": float, "?device": str, "?threads": int, "?computed": str, "?versions": int}


@dataclass(frozen=True)
class Opened:
    """A file on its way into memory: ``values`` and ``arrays`` are what its run's store will have."""

    run: Run
    entries: dict[str, bytes]
    values: dict[Place, dict[str, Any]]
    arrays: dict[Place, Named]
    _found: dict[Detection, Distribution] = field(default_factory=dict)

    def parsed(self, name: str, kind: Any) -> dict[str, Any]:
        """Read a JSON entry of this kind. Raises Wrong."""
        made: dict[str, Any] = parsed(name, self.entries[name])
        fits(name, made, kind)
        return made

    def its_arrays(self, name: str) -> Arrays | None:
        """Give the arrays of an entry; None where the file has none. Raises Wrong."""
        return Arrays(name, self.entries[name]) if name in self.entries else None

    def found(self, detection: Detection) -> Distribution:
        """Give the one that knows the keys of what detectors said under these settings."""
        return self._found.setdefault(detection, Distribution(self.run, detection))

    def asked(self, front_layer: str, end_layer: str) -> bool:
        """Tell whether the request has this cell."""
        request = self.run.request
        return front_layer in request.front_layers and end_layer in request.end_layers


def expanded(said: dict[str, Any], versions: list[dict[str, str]], names: Sequence[str]) -> dict[str, Any]:
    """Give a result as the store keeps it: without its names, with its versions."""
    value = {key: inner for key, inner in said.items() if key not in names}
    if "versions" in value:
        need(0 <= value["versions"] < len(versions), "versions are missing")
        value["versions"] = versions[value["versions"]]
    return value

"""Describe cut points, the places where a network can be cut, and keep them in the store.

They are found once, by `stitchlab.models.cut_points`, and kept under the network's id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stitchlab.errors import UnknownName
from stitchlab.store import Store

ROOM = "layers"
VERSION = 3  # of how cut points are found and named
FEWEST = 4  # layers of a choice that skips some


@dataclass(frozen=True)
class CutPoint:
    """Describe a place where the network can be cut.

    Attributes:
        name: module path, or ``module:function`` for a function's node.
        aliases: other modules that have the same output, or pass it on as it came.
        shape: of one image's activation, as the network makes it, e.g. (C, H, W), (T, D), (D,).
        default: whether a grid takes it by default (`defaults`).
        flops: floating point operations of one image up to here.
        parameters: how many numbers are learned up to here.
    """

    name: str
    aliases: tuple[str, ...]
    shape: tuple[int, ...]
    default: bool
    flops: int
    parameters: int = 0


class Cuts:
    """Hold the cut points of a network, in network order.

    Attributes:
        points: all of them.
        flops: floating point operations of one image through the whole network.
        nodes: how many places were looked at.
        traced: whether they were found on a torch.fx graph; else by hooks, which run more slowly.
    """

    def __init__(self, points: Sequence[CutPoint], flops: int, nodes: int, traced: bool) -> None:
        self.points, self.flops, self.nodes, self.traced = list(points), flops, nodes, traced
        self._known = {known: point for point in points for known in (point.name, *point.aliases)}

    def find(self, name: str) -> CutPoint:
        """Return the cut point of this name or alias. Raises UnknownName."""
        if name not in self._known:
            raise UnknownName("layer", name, [p.name for p in self.points], "`layers NETWORK` lists them all")
        return self._known[name]

    def defaults(self) -> list[str]:
        """Name the layers that a grid takes by default, in network order."""
        return [p.name for p in self.points if p.default]

    def in_order(self, names: Iterable[str]) -> list[str]:
        """Sort layers into network order, each once, by name instead of alias. Raises UnknownName."""
        wanted = {self.find(name).name for name in names}
        return [p.name for p in self.points if p.name in wanted]

    def record(self) -> dict[str, Any]:
        """Convert it to JSON."""
        return {
            "points": [asdict(point) for point in self.points],
            "flops": self.flops,
            "nodes": self.nodes,
            "traced": self.traced,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Cuts:
        """Rebuild it from what `record` returned."""
        points = [
            CutPoint(**{**point, "aliases": tuple(point["aliases"]), "shape": tuple(point["shape"])})
            for point in record["points"]
        ]
        return cls(points, record["flops"], record["nodes"], record["traced"])


def selections(cuts: Cuts) -> dict[str, list[str]]:
    """Name some useful choices of layers for a deep network's grid, each with its layers.

    All blocks; every second to fourth, so that the last is among them; the last of every stage; one stage; all cut
    points. A stage is what has one name before the first part in which the blocks' names differ from one another.
    """
    blocks = cuts.defaults()
    found = {f"All blocks ({len(blocks)})": blocks}
    for step, word in ((2, "second"), (3, "third"), (4, "fourth")):
        if len(some := blocks[::-1][::step][::-1]) >= FEWEST:
            found[f"Every {word} block ({len(some)})"] = some
    stages = _stages(blocks)
    if 1 < len(stages) < len(blocks):
        found[f"The last block of each stage ({len(stages)})"] = [names[-1] for names in stages.values()]
        found |= {f"Stage {stage} ({len(names)})": names for stage, names in stages.items() if len(names) > 1}
    every = [point.name for point in cuts.points]
    return found if every == blocks else {**found, f"All cut points ({len(every)})": every}


def _stages(blocks: Sequence[str]) -> dict[str, list[str]]:
    """Group the blocks by stage: ``layer1`` has ``layer1.0`` and ``layer1.1``; names without a dot are stages alone."""
    parts = [name.split(".") for name in blocks]
    differing = (len(set(level)) > 1 for level in zip(*parts, strict=False))
    shared = next((depth for depth, differ in enumerate(differing) if differ), 0)
    found: dict[str, list[str]] = {}
    for name, part in zip(blocks, parts, strict=True):
        found.setdefault(".".join(part[: shared + 1]), []).append(name)
    return found


def kept(store: Store, network: str) -> Cuts | None:
    """Read the cut points of a network, given its id; None if they are not found yet, or damaged."""
    record = store.intact(ROOM, key(network))
    return None if record is None else Cuts.from_record(record)


def keep(store: Store, network: str, cuts: Cuts) -> None:
    """Write the cut points of a network into the store.

    Args:
        store, network: the id of a network in the store.
        cuts: its cut points.
    """
    store.put(ROOM, key(network), cuts.record())


def delete(store: Store, network: str) -> None:
    """Remove what is kept of a network's cut points, in any version."""
    store.delete_all(ROOM, f"{network}-")


def key(network: str) -> str:
    """Return the key of the cut points of a network, given its id."""
    return f"{network}-{VERSION}"

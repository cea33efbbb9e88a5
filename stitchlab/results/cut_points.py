"""Describe cut points, the places where a network can be cut, and keep them in the store.

`stitchlab.models.cut_points` finds them once for a network; they are kept under the network's id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stitchlab.errors import UnknownName
from stitchlab.store import Store

ROOM = "layers"
VERSION = 3  # of how cut points are found and named
MIN_LAYERS = 4  # of a selection that skips layers


@dataclass(frozen=True)
class CutPoint:
    """Describe a place where the network can be cut.

    Attributes:
        name: module path, or ``module:function`` for a function's node.
        aliases: other modules that have the same output, or return it unchanged.
        shape: of one image's activation in the network, e.g. (C, H, W), (T, D), (D,).
        default: whether a grid contains it by default (`Cuts.defaults`).
        flops: floating point operations for one image up to here.
        parameters: the number of learned parameters up to here.
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
        points: all cut points.
        flops: floating point operations for one image through the whole network.
        nodes: the number of places that were examined.
        traced: whether they were found on a torch.fx graph; else by hooks, which run more slowly.
    """

    def __init__(self, points: Sequence[CutPoint], flops: int, nodes: int, traced: bool) -> None:
        self.points, self.flops, self.nodes, self.traced = list(points), flops, nodes, traced
        self._by_name = {name: point for point in points for name in (point.name, *point.aliases)}

    def __repr__(self) -> str:
        """Say what they are: ``<Cuts: 8 cut points, 6 of them in a grid by default>``."""
        return f"<Cuts: {len(self.points)} cut points, {len(self.defaults())} of them in a grid by default>"

    def find(self, name: str) -> CutPoint:
        """Return the cut point of this name or alias. Raises UnknownName."""
        if name not in self._by_name:
            raise UnknownName("layer", name, [p.name for p in self.points], "`layers NETWORK` lists them all")
        return self._by_name[name]

    def defaults(self) -> list[str]:
        """Name the layers that a grid contains by default, in network order."""
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
        """Rebuild them from `record`'s JSON."""
        points = [
            CutPoint(**{**point, "aliases": tuple(point["aliases"]), "shape": tuple(point["shape"])})
            for point in record["points"]
        ]
        return cls(points, record["flops"], record["nodes"], record["traced"])


def selections(cuts: Cuts) -> dict[str, list[str]]:
    """List useful selections of layers for the grid of a deep network, by their labels.

    They are: all blocks; every second, third or fourth block, counted from the last one; the last block of each stage;
    the blocks of one stage; all cut points. A stage has the blocks whose names agree up to the first part, between
    dots, in which not all blocks' names agree.
    """
    blocks = cuts.defaults()
    layers = {f"All blocks ({len(blocks)})": blocks}
    for step, word in ((2, "second"), (3, "third"), (4, "fourth")):
        if len(some := blocks[::-1][::step][::-1]) >= MIN_LAYERS:
            layers[f"Every {word} block ({len(some)})"] = some
    stages = _stages(blocks)
    if 1 < len(stages) < len(blocks):
        layers[f"The last block of each stage ({len(stages)})"] = [names[-1] for names in stages.values()]
        layers |= {f"Stage {stage} ({len(names)})": names for stage, names in stages.items() if len(names) > 1}
    all_points = [point.name for point in cuts.points]
    return layers if all_points == blocks else {**layers, f"All cut points ({len(all_points)})": all_points}


def _stages(blocks: Sequence[str]) -> dict[str, list[str]]:
    """Group the blocks by stage: ``layer1`` has ``layer1.0`` and ``layer1.1``; a name without dots is its own stage."""
    parts = [name.split(".") for name in blocks]
    differing = (len(set(level)) > 1 for level in zip(*parts, strict=False))
    common = next((depth for depth, differ in enumerate(differing) if differ), 0)
    stages: dict[str, list[str]] = {}
    for name, part in zip(blocks, parts, strict=True):
        stages.setdefault(".".join(part[: common + 1]), []).append(name)
    return stages


def kept(store: Store, network: str) -> Cuts | None:
    """Read the cut points of a network, given its id; None if the store lacks them, or they are damaged."""
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
    """Remove the cut points of a network, of any version."""
    store.delete_all(ROOM, f"{network}-")


def key(network: str) -> str:
    """Return the key of the cut points of a network, given its id."""
    return f"{network}-{VERSION}"

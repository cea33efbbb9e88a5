"""Cut points by name: what is known of where a network can be cut, with or without the network itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from stitchlab.errors import StitchLabError, UnknownName

CONTAINERS = (nn.Sequential, nn.ModuleList)
_ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Mish, nn.Tanh, nn.Sigmoid)


@dataclass(frozen=True)
class CutPoint:
    """A place where the network can be cut.

    Attributes:
        name: module path, or ``module:function`` for a function's node.
        aliases: other modules that have the same output.
        shape: of one image's activation, as the network makes it, e.g. (C, H, W), (T, D), (D,).
        default: whether a grid offers it unasked (`defaults`).
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
    """The cut points of a network, in network order.

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
        """The cut point of this name or alias. Raises UnknownName."""
        if name not in self._known:
            raise UnknownName("layer", name, [p.name for p in self.points], "`layers NETWORK` lists them all")
        return self._known[name]

    def defaults(self) -> list[str]:
        """Names of the layers that a grid offers unasked, in network order."""
        return [p.name for p in self.points if p.default]

    def in_order(self, names: Iterable[str]) -> list[str]:
        """These layers by their names (not aliases), each once, in network order. Raises UnknownName."""
        wanted = {self.find(name).name for name in names}
        return [p.name for p in self.points if p.name in wanted]

    def record(self) -> dict[str, Any]:
        """As JSON knows it."""
        return {"points": [asdict(point) for point in self.points], "flops": self.flops, "nodes": self.nodes,
                "traced": self.traced}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Cuts:
        """The inverse of `record`."""
        points = [CutPoint(**{**point, "aliases": tuple(point["aliases"]), "shape": tuple(point["shape"])})
                  for point in record["points"]]
        return cls(points, record["flops"], record["nodes"], record["traced"])


def defaults(module: nn.Module, places: Sequence[Sequence[str]]) -> list[bool]:
    """Which of some places, each the paths of the modules whose output it is, a grid offers unasked.

    Outputs of blocks (modules with children in a Sequential or ModuleList, and in no other block); where there are
    none, of any modules with children; else of activation functions; else all.
    """
    rules: tuple[Callable[[nn.Module, str], bool], ...] = (_is_block, _is_composite, _is_activation)
    for rule in rules:
        chosen = [any(rule(module, path) for path in paths) for paths in places]
        if any(chosen):
            return chosen
    return [True] * len(places)


def naming(module: nn.Module, paths: Sequence[str]) -> str:
    """Which of the modules that share an output, inner ones first, it is called after."""
    plain = [path for path in paths if not isinstance(module.get_submodule(path), CONTAINERS)]
    return (plain or paths)[-1]


def does_not_fit(shape: Sequence[int], error: Exception) -> StitchLabError:
    """What is said where images of this shape do not fit a network."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return StitchLabError(f"images of {'×'.join(map(str, shape))} do not fit this network: {line}")


def _is_composite(module: nn.Module, path: str) -> bool:
    here = module.get_submodule(path)
    return here is not module and not isinstance(here, CONTAINERS) and any(here.children())


def _in_container(module: nn.Module, path: str) -> bool:
    return isinstance(module.get_submodule(path.rpartition(".")[0]), CONTAINERS) and _is_composite(module, path)


def _is_block(module: nn.Module, path: str) -> bool:
    parts = path.split(".")
    above = (".".join(parts[:k]) for k in range(1, len(parts)))
    return _in_container(module, path) and not any(_in_container(module, outer) for outer in above)


def _is_activation(module: nn.Module, path: str) -> bool:
    return isinstance(module.get_submodule(path), _ACTIVATIONS)

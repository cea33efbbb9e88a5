"""Name cut points, and choose those that a grid takes by default."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from stitchlab.errors import StitchLabError

CONTAINERS = (nn.Sequential, nn.ModuleList)
# A subclass with a forward of its own does more than contain modules.
_CONTAINER_FORWARDS = [container.forward for container in CONTAINERS]
_ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Mish, nn.Tanh, nn.Sigmoid)


def defaults(module: nn.Module, places: Sequence[Sequence[str]]) -> list[bool]:
    """Choose the cut points that a grid takes by default: True for those, False for the others.

    They are the outputs of blocks: modules with children that lie in a Sequential or ModuleList, and in no other block.
    Where there are none, they are the outputs of any modules with children; where there are none of these either, of
    activation functions; else all.

    ``places`` lists for each cut point the paths of the modules that return its activations.
    """
    rules: tuple[Callable[[nn.Module, str], bool], ...] = (_is_block, _is_composite, _is_activation)
    for rule in rules:
        chosen = [any(rule(module, path) for path in paths) for paths in places]
        if any(chosen):
            return chosen
    return [True] * len(places)


def naming(module: nn.Module, paths: Sequence[str]) -> str:
    """Choose the module after which an output is named, among those that computed it; empty if all are containers.

    Nothing is named after a container, since it runs its children one after the other and computes nothing itself.
    """
    candidates = [path for path in paths if not _only_contains(module.get_submodule(path))]
    return candidates[-1] if candidates else ""


def does_not_fit(shape: Sequence[int], error: Exception) -> StitchLabError:
    """Make the error which says that images of this shape do not fit a network."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return StitchLabError(f"images of {'×'.join(map(str, shape))} do not fit this network: {line}")


def _only_contains(module: nn.Module) -> bool:
    return isinstance(module, CONTAINERS) and getattr(type(module), "forward", None) in _CONTAINER_FORWARDS


def _is_composite(module: nn.Module, path: str) -> bool:
    submodule = module.get_submodule(path)
    return submodule is not module and not isinstance(submodule, CONTAINERS) and any(submodule.children())


def _in_container(module: nn.Module, path: str) -> bool:
    return isinstance(module.get_submodule(path.rpartition(".")[0]), CONTAINERS) and _is_composite(module, path)


def _is_block(module: nn.Module, path: str) -> bool:
    parts = path.split(".")
    enclosing = (".".join(parts[:k]) for k in range(1, len(parts)))
    return _in_container(module, path) and not any(_in_container(module, outer) for outer in enclosing)


def _is_activation(module: nn.Module, path: str) -> bool:
    return isinstance(module.get_submodule(path), _ACTIVATIONS)

"""Name cut points, and choose those that a grid takes by default."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from stitchlab.errors import StitchLabError

CONTAINERS = (nn.Sequential, nn.ModuleList)
_FORWARDS = [kind.forward for kind in CONTAINERS]  # a subclass with a forward of its own is more than a container
_ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Mish, nn.Tanh, nn.Sigmoid)


def defaults(module: nn.Module, places: Sequence[Sequence[str]]) -> list[bool]:
    """Choose the places that a grid takes by default; each is given by the modules whose output it is.

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
    """Choose the module after which an output is named, of those that made it; empty if all are containers.

    A container runs its children one after the other and does nothing of its own, so that it names nothing.
    """
    plain = [path for path in paths if not _only_contains(module.get_submodule(path))]
    return plain[-1] if plain else ""


def does_not_fit(shape: Sequence[int], error: Exception) -> StitchLabError:
    """Make the error that says that images of this shape do not fit a network."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return StitchLabError(f"images of {'×'.join(map(str, shape))} do not fit this network: {line}")


def _only_contains(module: nn.Module) -> bool:
    return isinstance(module, CONTAINERS) and getattr(type(module), "forward", None) in _FORWARDS


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

"""Find by forward hooks where a network that cannot be traced can be cut, and run its parts.

A module's output is a cut point if everything later follows from it alone. That is tried: the network is run on other
images with this one output put in place of its own, and must give the logits of the images that it came from. The tail
runs whatever comes before on some image and throws it away: the same numbers, more slowly.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from stitchlab.cutting.logits import logits_of
from stitchlab.cutting.points import defaults, does_not_fit, naming
from stitchlab.cutting.tracing import ALONE
from stitchlab.errors import StitchLabError
from stitchlab.results.cut_points import CutPoint

IMAGES = 2  # that every place is tried with
SAME = 1e-4  # how far logits may lie apart, relative to how far those of other images do


class SameLogits(StitchLabError):
    """Report a network that gives all images the same logits, so that trying cuts tells nothing."""


class Hooked:
    """Represent a network with its cut points, run by hooks.

    Args:
        module: the network, in eval mode. It is not changed.
        shape: (C, H, W) of its input.

    Raises:
        SameLogits: it gives all images the same logits.
        StitchLabError: images of this size do not fit it, its output is not the same twice, or no module's output
            is a cut point.
    """

    def __init__(self, module: nn.Module, shape: tuple[int, int, int]) -> None:
        self._module = module
        device = next((p.device for p in module.parameters()), torch.device("cpu"))
        generator = torch.Generator().manual_seed(0)
        images, others = (torch.rand(IMAGES, *shape, generator=generator).to(device) for _ in range(2))
        self._some = others[:1]
        with ALONE, torch.no_grad():
            self.flops, places, logits = _look(module, images, shape)
            other = _logits(module, others)
            if not torch.equal(logits, _logits(module, images)):
                raise StitchLabError("this network gives different logits for the same images each time, in eval mode")
            apart = float((logits - other).abs().max())
            cuts = [
                place
                for place in places
                if (put := self._put(place.path, place.output, others)) is not None
                and float((put - logits).abs().max()) <= SAME * apart
            ]
        if apart == 0:
            raise SameLogits(
                "this network gives the same logits for different images, so trying does not show "
                "where it can be cut; train it or import its weights"
            )
        if not cuts:
            raise StitchLabError(_nowhere(len(places)))
        self.nodes = len(places)
        every = [place.paths + place.passed for place in cuts]
        self.points = [
            CutPoint(
                place.path,
                tuple(p for p in paths if p != place.path),
                tuple(place.output.shape[1:]),
                default,
                place.flops // IMAGES,
                place.parameters,
            )
            for place, paths, default in zip(cuts, every, defaults(module, every), strict=True)
        ]

    def up_to(self, names: Sequence[str], *, output: bool = False) -> Callable[[Tensor], list[Tensor]]:
        """Return the network up to these cut points, as `stitchlab.cutting.fx_graph.Graph.up_to` does."""
        return partial(self._run, list(names), output)

    def after(self, name: str) -> Callable[[Tensor], Tensor]:
        """Return the rest of the network; the layers before it are run too, on some image, and their result dropped."""

        def tail(activation: Tensor) -> Tensor:
            images = self._some.to(activation.device).expand(len(activation), -1, -1, -1)
            if (logits := self._put(name, activation, images)) is None:
                raise StitchLabError(f"this network does not always call its layer {name}: it cannot be cut there")
            return logits

        return tail

    def _run(self, names: list[str], output: bool, images: Tensor) -> list[Tensor]:
        kept: dict[str, Tensor] = {}

        def keep(name: str, module: nn.Module, given: Any, out: Tensor) -> None:
            kept[name] = out.clone()  # an in-place operation may overwrite it otherwise
            if len(kept) == len(set(names)) and not output:
                raise _Enough

        with _hooks(self._module, {name: partial(keep, name) for name in names}), contextlib.suppress(_Enough):
            logits = _logits(self._module, images)
        return [kept[name] for name in names] + ([logits] if output else [])

    def _put(self, name: str, activation: Tensor, images: Tensor) -> Tensor | None:
        """Run the network with this activation in place of the layer's own; return None if the layer is not called."""
        used = False

        def put(module: nn.Module, given: Any, out: Tensor) -> Tensor:
            nonlocal used
            used = True
            return activation.clone()

        with _hooks(self._module, {name: put}):
            logits = _logits(self._module, images)
        return logits if used else None


class _Enough(Exception):
    """End a forward pass once all that is wanted is there."""


@dataclass
class _Place:
    """Describe an output of one or more modules, inner ones first, with operations and parameters up to it.

    ``passed`` are those that were given it by one of them, and passed it on as it came.
    """

    tensor: Tensor
    version: int
    output: Tensor
    flops: int
    parameters: int
    paths: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    path: str = ""


def _look(module: nn.Module, images: Tensor, shape: tuple[int, int, int]) -> tuple[int, list[_Place], Tensor]:
    """Return the floating point operations, the outputs of modules that are called once, and the logits."""
    places: list[_Place] = []
    calls: Counter[str] = Counter()
    learned: dict[int, int] = {}
    counter = FlopCounterMode(display=False)

    def note(path: str, here: nn.Module, given: Any, out: Any) -> None:
        calls[path] += 1
        learned.update({id(p): p.numel() for p in here.parameters()})
        if not isinstance(out, Tensor) or out.dim() < 2 or not out.is_floating_point():
            return
        # An in-place operation returns what it was given, in a later version: that is another place.
        place = next((p for p in places if p.tensor is out and p.version == out._version), None)
        if place is None:
            place = _Place(out, out._version, out.clone(), counter.get_total_flops(), sum(learned.values()))
            places.append(place)
        came = bool(place.paths) and any(value is out for value in given)
        (place.passed if came else place.paths).append(path)

    inner = {path: partial(note, path) for path, _ in module.named_modules() if path}
    with _hooks(module, inner), counter:
        try:
            logits = _logits(module, images)
        except StitchLabError:
            raise
        except Exception as error:  # whatever a user's forward raises
            raise does_not_fit(shape, error) from error
    once = []
    for place in places:
        place.paths, place.passed = ([p for p in paths if calls[p] == 1] for paths in (place.paths, place.passed))
        if path := naming(module, place.paths):
            place.path = path
            once.append(place)
    return counter.get_total_flops() // IMAGES, once, logits


def _logits(module: nn.Module, images: Tensor) -> Tensor:
    logits: Tensor = logits_of(module(images))
    return logits


@contextlib.contextmanager
def _hooks(module: nn.Module, by_path: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    """Set forward hooks on these modules in this thread until the context ends: others may run the module too."""
    here = threading.get_ident()

    def mine(hook: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *call: hook(*call) if threading.get_ident() == here else None

    handles = [module.get_submodule(path).register_forward_hook(mine(hook)) for path, hook in by_path.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _nowhere(places: int) -> str:
    if not places:
        return (
            "this network cannot be cut anywhere: torch.fx cannot trace it, and no module that it calls just once "
            "returns one tensor; write its blocks as modules"
        )
    return (
        f"this network cannot be cut anywhere: torch.fx cannot trace it, and after none of its {places} modules "
        "does everything depend on that module's output alone (connections skip them all)"
    )

"""Find by forward hooks where a network that cannot be traced can be cut, and run its parts.

A module's output is a cut point if everything later follows from it alone. Each output is tried: the network is run on
other images, a hook replaces the module's output by the one recorded on the first images, and the logits must be those
of the first images. The end of a network is run in the same way: the layers before the cut see some image, and the
hook discards what they compute. The numbers are those of a traced network, but it takes longer.
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
from stitchlab.cutting.tracing import TRACING_LOCK
from stitchlab.errors import StitchLabError
from stitchlab.results.cut_points import CutPoint

TRIAL_IMAGES = 2  # with which each output is tried
MAX_LOGIT_ERROR = 1e-4  # of a cut point, relative to the largest difference between the logits of different images


class ConstantLogits(StitchLabError):
    """Report a network that gives all images the same logits, so that trying an output shows nothing."""


class HookedNetwork:
    """Represent a network with its cut points, whose parts are run by hooks.

    Args:
        module: the network, in eval mode. It is not changed.
        shape: (C, H, W) of its input.

    Raises:
        ConstantLogits: it gives all images the same logits.
        StitchLabError: images of this size do not fit it, its output is not the same twice, or no module's output
            is a cut point.
    """

    traced = False

    def __init__(self, module: nn.Module, shape: tuple[int, int, int]) -> None:
        self._module = module
        device = next((p.device for p in module.parameters()), torch.device("cpu"))
        generator = torch.Generator().manual_seed(0)
        images, other_images = (torch.rand(TRIAL_IMAGES, *shape, generator=generator).to(device) for _ in range(2))
        self._some_image = other_images[:1]
        with TRACING_LOCK, torch.no_grad():
            self.flops, outputs, logits = _observe(module, images, shape)
            other_logits = _logits(module, other_images)
            if not torch.equal(logits, _logits(module, images)):
                raise StitchLabError("this network gives different logits for the same images each time, in eval mode")
            difference = float((logits - other_logits).abs().max())
            cuts = [
                output
                for output in outputs
                if (replaced := self._replace(output.path, output.values, other_images)) is not None
                and float((replaced - logits).abs().max()) <= MAX_LOGIT_ERROR * difference
            ]
        if difference == 0:
            raise ConstantLogits(
                "this network gives the same logits for different images, so trying does not show "
                "where it can be cut; train it or import its weights"
            )
        if not cuts:
            raise StitchLabError(_no_cut_point(len(outputs)))
        self.nodes = len(outputs)
        paths_of_cuts = [cut.computing + cut.passing for cut in cuts]
        self.points = [
            CutPoint(
                cut.path,
                tuple(p for p in paths if p != cut.path),
                tuple(cut.values.shape[1:]),
                default,
                cut.flops // TRIAL_IMAGES,
                cut.parameters,
            )
            for cut, paths, default in zip(cuts, paths_of_cuts, defaults(module, paths_of_cuts), strict=True)
        ]

    def __repr__(self) -> str:
        """Say what it is: ``<Hooked: 38 cut points among 60 modules' outputs>``."""
        return f"<Hooked: {len(self.points)} cut points among {self.nodes} modules' outputs>"

    def up_to(self, names: Sequence[str], *, output: bool = False) -> Callable[[Tensor], list[Tensor]]:
        """Return the network up to these cut points, as `stitchlab.cutting.cuttable.CuttableNetwork.up_to` says."""
        return partial(self._run, list(names), output)

    def after(self, name: str) -> Callable[[Tensor], Tensor]:
        """Return the rest of the network; layers before the cut run too, on some image, and their result is dropped."""

        def tail(activation: Tensor) -> Tensor:
            images = self._some_image.to(activation.device).expand(len(activation), -1, -1, -1)
            if (logits := self._replace(name, activation, images)) is None:
                raise StitchLabError(f"this network does not always call its layer {name}: it cannot be cut there")
            return logits

        return tail

    def _run(self, names: list[str], output: bool, images: Tensor) -> list[Tensor]:
        activations: dict[str, Tensor] = {}

        def record(name: str, module: nn.Module, inputs: Any, out: Tensor) -> None:
            activations[name] = out.clone()  # an in-place operation may overwrite it otherwise
            if len(activations) == len(set(names)) and not output:
                raise _StopForward

        with _hooks(self._module, {name: partial(record, name) for name in names}), contextlib.suppress(_StopForward):
            logits = _logits(self._module, images)
        return [activations[name] for name in names] + ([logits] if output else [])

    def _replace(self, name: str, activation: Tensor, images: Tensor) -> Tensor | None:
        """Run the network with this activation in place of the layer's own; return None if the layer is not called."""
        called = False

        def replace(module: nn.Module, inputs: Any, out: Tensor) -> Tensor:
            nonlocal called
            called = True
            return activation.clone()

        with _hooks(self._module, {name: replace}):
            logits = _logits(self._module, images)
        return logits if called else None


class _StopForward(Exception):
    """End a forward pass once all wanted activations are recorded."""


@dataclass
class _Output:
    """Describe an output of one or more modules.

    Attributes:
        tensor, version: the returned object, and how often in-place operations had changed it then.
        values: a copy, which nothing overwrites.
        flops, parameters: floating point operations of all images, and learned numbers, up to this output.
        computing: paths of the modules that computed it, inner ones first.
        passing: paths of modules that got it from one of those, and passed it on unchanged.
        path: the module after which it is named.
    """

    tensor: Tensor
    version: int
    values: Tensor
    flops: int
    parameters: int
    computing: list[str] = field(default_factory=list)
    passing: list[str] = field(default_factory=list)
    path: str = ""


def _observe(module: nn.Module, images: Tensor, shape: tuple[int, int, int]) -> tuple[int, list[_Output], Tensor]:
    """Return one image's floating point operations, the outputs of modules that are called once, and the logits."""
    outputs: list[_Output] = []
    calls: Counter[str] = Counter()
    numel: dict[int, int] = {}  # of each parameter seen so far, by id
    counter = FlopCounterMode(display=False)

    def record(path: str, submodule: nn.Module, inputs: Any, out: Any) -> None:
        calls[path] += 1
        numel.update({id(p): p.numel() for p in submodule.parameters()})
        if not isinstance(out, Tensor) or out.dim() < 2 or not out.is_floating_point():
            return
        # An in-place operation returns the same tensor with a later version number: that is another output.
        output = next((o for o in outputs if o.tensor is out and o.version == out._version), None)
        if output is None:
            output = _Output(out, out._version, out.clone(), counter.get_total_flops(), sum(numel.values()))
            outputs.append(output)
        unchanged = bool(output.computing) and any(value is out for value in inputs)
        (output.passing if unchanged else output.computing).append(path)

    with _hooks(module, {path: partial(record, path) for path, _ in module.named_modules() if path}), counter:
        try:
            logits = _logits(module, images)
        except StitchLabError:
            raise
        except Exception as error:  # whatever a user's forward raises
            raise does_not_fit(shape, error) from error
    named = []
    for output in outputs:
        output.computing = [path for path in output.computing if calls[path] == 1]
        output.passing = [path for path in output.passing if calls[path] == 1]
        if path := naming(module, output.computing):
            output.path = path
            named.append(output)
    return counter.get_total_flops() // TRIAL_IMAGES, named, logits


def _logits(module: nn.Module, images: Tensor) -> Tensor:
    logits: Tensor = logits_of(module(images))
    return logits


@contextlib.contextmanager
def _hooks(module: nn.Module, by_path: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    """Set forward hooks on these modules until the context ends; they ignore calls by other threads."""
    thread = threading.get_ident()

    def in_this_thread(hook: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *call: hook(*call) if threading.get_ident() == thread else None

    handles = [module.get_submodule(p).register_forward_hook(in_this_thread(hook)) for p, hook in by_path.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _no_cut_point(outputs: int) -> str:
    """Say why a network with so many outputs of modules has no cut point."""
    if not outputs:
        return (
            "this network cannot be cut anywhere: torch.fx cannot trace it, and no module that it calls just once "
            "returns one tensor; write its blocks as modules"
        )
    return (
        f"this network cannot be cut anywhere: torch.fx cannot trace it, and after none of its {outputs} modules "
        "does everything depend on that module's output alone (connections skip them all)"
    )

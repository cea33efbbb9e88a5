"""Hold two networks, the data on which they are compared, and a device: every computation of a grid starts here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor, nn

from stitchlab.cutting.layered import Layered
from stitchlab.cutting.logits import logits_of
from stitchlab.data.registry import load_by_fingerprint
from stitchlab.data.splits import BATCH, DataSet, Split, batch_size_for, take_on_device
from stitchlab.models.store import LoadedNetwork, load, prepare
from stitchlab.request import Request
from stitchlab.results.activation_layout import Layout, layout_of
from stitchlab.store import Store

#: uint8 images (N, C, H, W) to the activations of some layers, by layer.
ForwardPass = Callable[[Tensor], dict[str, Tensor]]


@dataclass(frozen=True)
class Pair:
    """Represent a front and an end network on a device; each is cut into layers on first use."""

    front: LoadedNetwork
    end: LoadedNetwork
    data: DataSet
    device: torch.device

    @cached_property
    def front_cuts(self) -> Layered:
        """Cut the front network into layers."""
        return _cut(self.front)

    @cached_property
    def end_cuts(self) -> Layered:
        """Cut the end network into layers."""
        return _cut(self.end)

    def front_shape(self, layer: str) -> tuple[int, ...]:
        """Return the shape of one image's activations at a front layer."""
        return self.front_cuts.find(layer).shape

    def end_shape(self, layer: str) -> tuple[int, ...]:
        """Return the shape of one image's activations at an end layer."""
        return self.end_cuts.find(layer).shape

    def source(self, layer: str) -> Layout:
        """Return the layout of a front layer's activations."""
        return layout_of(self.front_shape(layer))

    def target(self, layer: str) -> Layout:
        """Return the layout of an end layer's activations."""
        return layout_of(self.end_shape(layer))

    def run_front(self, layers: Sequence[str]) -> ForwardPass:
        """Return a function that runs the front network up to the last of these layers, without gradients."""
        return _run(self.front, self.front_cuts, layers)

    def run_end(self, layers: Sequence[str]) -> ForwardPass:
        """Return a function that computes native activations: it runs the end network up to these layers."""
        return _run(self.end, self.end_cuts, layers)

    def tail(self, layer: str) -> Callable[[Tensor], Tensor]:
        """Return a function that runs the end network after this layer: activations (N, ...) to logits (N, classes)."""
        return self.end_cuts.folded(self.end_cuts.after(layer))

    @property
    def dtype(self) -> torch.dtype:
        """Return the data type in which the end network, and every stitch into it, computes."""
        return _dtype(self.end)

    @torch.no_grad()
    def logits(self, images: Tensor, network: LoadedNetwork | None = None) -> Tensor:
        """Compute the end network's own logits (N, classes) of uint8 images (N, C, H, W), or those of ``network``."""
        network = network or self.end
        logits: Tensor = logits_of(network.module(_prepared(network, images)))
        return logits

    def at_once(self, size: int = BATCH) -> int:
        """Return the number of images to run together where ``size`` is preferred (`splits.batch_size_for`)."""
        return batch_size_for(size, max(self.front.size, self.end.size))

    def batches(self, split: Split, order: Tensor, size: int = BATCH) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images (N, C, H, W) uint8 and labels (N,) on the device, batch by batch.

        Args:
            split: of the pair's data.
            order: indices into the split (n,), in the order in which the images are yielded.
            size: preferred number of images in a batch; it is smaller where the networks' inputs are large.
        """
        take = take_on_device(split, self.device)
        for indices in order.split(self.at_once(size)):
            yield take(indices)


def load_pair(store: Store, request: Request, device: torch.device) -> Pair:
    """Load the networks and the data of a request onto a device.

    Args:
        store: where the networks and the data are kept.
        request: names them by id and fingerprint.
        device: where the networks, and later the batches of images, are put.

    Raises:
        UnknownName: the store lacks a network.
        StitchLabError: the store lacks the data, or weights or code are missing.
        Damaged: a file does not match its checksum.
    """
    return Pair(
        load(request.front, store, device=device),
        load(request.end, store, device=device),
        load_by_fingerprint(request.data, store),
        device,
    )


def _cut(network: LoadedNetwork) -> Layered:
    return _layered(network.module, network.input)


@lru_cache(maxsize=16)  # a loaded module stays the same object, so each network is traced once per process
def _layered(module: nn.Module, shape: tuple[int, int, int]) -> Layered:
    return Layered(module.to(memory_format=torch.channels_last), shape)


def _prepared(network: LoadedNetwork, images: Tensor) -> Tensor:
    # Convolutions, resizing and 1×1 maps are all faster with channels last; on a CPU the latter two are much faster.
    return prepare(network, images).to(_dtype(network)).contiguous(memory_format=torch.channels_last)


def _dtype(network: LoadedNetwork) -> torch.dtype:
    return next((parameter.dtype for parameter in network.module.parameters()), torch.float32)


def _run(network: LoadedNetwork, cuts: Layered, layers: Sequence[str]) -> ForwardPass:
    up_to = cuts.folded(cuts.up_to(layers))

    @torch.no_grad()
    def run(images: Tensor) -> dict[str, Tensor]:
        return dict(zip(layers, up_to(_prepared(network, images)), strict=True))

    return run

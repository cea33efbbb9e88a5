"""Define what detectors see: native activations to be fitted on, and batches of any activations to be scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stitchlab.errors import StitchLabError
from stitchlab.request import Report, no_report
from stitchlab.results.activation_layout import Layout

Array = npt.NDArray[np.float64]
NOT_FINITE = "activations are infinite or not numbers"


class CannotFit(StitchLabError):
    """Report that a detector cannot be fitted on these activations; other detectors may still be."""


def positions(activation: Tensor, layout: Layout) -> Tensor:
    """Reshape activations (n, ...) to (n, positions, channels): pixels of maps, all tokens, or one for a vector."""
    channels_last = activation.movedim(1, -1) if layout.kind == "map" else activation
    return channels_last.reshape(len(activation), -1, layout.channels)


def as_map(activation: Tensor, layout: Layout) -> Tensor:
    """Reshape activations (n, ...) to maps (n, C, H, W) for display: tokens to a square or T×1, without class token."""
    x = positions(activation, layout)
    x = x[:, 1:] if layout.class_token else x
    shape = (layout.height, layout.width) if layout.height * layout.width == x.shape[1] else (x.shape[1], 1)
    maps: Tensor = x.transpose(1, 2).unflatten(2, shape)
    return maps


def features(activation: Tensor, layout: Layout) -> Array:
    """Compute each channel's mean and standard deviation over positions, which detectors without training see.

    Args:
        activation: (n, ...) of this layout.

    Returns:
        (n, 2C) float64, means first; (n, C), the activations themselves, where there is one position only.
    """
    x = positions(activation, layout)
    if x.shape[1] == 1:
        return x[:, 0].cpu().double().numpy()
    mean = x.mean(1, keepdim=True)
    standard_deviation = (x - mean).square().mean(1).sqrt()  # torch.std_mean is eight times slower over this axis
    return torch.cat([mean[:, 0], standard_deviation], 1).cpu().double().numpy()


class Batch:
    """Hold activations (n, ...) of an end layer: native, stitched or of outliers.

    Args:
        activation: on the device of the network.
        layout: of the end layer.
        tail: the end network after that layer.
        why_not_finite: gives the reason where activations are not finite.
    """

    def __init__(
        self,
        activation: Tensor,
        layout: Layout,
        tail: Callable[[Tensor], Tensor],
        why_not_finite: Callable[[], str] = lambda: NOT_FINITE,
    ) -> None:
        self.activation, self.layout, self.why_not_finite, self._tail = activation, layout, why_not_finite, tail

    def __len__(self) -> int:
        return len(self.activation)

    @cached_property
    def features(self) -> Array:
        """Compute `features` of the activations: (n, 2C) or (n, C)."""
        return features(self.activation, self.layout)

    @cached_property
    def logits(self) -> Tensor:
        """Compute the logits (n, classes) of the end network for these activations."""
        with torch.no_grad():
            return self._tail(self.activation)

    @cached_property
    def predictions(self) -> Tensor:
        """Return the class of the largest logit (n,); -1 for images with a logit that is not finite."""
        return self.logits.argmax(1).where(self.logits.isfinite().all(1), -1)

    @cached_property
    def finite(self) -> bool:
        """Tell whether no activation is infinite or NaN, as training that diverged makes them."""
        return bool(np.isfinite(self.features).all())


#: Scores (n,) of a batch: larger is more native.
Score = Callable[[Batch], Array]


@dataclass(frozen=True, kw_only=True)
class Native:
    """Hold native activations of training images, on which a detector of an end layer is fitted.

    Attributes:
        features: (N, 2C) or (N, C), see `features`.
        labels: (N,) int64.
        classes: how many there are.
        layout: of the end layer.
        batches: yields the activations themselves with labels, in another order at each call; for detectors that learn.
        outliers: yields activations of auxiliary outliers without end; for detectors that learn.
        recall: reads the state that a detector learned on this layer earlier; None if there is none.
        remember: keeps such a state.
    """

    features: Array
    labels: npt.NDArray[np.int64]
    classes: int
    layout: Layout
    batches: Callable[[], Iterator[tuple[Tensor, Tensor]]] = lambda: iter(())
    outliers: Callable[[], Iterator[Tensor]] = lambda: iter(())
    recall: Callable[[], dict[str, Tensor] | None] = lambda: None
    remember: Callable[[dict[str, Tensor]], None] = lambda state: None
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    report: Report = no_report

    def __post_init__(self) -> None:
        if not np.isfinite(self.features).all():
            raise CannotFit("native activations are infinite or not numbers: was this network trained?")

    def enough(self, images: int) -> None:
        """Check that there are so many images, and that a feature varies. Raises CannotFit."""
        if len(self.features) < images:
            raise CannotFit(f"expected {images} training images or more to fit it; got {len(self.features)}")
        if not np.ptp(self.features, axis=0).any():
            raise CannotFit("native activations of this layer are constant: there is nothing to fit")

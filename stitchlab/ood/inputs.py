"""Defines what detectors see: native activations to be fitted on, and batches of any activations to be scored."""

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
STRANGE = "activations are infinite or not numbers"


class CannotFit(StitchLabError):
    """Raised where a detector cannot be fitted on these activations; the others can."""


def positions(activation: Tensor, form: Layout) -> Tensor:
    """Give activations (n, ...) as (n, positions, channels): pixels of maps, all tokens, or a vector's one place."""
    last = activation.movedim(1, -1) if form.kind == "map" else activation
    return last.reshape(len(activation), -1, form.channels)


def as_map(activation: Tensor, form: Layout) -> Tensor:
    """Give activations (n, ...) as maps (n, C, H, W) to look at: tokens but the class token as a square or T×1."""
    x = positions(activation, form)
    x = x[:, 1:] if form.class_token else x
    shape = (form.height, form.width) if form.height * form.width == x.shape[1] else (x.shape[1], 1)
    made: Tensor = x.transpose(1, 2).unflatten(2, shape)
    return made


def features(activation: Tensor, form: Layout) -> Array:
    """Compute what detectors without training see of each image: mean and deviation of every channel over positions.

    Args:
        activation: (n, ...) of this form.

    Returns:
        (n, 2C) float64, means first; (n, C), the activations themselves, where there is one position only.
    """
    x = positions(activation, form)
    if x.shape[1] == 1:
        return x[:, 0].cpu().double().numpy()
    mean = x.mean(1, keepdim=True)
    deviation = (x - mean).square().mean(1).sqrt()  # torch.std_mean is eight times slower over this axis
    return torch.cat([mean[:, 0], deviation], 1).cpu().double().numpy()


class Batch:
    """Holds activations (n, ...) of an end layer, native, stitched or of outliers.

    Args:
        activation: on the device of the network.
        form: of the end layer.
        tail: the end network after that layer.
        why: says, where they are not finite, what they come from that is not.
    """

    def __init__(
        self,
        activation: Tensor,
        form: Layout,
        tail: Callable[[Tensor], Tensor],
        why: Callable[[], str] = lambda: STRANGE,
    ) -> None:
        self.activation, self.form, self.why, self._tail = activation, form, why, tail

    def __len__(self) -> int:
        return len(self.activation)

    @cached_property
    def features(self) -> Array:
        """Compute `features` of the activations: (n, 2C) or (n, C)."""
        return features(self.activation, self.form)

    @cached_property
    def logits(self) -> Tensor:
        """Compute what the end network makes of them: (n, classes)."""
        with torch.no_grad():
            return self._tail(self.activation)

    @cached_property
    def predictions(self) -> Tensor:
        """Name the class of the largest logit (n,); -1 where logits are not finite, so that there is none."""
        return self.logits.argmax(1).where(self.logits.isfinite().all(1), -1)

    @cached_property
    def finite(self) -> bool:
        """Tell whether no number of it is infinite or missing (training that diverged makes such)."""
        return bool(np.isfinite(self.features).all())


#: Scores (n,) of a batch: larger is more native.
Score = Callable[[Batch], Array]


@dataclass(frozen=True, kw_only=True)
class Native:
    """Holds native activations of training images, for fitting a detector on an end layer.

    Attributes:
        features: (N, 2C) or (N, C), see `features`.
        labels: (N,) int64, and the number of ``classes``.
        batches: the activations themselves with labels, batch by batch, in another order each time; for detectors
            that learn.
        outliers: activations of auxiliary outliers, as long as one asks for more.
        recall, remember: what a detector learned on this layer once, to be kept somewhere.
    """

    features: Array
    labels: npt.NDArray[np.int64]
    classes: int
    form: Layout
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
        """Raise CannotFit for fewer images than that, or where all features are constant."""
        if len(self.features) < images:
            raise CannotFit(f"expected {images} training images or more to fit it; got {len(self.features)}")
        if not np.ptp(self.features, axis=0).any():
            raise CannotFit("native activations of this layer are constant: there is nothing to fit")

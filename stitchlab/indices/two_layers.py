"""Computes a similarity index, or its null, on the activations of two layers."""

from __future__ import annotations

from torch import Tensor

from stitchlab.catalog.indices import INDICES
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.indices import Value
from stitchlab.indices.grams import gram
from stitchlab.indices.null import Null
from stitchlab.indices.second_moments import Sums
from stitchlab.indices.statistics import Found, Wanted, by_grams, by_moments
from stitchlab.request import Cell, no_report

_XY: Cell = ("x", "y")


def measure(name: str, x: Tensor, y: Tensor) -> float | None:
    """Compute an index on two activations of the same images.

    Args:
        name: of the index, in `stitchlab.catalog.indices.INDICES`.
        x, y: the front's and the end's activations (N, C, H, W), (N, T, D) or (N, D).

    Returns:
        its value, in the index's own range; None where it is not defined.

    Raises:
        UnknownName: there is no such index.
        StitchLabError: x and y are no activations of the same images.

    >>> import torch
    >>> x = torch.randn(20, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    >>> round(measure("cka", x, x), 6), abs(round(measure("opd", x, 2 * x), 6))
    (1.0, 0.0)
    """
    value = defined(name, x, y)
    return None if isinstance(value, str) else value


def defined(name: str, x: Tensor, y: Tensor) -> Value:
    """Compute an index, or give the reason why it is undefined.

    Args:
        name, x, y: as for `measure`, whose errors it raises.
    """
    return _of_activations(Wanted([name]), x, y).values[name, _XY]


def permuted(name: str, x: Tensor, y: Tensor, permutations: int = 200, seed: int = 0) -> Null:
    """Compute an index's null: its values where y's images are permuted, to compare `measure` with.

    Args:
        name, x, y: as for `measure`, whose errors it raises.
        permutations: how many to draw.
        seed: decides them.

    Returns:
        a value for each permutation, or the reason why there are none.
    """
    return _of_activations(Wanted([name], permutations, seed), x, y).nulls[name, _XY]


def _of_activations(wanted: Wanted, x: Tensor, y: Tensor) -> Found:
    (name,) = wanted.names
    if name not in INDICES:
        raise UnknownName("similarity index", name, INDICES)
    _same_images(x, y)
    x, y = x.detach(), y.detach()
    if INDICES[name].needs == "grams":
        front, end = (gram(lambda v=v: [v], v[0].numel(), len(v)) for v in (x, y))  # type: ignore[misc]
        return by_grams(wanted, [_XY], {"x": front}, {"y": end}, no_report)
    sums = Sums(INDICES[name].needs, {_XY: (tuple(x.shape[1:]), tuple(y.shape[1:]))}, bool(wanted.permutations))
    sums.add({"x": x}, {"y": y})
    return by_moments(wanted, [_XY], sums, INDICES[name].needs, no_report)


def _same_images(x: Tensor, y: Tensor) -> None:
    """Check that two tensors are activations of the same images. Raises StitchLabError."""
    for side, value in (("front", x), ("end", y)):
        if not isinstance(value, Tensor) or not 2 <= value.dim() <= 4 or not value.is_floating_point():
            came = f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise StitchLabError(
                f"expected the {side} layer's activations as a tensor of real numbers (N, C, H, W), (N, T, D) or "
                f"(N, D); got {came}"
            )
    if len(x) != len(y) or not (x.numel() and y.numel()):
        raise StitchLabError(
            f"expected activations of the same N ≥ 1 images at both layers; got {tuple(x.shape)} and {tuple(y.shape)}"
        )

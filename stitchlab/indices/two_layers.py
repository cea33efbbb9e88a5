"""Compute a similarity index, or its null, on the activations of two layers."""

from __future__ import annotations

from torch import Tensor

from stitchlab.catalog.indices import INDICES
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.indices import Value
from stitchlab.indices.grams import Gram, gram
from stitchlab.indices.null import Null
from stitchlab.indices.second_moments import Sums
from stitchlab.indices.statistics import IndexRequest, IndexValues, by_grams, by_moments
from stitchlab.request import Cell, no_report

_XY: Cell = ("x", "y")  # the only cell here


def measure(name: str, x: Tensor, y: Tensor) -> float | None:
    """Compute an index on two activations of the same images.

    Args:
        name: of the index, a key of `stitchlab.catalog.indices.INDICES`.
        x, y: the front's and the end's activations (N, C, H, W), (N, T, D) or (N, D).

    Returns:
        the value, in the index's own range; None where it is undefined.

    Raises:
        UnknownName: there is no such index.
        StitchLabError: x and y are not activations of the same images.

    >>> import torch
    >>> x = torch.randn(20, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    >>> round(measure("cka", x, x), 6), abs(round(measure("opd", x, 2 * x), 6))
    (1.0, 0.0)
    """
    value = value_or_reason(name, x, y)
    return None if isinstance(value, str) else value


def value_or_reason(name: str, x: Tensor, y: Tensor) -> Value:
    """Compute an index, or return the reason why it is undefined.

    Args:
        name, x, y: as for `measure`, which raises the same errors.
    """
    return _compute(IndexRequest([name]), x, y).values[name, _XY]


def permutation_null(name: str, x: Tensor, y: Tensor, permutations: int = 200, seed: int = 0) -> Null:
    """Compute an index's null: its values after the images of y are permuted, for comparison with `measure`.

    Args:
        name, x, y: as for `measure`, which raises the same errors.
        permutations: number of permutations.
        seed: decides the permutations.

    Returns:
        a value for each permutation, or the reason why the null is undefined.
    """
    return _compute(IndexRequest([name], permutations, seed), x, y).nulls[name, _XY]


def _compute(wanted: IndexRequest, x: Tensor, y: Tensor) -> IndexValues:
    (name,) = wanted.names
    if name not in INDICES:
        raise UnknownName("similarity index", name, INDICES)
    _check_same_images(x, y)
    x, y = x.detach(), y.detach()
    if INDICES[name].needs == "grams":
        return by_grams(wanted, [_XY], {"x": _gram(x)}, {"y": _gram(y)}, no_report)
    sums = Sums(INDICES[name].needs, {_XY: (tuple(x.shape[1:]), tuple(y.shape[1:]))}, bool(wanted.permutations))
    sums.add({"x": x}, {"y": y})
    return by_moments(wanted, [_XY], sums, INDICES[name].needs, no_report)


def _gram(x: Tensor) -> Gram:
    return gram(lambda: [x], x[0].numel(), len(x))


def _check_same_images(x: Tensor, y: Tensor) -> None:
    """Check that two tensors are activations of the same images. Raises StitchLabError."""
    for side, activations in (("front", x), ("end", y)):
        is_tensor = isinstance(activations, Tensor)
        if not is_tensor or not 2 <= activations.dim() <= 4 or not activations.is_floating_point():
            got = f"{activations.dtype} {tuple(activations.shape)}" if is_tensor else type(activations).__name__
            raise StitchLabError(
                f"expected the {side} layer's activations as a tensor of real numbers (N, C, H, W), (N, T, D) or "
                f"(N, D); got {got}"
            )
    if len(x) != len(y) or not (x.numel() and y.numel()):
        raise StitchLabError(
            f"expected activations of the same N ≥ 1 images at both layers; got {tuple(x.shape)} and {tuple(y.shape)}"
        )

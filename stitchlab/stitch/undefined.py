"""Say why a number of a cell is undefined: which of its inputs is not finite, beginning with the earliest."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from stitchlab.request import Cell
from stitchlab.stitch.affine import Stitch

END_LOGITS_NOT_FINITE = "the end network's own logits are not finite"
NATIVE_NOT_FINITE = "the end network's own activations at {} are not finite"


def finite(*parts: Tensor) -> bool:
    """Tell whether no number in these tensors is infinite or NaN.

    >>> finite(torch.zeros(2), torch.ones(3)), finite(torch.zeros(2), torch.tensor([1.0, torch.nan]))
    (True, False)
    """
    return all(bool(part.isfinite().all()) for part in parts)


@torch.no_grad()
def cause(cell: Cell, front: Tensor, stitch: Stitch, native: Tensor, tail: Callable[[Tensor], Tensor]) -> str:
    """Say why stitched activations of a cell, or the logits computed from them, are not finite on some images.

    Args:
        cell: (front layer, end layer), named in the text.
        front: the front network's activations (n, ...) of those images.
        stitch: the stitch of the cell.
        native: the end network's native activations (n, ...).
        tail: the function that runs the end network after the end layer.
    """
    if not finite(front):
        return f"the front network's activations at {cell[0]} are not finite"
    map_is_finite = finite(stitch.weight, stitch.bias)
    if map_is_finite and not finite(stitch(front)):
        return "stitched activations are too large for their precision: training diverged, or the networks' are huge"
    if not map_is_finite and not finite(native):
        return NATIVE_NOT_FINITE.format(cell[1])
    if not finite(tail(native)):
        return f"the end network's logits are not finite, whatever is put in at {cell[1]}"
    if map_is_finite:
        return "the end network's logits are too large for their precision on stitched activations"
    return "the map is not finite: training diverged, or activations of some training images are not finite"

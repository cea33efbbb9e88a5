"""Direct matching: the affine map that is nearest, in least squares, to what the end network itself has.

min over W, b of ‖X Wᵀ + 1 bᵀ − Y‖_F², X the aligned front activations and Y the native ones as rows of positions, on K
training images. Where X is rank deficient: the minimum norm of (W, b) jointly, pinv([X 1]) Y, with singular values
below 1e-7 of the largest taken as zero. Exact, no training (Balogh & Jelasity 2025; Csiszárik et al. 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stitchlab.spec import Report, no_report
from stitchlab.stitch.affine import Form, Stitch, align, native_rows, rows
from stitchlab.stitch.pair import Pair, exact

CUTOFF = 1e-7  # of the largest singular value of [X 1]

Cell = tuple[str, str]  # front layer, end layer


def pseudo_inverse(gram: Tensor) -> Tensor:
    """([X 1]ᵀ[X 1])⁺ of a (C+1, C+1) float64 Gram matrix; its eigenvalues are the singular values of [X 1], squared."""
    values, vectors = torch.linalg.eigh(gram)
    kept = values > CUTOFF**2 * values[-1]
    inverse: Tensor = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
    return inverse


def least_squares(gram: Tensor, cross: Tensor) -> tuple[Tensor, Tensor]:
    """The least-squares map of minimum norm from second moments.

    Args:
        gram: [X 1]ᵀ[X 1], (C+1, C+1), float64.
        cross: [X 1]ᵀY, (C+1, D), float64.

    Returns:
        weight (D, C) and bias (D,).

    >>> x = torch.tensor([[0.0], [1.0], [2.0]], dtype=torch.float64)
    >>> ones = with_ones(x)
    >>> weight, bias = least_squares(ones.T @ ones, ones.T @ (3 * x + 1))
    >>> round(weight.item(), 6), round(bias.item(), 6)
    (3.0, 1.0)
    """
    return _split(pseudo_inverse(gram) @ cross)


def with_ones(x: Tensor) -> Tensor:
    """[X 1]: rows (n, C) with a column of ones behind, (n, C+1)."""
    return F.pad(x, (0, 1), value=1.0)


def direct_matching(
    pair: Pair, cells: Sequence[Cell], images: Tensor, report: Report = no_report
) -> dict[Cell, Stitch]:
    """Fits every cell's map in one pass over the images; memory is that of one batch and the second moments.

    Args:
        cells: which pairs of layers.
        images: indices into the training split.

    Returns:
        a stitch for each cell, fp32, on the pair's device.
    """
    front = pair.run_front(list(dict.fromkeys(i for i, _ in cells)))
    end = pair.run_end(list(dict.fromkeys(j for _, j in cells)))
    forms = {(i, j): (pair.source(i), pair.target(j)) for i, j in cells}
    grams: dict[object, Tensor] = {}
    crosses: dict[Cell, Tensor] = {}
    seen = 0
    for batch, _ in pair.batches(pair.data.train, images):
        report("direct matching", seen / len(images))
        ours, native = front(batch), end(batch)
        aligned: dict[object, Tensor] = {}
        for (i, j), (source, target) in forms.items():
            place = _place(i, target)
            if place not in aligned:
                aligned[place] = with_ones(exact(rows(align(ours[i], source, target))))
                _add(grams, place, aligned[place].T @ aligned[place])
            _add(crosses, (i, j), aligned[place].T @ exact(native_rows(native[j], source, target)))
        seen += len(batch)
    # One factorisation for each front layer and target size: all end layers of that size share it.
    inverses = {place: pseudo_inverse(gram) for place, gram in grams.items()}
    return {
        (i, j): Stitch.of(source, target, *_split(inverses[_place(i, target)] @ crosses[i, j])).to(pair.device)
        for (i, j), (source, target) in forms.items()
    }


def _place(front_layer: str, target: Form) -> object:
    """What aligned front activations depend on: equal for end layers that share positions."""
    return front_layer, target.kind, target.height, target.width, target.tokens


def _add(sums: dict[Any, Tensor], key: Any, value: Tensor) -> None:
    sums[key] = sums[key] + value if key in sums else value


def _split(solution: Tensor) -> tuple[Tensor, Tensor]:
    return solution[:-1].T, solution[-1]

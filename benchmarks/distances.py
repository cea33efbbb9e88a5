"""Computes distances to native from second moments alone, for "distances only" in row b.

StitchLab itself reports a distance together with an accuracy, which needs the stitched activations anyway.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from stitchlab.request import Cell, no_report
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.moments import alignment_key, moments
from stitchlab.stitch.pair import Pair


@torch.no_grad()
def distances(pair: Pair, stitches: Mapping[Cell, Stitch], images: Tensor) -> dict[Cell, float | None]:
    """Compute the distances of `stitchlab.stitch.evaluate.evaluate` without computing stitched activations.

    With V = [W b], ‖V [X 1]ᵀ − Yᵀ‖² = tr(V [X 1]ᵀ[X 1] Vᵀ) − 2 tr(V [X 1]ᵀY) + ‖Y‖², and the moments of all cells come
    from one pass over the images. Rounding errors are about 1e-12. A distance is None where it is undefined.

    Args:
        pair, stitches: the networks with their data and device; the stitch of each cell.
        images: indices into the test split.
    """
    sums = moments(pair, list(stitches), pair.data.test, images, no_report, whole=True)
    distance: dict[Cell, float | None] = {}
    for (i, j), stitch in stitches.items():
        affine = torch.cat([stitch.weight.detach(), stitch.bias.detach()[:, None]], 1)
        gram, cross = sums.gram[alignment_key(i, pair.target(j))], sums.cross[i, j]
        squared_norm = float(sums.size[j])
        v = affine.to(gram)
        squared_error = float(((v @ gram) * v).sum() - 2 * (v * cross.T).sum()) + squared_norm
        defined = squared_norm and math.isfinite(squared_error / squared_norm)
        distance[i, j] = squared_error / squared_norm if defined else None
    return distance

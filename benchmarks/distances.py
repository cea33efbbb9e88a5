"""Computes distances of stitches from second moments alone: row b's "distances only".

The package itself reports a distance beside an accuracy, which needs the stitched activations anyway.
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
    """Compute the distances of `stitchlab.stitch.evaluate.evaluate`; no stitched activation is ever made.

    With V = [W b], ‖V [X 1]ᵀ − Yᵀ‖² = tr(V [X 1]ᵀ[X 1] Vᵀ) − 2 tr(V [X 1]ᵀY) + ‖Y‖², and the moments of all cells come
    from one pass over the images. Rounding limits it to about 1e-12. None where it is undefined.

    Args:
        pair, stitches: the networks, their data and the device; the stitches by cell.
        images: indices into the test split.
    """
    found = moments(pair, list(stitches), pair.data.test, images, no_report, whole=True)
    made: dict[Cell, float | None] = {}
    for (i, j), stitch in stitches.items():
        affine = torch.cat([stitch.weight.detach(), stitch.bias.detach()[:, None]], 1)
        gram, cross, size = found.gram[alignment_key(i, pair.target(j))], found.cross[i, j], float(found.size[j])
        v = affine.to(gram)
        missed = float(((v @ gram) * v).sum() - 2 * (v * cross.T).sum()) + size
        made[i, j] = missed / size if size and math.isfinite(missed / size) else None
    return made

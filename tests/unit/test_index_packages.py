"""Indices against packages that compute whole indices; `test_indices` has the references that are put together here."""

from __future__ import annotations

import numpy as np
import pytest
import repsim
import torch
from rsatoolbox.data.dataset import Dataset
from rsatoolbox.rdm.calc import calc_rdm
from rsatoolbox.rdm.compare import compare
from rsatoolbox.rdm.rdms import RDMs
from shesha import sim
from torch import Tensor

from stitchlab.indices.two_layers import measure

SHAPES = [((60, 8), (60, 8)), ((80, 12), (80, 5)), ((40, 3, 4, 4), (40, 5, 3, 3))]


def activations(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Two layers that share some of their features, none of them centred."""
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(*shape, generator=generator, dtype=torch.float64) + 0.5 for shape in (one, other))
    y.flatten(1)[:, :4] += x.flatten(1)[:, :4]
    return x, y


def images(x: Tensor) -> np.ndarray:
    return x.flatten(1).numpy()


def rows(x: Tensor) -> np.ndarray:
    return x.flatten(2).mean(2).numpy() if x.dim() == 4 else x.numpy()


@pytest.mark.parametrize(("one", "other"), SHAPES)
def test_repsim_says_the_same(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    x, y = activations(one, other)
    of_images, of_rows = ([made(v) for v in (x, y)] for made in (images, rows))
    assert measure("cka", x, y) == pytest.approx(repsim.cka(of_images, kernel_type="linear")[0, 1])
    # Its debiased CKA is divided by biased HSIC, so ours is held against its HSIC.
    unbiased = repsim.hsic(of_images, kernel_type="linear", estimator="song")
    assert measure("cka-debiased", x, y) == pytest.approx(unbiased[0, 1] / np.sqrt(unbiased[0, 0] * unbiased[1, 1]))
    # What it calls Pillai's trace is the mean canonical correlation.
    assert measure("cca", x, y) == pytest.approx(repsim.cca(of_rows, summary_type="pillai")[0, 1])
    if x.dim() == 2:  # it takes an orthonormal basis first: the same only where no direction is left out
        assert measure("svcca", x, y) == pytest.approx(repsim.svcca(of_rows, summary_type="pillai")[0, 1])


@pytest.mark.parametrize(("one", "other"), SHAPES)
def test_shesha_says_the_same(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    x, y = activations(one, other)
    assert measure("cka", x, y) == pytest.approx(sim.cka(images(x), images(y)))
    # Its debiased CKA keeps the diagonal in one of three terms: .55 for the last pair, where ours is .07.
    said = sim.rdm_similarity(images(x), images(y), metric="correlation", method="spearman")
    assert measure("rsa", x, y) == pytest.approx(said)
    if one == other:  # it asks for equal shapes, and gives the similarity 1 − half the distance
        similarity = sim.procrustes_similarity(rows(x), rows(y))
        assert isinstance(similarity, float)
        assert measure("opd", x, y) == pytest.approx(2 - 2 * similarity)


@pytest.mark.parametrize(("one", "other"), SHAPES)
def test_rsatoolbox_says_the_same(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    x, y = activations(one, other)
    first, second = (calc_rdm(Dataset(images(v)), method="correlation") for v in (x, y))
    assert isinstance(first, RDMs)
    assert isinstance(second, RDMs)
    assert measure("rsa", x, y) == pytest.approx(float(compare(first, second, method="spearman")[0, 0]))

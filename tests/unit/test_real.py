"""Real networks on real images: two public Tiny-10 on a part of CIFAR-10's JPEG copy, from import to grid."""

from __future__ import annotations

import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import reference
import torch

from benchmarks import plain
from stitchlab.data import registry as datasets
from stitchlab.grid.ask import compare
from stitchlab.models import importing
from stitchlab.models import store as model_store
from stitchlab.results.run import Run
from stitchlab.store import Store

SHARED = Path(__file__).parents[3] / "shared" / "data"
TINY10, CIFAR = SHARED / "tiny10", SHARED / "cifar10-images.tar.xz"
PER_CLASS = {"train": 30, "test": 60}
CELLS = [("relu1", "relu1"), ("relu8", "relu1"), ("relu1", "relu8"), ("relu5", "relu6")]

pytestmark = pytest.mark.skipif(
    not (TINY10.exists() and CIFAR.exists()), reason="the shared Tiny-10 and CIFAR-10 files are not on this machine"
)


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """DM and the indices of all eight layers, 300 training and 600 test images."""
    root = tmp_path_factory.mktemp("real")
    taken: Counter[str] = Counter()
    with tarfile.open(CIFAR) as archive:
        for member in archive:
            folder = str(Path(member.name).parent)
            if member.isfile() and taken[folder] < PER_CLASS[folder.split("/")[0]]:
                taken[folder] += 1
                archive.extract(member, root / "images", filter="data")
    store = Store(root / "cache")
    images = datasets.load(f"folder:{root / 'images'}", store)
    for seed in (0, 1):
        importing.import_weights(
            TINY10 / f"tiny10-cifar10-seed{seed}.pt",
            store,
            arch="tiny10",
            data=images,
            name=f"seed{seed}",
            mean=(0.4914, 0.4822, 0.4465),
            std=(0.2023, 0.1994, 0.2010),
            device="cpu",
        )
    return compare("seed0", "seed1", store=store, device="cpu", methods=["dm"])


def test_networks_know_these_images(grid: Run) -> None:
    assert grid.own_accuracy is not None
    assert grid.own_accuracy > 0.7, "about 78 % on the JPEG copy"


def test_direct_matching_is_best_on_or_next_to_the_diagonal(grid: Run) -> None:
    best = grid.matrix("dm", "accuracy").argmax(0)
    assert np.abs(best - np.arange(8)).max() <= 1


@pytest.mark.parametrize(("front_layer", "end_layer"), CELLS)
def test_numbers_equal_numpy(grid: Run, front_layer: str, end_layer: str) -> None:
    store, request = grid.store, grid.request
    images = datasets.load_by_fingerprint(request.data, store)
    front, end = (model_store.load(name, store, device="cpu") for name in (request.front, request.end))
    whole = reference.Whole(front, end, front_layer, end_layer)
    fitted, _ = images.train.take(images.train.order(0)[: request.dm.images])
    weight, bias = (torch.from_numpy(part).float() for part in whole.direct(fitted))
    order = images.test.order(0)[: request.eval_images]
    accuracy, distance = whole.evaluate(images.test, order, weight, bias)
    assert grid.value("dm", "distance", front_layer, end_layer) == pytest.approx(distance, abs=1e-4)
    assert grid.value("dm", "accuracy", front_layer, end_layer) == pytest.approx(accuracy, abs=2 / len(order))
    a, b = (v.double().numpy() for v in whole.activations(images.test.take(order)[0]))
    rows = [v.mean((2, 3)) for v in (a, b)]
    centred = [v.reshape(len(v), -1) - v.reshape(len(v), -1).mean(0) for v in (a, b)]
    k, m = (v @ v.T for v in centred)
    expected = {
        "cka": (k * m).sum() / np.linalg.norm(k) / np.linalg.norm(m),
        "pwcca": plain.pwcca(*rows),
        "opd": plain.opd(*rows),
    }
    for name, metric in (("cka", "similarity"), ("pwcca", "distance"), ("opd", "distance")):
        assert grid.value(name, metric, front_layer, end_layer) == pytest.approx(expected[name], abs=1e-4)

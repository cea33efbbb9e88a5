"""Fixtures that all tests may use: a store with small networks on digits, trained once a session."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import offline
import pytest
import torch

from stitchlab.data import registry as datasets
from stitchlab.models import create as making
from stitchlab.models import store as model_store
from stitchlab.models import zoo
from stitchlab.models.cut_points import cut_points_of_any
from stitchlab.models.train import channel_statistics
from stitchlab.results.networks import Network
from stitchlab.store import Store

# Everything here is tiny: a second thread costs more than it gives, above all where other tests run beside. With
# another number, or other instructions (ATEN_CPU_CAPABILITY, ONEDNN_MAX_CPU_ISA), every test has to pass all the same.
torch.set_num_threads(int(os.environ.get("STITCHLAB_TEST_THREADS", "1")))


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Whatever turns to another machine fails its test."""
    with pytest.MonkeyPatch.context() as patch:
        offline.guard(patch)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The gallery is empty, whatever comes with the project; tests that look at one lay out their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STITCHLAB_GALLERY", str(tmp_path_factory.mktemp("gallery")))
        yield


@pytest.fixture(scope="session")
def digits_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with `digits-a`, `digits-b` (resnet14, an epoch) and `vit` (vit-nano, fresh). Only read it."""
    store = Store(tmp_path_factory.mktemp("digits"))
    digits = datasets.load("digits", store)
    for seed, name in enumerate(("digits-a", "digits-b")):
        making.train("resnet14", digits, store, name=name, epochs=1, seed=seed, device="cpu")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = zoo.build("vit-nano", classes=10, channels=1, size=8)
    mean, std = channel_statistics(digits.train)
    vit = model_store.save(
        store,
        Network(
            name="vit",
            architecture="vit-nano",
            options={},
            classes=digits.classes,
            channels=1,
            size=8,
            mean=mean,
            std=std,
            data="digits",
            data_fingerprint=digits.fingerprint,
            origin={"how": "fresh"},
        ),
        module,
    )
    cut_points_of_any(store, vit)
    return store


@pytest.fixture
def store(digits_store: Store, tmp_path: Path) -> Store:
    """A copy of `digits_store` of one's own."""
    shutil.copytree(digits_store.root, tmp_path / "cache")
    return Store(tmp_path / "cache")

"""Recipes: augmentation, noise of labels, adversarial training against a hand-written step, the curve, odd numbers."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from toys import Convolutions, seeded

from stitchlab.catalog.training_recipes import RECIPES, Attack, Recipe
from stitchlab.data import registry as data
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.models import create as making
from stitchlab.models import store as model_store
from stitchlab.models import train as training
from stitchlab.models.attack import ascend, attack_images
from stitchlab.models.store import prepare
from stitchlab.request import derived_seed
from stitchlab.results import networks
from stitchlab.store import Store
from unit.test_networks import toy


@pytest.fixture
def store(tmp_path: Any) -> Store:
    return Store(tmp_path / "cache")


def halves(x: torch.Tensor) -> torch.Tensor:
    return (x / 255 - 0.4) / 0.3


def test_a_step_of_the_attack_is_the_written_one() -> None:
    module = seeded(lambda: Convolutions((4, 6), 3))
    images = torch.randint(0, 256, (5, 1, 8, 8), generator=torch.Generator().manual_seed(0)).float()
    labels = torch.tensor([0, 1, 2, 0, 1])
    delta = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    x = (images + delta).requires_grad_()
    F.cross_entropy(module(halves(x)), labels).backward()
    assert x.grad is not None
    wanted = np.clip(delta.numpy() + 2.0 * np.sign(x.grad.numpy()), -8.0, 8.0)
    wanted = np.clip(images.numpy() + wanted, 0, 255) - images.numpy()
    ours = ascend(module, halves, images, labels, delta, 8.0, 2.0)
    np.testing.assert_allclose(ours.numpy(), wanted, atol=1e-4)
    assert not ours.requires_grad


def test_an_attack_stays_in_the_ball_and_among_pixels_and_hurts() -> None:
    module = seeded(lambda: Convolutions((8, 8), 3)).train()
    images = torch.randint(0, 256, (40, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    labels = torch.arange(40) % 3
    out = attack_images(module, halves, images, labels, Attack(8 / 255, 5), torch.Generator().manual_seed(2))
    assert module.training
    assert (out - images.float()).abs().max() <= 8 + 1e-3
    assert (out - images.float()).abs().max() > 7
    assert out.min() >= 0
    assert out.max() <= 255
    clean, hurt = (F.cross_entropy(module(halves(x.float())), labels) for x in (images, out))
    assert hurt > clean + 0.005
    assert all(p.grad is None for p in module.parameters())
    again = attack_images(module, halves, images, labels, Attack(8 / 255, 5), torch.Generator().manual_seed(2))
    assert torch.equal(out, again)


@pytest.mark.parametrize("wrong", [{"epsilon": 0.0}, {"epsilon": 2.0}, {"epsilon": 0.1, "steps": 0}])
def test_attacks_that_are_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(StitchLabError, match="ε above 0 and at most 1"):
        Attack(**wrong)


def test_adversarial_training_makes_a_network_robust(store: Store) -> None:
    digits, attack = data.load("digits", store), Attack(32 / 255, 5)
    robust = {}
    for name, how in (("plain", None), ("robust", attack)):
        trained = making.train("mlp", digits, store, name=name, epochs=6, attack=how, device="cpu")
        made = model_store.load(trained.id, store, device="cpu")
        images, labels = torch.from_numpy(digits.test.images), torch.from_numpy(digits.test.labels)
        hit = attack_images(
            made.module, partial(prepare, made), images, labels, attack, torch.Generator().manual_seed(0)
        )
        robust[name] = float((made.module(prepare(made, hit)).argmax(1) == labels).float().mean())
        assert made.origin["attack"] == (None if how is None else {"epsilon": 32 / 255, "steps": 5})
    assert robust["robust"] > robust["plain"] + 0.05


def test_label_noise_replaces_a_share_of_labels_by_others() -> None:
    digits = toy(train=200, classes=4)
    clean = torch.from_numpy(digits.train.labels)
    assert torch.equal(training.noisy_labels(digits, 0.0, 1), clean)
    noisy = training.noisy_labels(digits, 0.25, 1)
    assert int((noisy != clean).sum()) == 50
    assert set(noisy.tolist()) == {0, 1, 2, 3}
    assert torch.equal(noisy, training.noisy_labels(digits, 0.25, 1))
    assert not torch.equal(noisy, training.noisy_labels(digits, 0.25, 2))
    assert int((training.noisy_labels(digits, 1.0, 1) != clean).sum()) == 200
    assert torch.equal(torch.from_numpy(digits.train.labels), clean)


def test_label_noise_is_trained_on(store: Store) -> None:
    digits = data.load("digits", store)
    clean, noisy = (
        making.train("mlp", digits, store, name=f"n{share}", epochs=5, label_noise=share, device="cpu")
        for share in (0.0, 0.6)
    )
    assert clean.origin["curve"][-1]["train"] > noisy.origin["curve"][-1]["train"] + 0.3
    assert noisy.origin["label_noise"] == 0.6


def test_augmentations_one_by_one() -> None:
    images = torch.arange(1, 65, dtype=torch.uint8).view(1, 1, 8, 8).repeat(64, 1, 1, 1)

    def out(*kinds: str) -> torch.Tensor:
        return training.augmented(images, torch.Generator().manual_seed(0), kinds)

    flipped = out("flip")
    mirrored = (flipped != images).flatten(1).any(1)
    assert 10 < int(mirrored.sum()) < 54
    assert torch.equal(flipped[mirrored], images[mirrored].flip(3))
    assert set((out("crop")[:, 0, 4, 4].int() - out("crop")[:, 0, 4, 3].int()).tolist()) == {1}
    assert torch.equal(out(), images)


def test_augmentation_is_a_stream_beside_the_order(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    shift = training.augmented

    def noted(images: torch.Tensor, generator: torch.Generator, kinds: tuple[str, ...]) -> torch.Tensor:
        seeds.append(generator.initial_seed())
        return shift(images, generator, kinds)

    monkeypatch.setattr(training, "augmented", noted)
    making.train("resnet14", toy(), store, epochs=2, seed=3, augment=["flip"], device="cpu")
    assert sorted(set(seeds)) == sorted(derived_seed("augmentation of training", 3, epoch) for epoch in (0, 1))
    assert not {derived_seed("training", 3, epoch) for epoch in (0, 1)} & set(seeds)


def test_without_augmentation_the_order_is_what_it_always_was(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """So weights are, bit for bit: an order and an initialisation is all that such a training draws."""
    seen: list[torch.Tensor] = []
    step = training._Learner.step

    def noted(learner: Any, images: torch.Tensor, labels: torch.Tensor, *where: int) -> tuple[float, int]:
        seen.append(images)
        return step(learner, images, labels, *where)

    monkeypatch.setattr(training._Learner, "step", noted)
    digits = toy(train=100)
    making.train("mlp", digits, store, epochs=2, seed=3, augment=[], device="cpu")
    generators = (torch.Generator().manual_seed(derived_seed("training", 3, epoch)) for epoch in (0, 1))
    order = torch.cat([torch.randperm(100, generator=generator) for generator in generators])
    assert torch.equal(torch.cat(seen), torch.from_numpy(digits.train.images)[order])


def test_natural_images_are_augmented_unless_told_otherwise(store: Store) -> None:
    for natural, asked, wanted in (
        (True, None, ["crop", "flip"]),
        (False, None, []),
        (True, ["flip"], ["flip"]),
        (True, [], []),
    ):
        made = making.train(
            "resnet14",
            toy(natural=natural),
            store,
            epochs=1,
            augment=asked,
            seed=3,
            name=f"{natural}{len(wanted)}{asked is None}",
            device="cpu",
        )
        assert made.origin["augment"] == wanted
        networks.delete(store, made.id)
    with pytest.raises(UnknownName, match="no augmentation is called 'rotate'"):
        making.train("resnet14", toy(), store, augment=["rotate"], device="cpu")


def test_the_curve_is_told_and_kept(store: Store) -> None:
    told: list[int] = []
    made = making.train(
        "mlp", data.load("digits", store), store, epochs=3, device="cpu", watch=lambda curve: told.append(len(curve))
    )
    curve = made.origin["curve"]
    assert told == [1, 2, 3]
    assert [point["epoch"] for point in curve] == [1, 2, 3]
    assert curve[-1]["test"] == made.accuracy
    assert curve[0]["loss"] > curve[-1]["loss"] > 0
    assert curve[-1]["train"] > 0.9


def test_one_image_alone_is_no_batch(store: Store) -> None:
    """65 images in batches of 64: batch norm on vectors has nothing to say about one."""
    made = making.train("mlp", toy(train=65), store, epochs=1, device="cpu")
    assert made.accuracy is not None


def test_a_network_that_diverges_is_one_line(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    wild = Recipe("sgd", lr=1e9, weight_decay=0.0, batch=16, epochs=3)
    monkeypatch.setitem(RECIPES, ("sgd", True), wild)
    with pytest.raises(StitchLabError, match=r"training diverged in epoch \d: the loss is (nan|inf)"):
        making.train("tiny10", toy(size=27, train=64), store, device="cpu")
    assert not networks.list_networks(store)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"label_noise": 1.5}, "label noise is a share"),
        ({"label_noise": -0.1}, "label noise is a share"),
        ({"arch": "noise"}, "noise is a control and learns nothing"),
        ({"seed": -1}, "expected a seed"),
    ],
)
def test_wrong_recipes(store: Store, wrong: dict[str, Any], message: str) -> None:
    what: dict[str, Any] = {"arch": "mlp", **wrong}
    with pytest.raises(StitchLabError, match=message):
        making.train(what.pop("arch"), toy(), store, **what)


def test_the_first_images_of_a_split_are_drawn_evenly() -> None:
    split = toy(train=200, classes=4).train
    assert split.first(500) is split
    few = split.first(40)
    assert len(few) == 40
    assert (few.labels == split.labels[split.order(0)[:40].numpy()]).all()
    assert (few.images == split.images[split.order(0)[:40].numpy()]).all()

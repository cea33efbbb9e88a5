"""Augmentation: against torchvision's own functions image by image, and what it must not depend on."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from reference import MAP, Whole, as_drawn
from torch import Tensor
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms import functional as transforms
from toys import pair

from stitchlab.catalog.augmentations import AUGMENTATIONS
from stitchlab.data.augment import draw
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.request import AUGMENTATION_NAMES, AugmentationName, Request, TaskLoss, canonical, derived_seed
from stitchlab.stitch.task import epoch_order, task_loss_matching, training_images
from unit.test_task import DATA, NETS, initial

SHAPES = [(3, 32, 32), (1, 28, 28), (3, 8, 12), (1, 5, 5)]


def images(shape: tuple[int, ...], count: int = 50) -> Tensor:
    return torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(4))


def test_the_catalog_has_every_name() -> None:
    assert tuple(AUGMENTATIONS) == AUGMENTATION_NAMES
    with pytest.raises(UnknownName, match="no augmentation is called 'rotate'"):
        draw("rotate", 3, (1, 8, 8), 0, 0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["crop", "flip-crop"])
def test_crops_and_flips_are_torchvisions(kind: str, shape: tuple[int, ...]) -> None:
    x, drawn = images(shape), draw(kind, 50, shape, 0, 3)
    down, across = (math.ceil(side / 8) for side in shape[1:])
    wanted = []
    for k, image in enumerate(x):
        top, left = int(drawn.draws["top"][k]), int(drawn.draws["left"][k])
        cut = transforms.crop(transforms.pad(image, [across, down]), top, left, *shape[1:])
        wanted.append(transforms.hflip(cut) if drawn.draws["mirror"][k] else cut)
    assert torch.equal(drawn.apply(x, 0), torch.stack(wanted))
    assert drawn.draws["mirror"].any() == (kind == "flip-crop")
    # Every place is drawn, the outermost ones too.
    many = draw(kind, 5000, shape, 1, 0).draws
    assert set(many["top"].tolist()) == set(range(2 * down + 1))
    assert set(many["left"].tolist()) == set(range(2 * across + 1))


def test_cifars_padding_is_4_and_fashion_mnists_too() -> None:
    for side in (32, 28):
        assert int(draw("crop", 5000, (1, side, side), 0, 0).draws["top"].max()) == 8


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 9, 14)])
def test_affine_maps_are_torchvisions(shape: tuple[int, ...]) -> None:
    x, drawn = images(shape), draw("affine", 50, shape, 0, 0)
    wanted = [
        transforms.center_crop(
            transforms.affine(
                transforms.pad(image, 4, padding_mode="edge"),
                float(drawn.draws["angle"][k]),
                [0, 0],
                float(drawn.draws["scale"][k]),
                [float(drawn.draws["shear"][k]), 0.0],
            ),
            list(shape[1:]),
        )
        for k, image in enumerate(x)
    ]
    same = (drawn.apply(x, 0) == torch.stack(wanted)).double().mean()
    assert same > 0.9995  # rounding decides between two pixels where a place lies on their border
    many = draw("affine", 20_000, shape, 0, 1).draws
    for name, low, high in (("angle", -5, 5), ("scale", 0.9, 1.1), ("shear", -5, 5)):
        assert low <= many[name].min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < many[name].max() <= high


@pytest.mark.parametrize("shape", [(3, 96, 96), (3, 70, 110), (1, 300, 40)])
def test_resized_crops_are_torchvisions(shape: tuple[int, ...]) -> None:
    x, drawn = images(shape, 20), draw("resized-crop", 20, shape, 0, 0)
    wanted = []
    for k, image in enumerate(x):
        part = [int(drawn.draws[name][k]) for name in ("top", "left", "height", "width")]
        resized = transforms.resize(transforms.crop(image, *part), list(shape[1:]), antialias=True)
        wanted.append(transforms.hflip(resized) if drawn.draws["mirror"][k] else resized)
    assert torch.equal(drawn.apply(x, 0), torch.stack(wanted))


@pytest.mark.parametrize("shape", [(3, 96, 96), (1, 300, 40)])
def test_resized_crops_are_drawn_as_torchvision_draws_them(shape: tuple[int, ...]) -> None:
    """Tries, their order and what is taken where none fits: the same shares, on the average of many."""
    count, height, width = 4000, *shape[1:]
    mine = draw("resized-crop", count, shape, 0, 0).draws
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        theirs = torch.tensor(
            [RandomResizedCrop.get_params(torch.empty(shape), [0.08, 1.0], [3 / 4, 4 / 3]) for _ in range(count)]
        )
    for k, name in enumerate(("top", "left", "height", "width")):
        a, b = mine[name].double(), theirs[:, k].double()
        assert abs(a.mean() - b.mean()) < 5 * (a.std() + b.std() + 1e-9) / math.sqrt(count), name
        assert abs(a.std() - b.std()) < 0.1 * b.std() + 1e-9, name
    assert bool((mine["top"] + mine["height"] <= height).all())
    assert bool((mine["left"] + mine["width"] <= width).all())
    assert int(mine["height"].min()) > 0


@pytest.mark.parametrize("kind", AUGMENTATION_NAMES)
def test_no_batch_size_changes_an_image(kind: str) -> None:
    x, drawn = images((3, 16, 16)), draw(kind, 50, (3, 16, 16), 2, 5)
    whole = drawn.apply(x, 0)
    for size in (1, 7, 49):
        parts = [drawn.apply(x[k : k + size], k) for k in range(0, 50, size)]
        assert torch.equal(torch.cat(parts), whole)
    assert whole.dtype == torch.uint8
    assert whole.shape == x.shape
    other = draw(kind, 50, (3, 16, 16), 2, 6).apply(x, 0)
    assert torch.equal(draw(kind, 50, (3, 16, 16), 2, 5).apply(x, 0), whole)
    assert torch.equal(other, whole) == (kind == "none")


def test_the_stream_is_its_own() -> None:
    """Neither the order of the epoch nor another seed or epoch draws the same."""
    assert derived_seed("augmentation of an epoch", 0, 0) != derived_seed("order of an epoch", 0, 0)
    drawn = [draw("flip-crop", 999, (3, 32, 32), *at).draws["top"] for at in ((0, 0), (0, 1), (1, 0))]
    agree = [float((a == b).double().mean()) for a, b in ((drawn[0], drawn[1]), (drawn[0], drawn[2]))]
    assert max(agree) < 0.2  # a ninth by chance


@pytest.mark.parametrize(("kind", "soft"), [("crop", False), ("flip-crop", True), ("affine", False)])
def test_ten_steps_on_augmented_images_are_the_plain_recipes(kind: AugmentationName, soft: bool) -> None:
    """Both networks see the augmented image, and so do soft targets."""
    cell = ("a", "act0", MAP, "b", "act1", MAP)
    weight, bias = initial(cell, 3)
    how: dict[str, Any] = {"seed": 3, "epochs": 2, "batch": 11, "lr": 1e-3, "soft": soft}
    net = Whole(NETS["a"], NETS["b"], "act0", "act1")
    wanted = net.train(DATA.train, weight, bias, augment=as_drawn(kind), **how)
    plain = net.train(DATA.train, weight, bias, **how)
    recipe = TaskLoss(epochs=2, batch=11, targets="soft" if soft else "labels", augment=kind)
    made = task_loss_matching(pair(NETS["a"], NETS["b"], DATA), [("act0", "act1")], recipe, 3)["act0", "act1"]
    torch.testing.assert_close(made.weight.detach(), wanted[0], rtol=0, atol=1e-4)
    torch.testing.assert_close(made.bias.detach(), wanted[1], rtol=0, atol=1e-4)
    assert float((wanted[0] - plain[0]).abs().max()) > 1e-3, "augmentation changed nothing"


def test_company_does_not_change_augmented_training() -> None:
    both, recipe = pair(NETS["a"], NETS["b"], DATA), TaskLoss(epochs=2, batch=11, augment="flip-crop")
    cells = [("act0", "act1"), ("act2", "act1"), ("act1", "act0")]
    together = task_loss_matching(both, cells, recipe, 0)
    for cell in cells:
        alone = task_loss_matching(both, [cell], recipe, 0)[cell]
        torch.testing.assert_close(alone.weight, together[cell].weight, rtol=0, atol=1e-6)


def test_training_images_are_the_first_of_the_permutation() -> None:
    chosen = training_images(DATA.train, TaskLoss(images=7), 5)
    order = torch.randperm(len(DATA.train), generator=torch.Generator().manual_seed(5))
    assert chosen.tolist() == sorted(order[:7].tolist())
    assert training_images(DATA.train, TaskLoss(), 5).tolist() == list(range(len(DATA.train)))
    with pytest.raises(StitchLabError, match="training images for task loss matching: expected a number from 1"):
        training_images(DATA.train, TaskLoss(images=len(DATA.train) + 1), 5)
    with pytest.raises(StitchLabError, match="training images"):
        TaskLoss(images=0)


def test_fewer_images_are_all_that_training_sees() -> None:
    """Training on the first N equals training on a split that holds nothing else."""
    cells = [("act0", "act1")]
    chosen = training_images(DATA.train, TaskLoss(images=13), 0)
    taken = DATA.train.take(chosen)
    few = replace(DATA, train=replace(DATA.train, images=taken[0].numpy(), labels=taken[1].numpy()))
    recipe = TaskLoss(epochs=2, batch=5, augment="crop")
    one = task_loss_matching(pair(NETS["a"], NETS["b"], DATA), cells, replace(recipe, images=13), 0)
    other = task_loss_matching(pair(NETS["a"], NETS["b"], few), cells, recipe, 0)
    assert torch.equal(one[cells[0]].weight, other[cells[0]].weight)
    assert len(epoch_order(13, 0, 0)) == 13


def test_requests_from_before_stay_what_they_were() -> None:
    assert "augment" not in canonical(TaskLoss())
    assert "images" not in canonical(TaskLoss())
    assert '"augment":"crop"' in canonical(TaskLoss(augment="crop"))
    with pytest.raises(StitchLabError, match=r"expected one of none, crop, .* got 'auto'"):
        Request(
            front="a",
            end="b",
            data="c",
            front_layers=("x",),
            end_layers=("y",),
            eval_images=3,
            tlm=TaskLoss(augment="auto"),
        )

"""docs/reproducing.md: its program, as it stands there, gives what StitchLab gives."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from grids import COLUMNS, ROWS
from toys import Convolutions, network, noise, pair, seeded

from stitchlab.data import augment
from stitchlab.data import registry as datasets
from stitchlab.data.splits import draw, evaluation_indices
from stitchlab.models import store as model_store
from stitchlab.request import TaskLoss, derived_seed
from stitchlab.results.run import Run
from stitchlab.stitch.affine import rows
from stitchlab.stitch.direct import direct_matching
from stitchlab.stitch.evaluate import evaluate
from stitchlab.stitch.task import epoch_order, initial, task_loss_matching
from unit.test_imports import HOUSE

PAGE = (HOUSE / "docs" / "reproducing.md").read_text()
LAYERS = ("act0", "act1")


def program() -> SimpleNamespace:
    """The functions of the page: all its blocks of Python, one after the other."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 7
    names: dict[str, Any] = {}
    exec("\n".join(blocks), names)
    return SimpleNamespace(**names)


THEIRS = program()
DATA = noise(size=12, train=50, test=20, seed=1)
PAIR = pair(
    network(seeded(lambda: Convolutions((6, 7, 8), 4), 0), DATA, "a"),
    network(seeded(lambda: Convolutions((5, 6, 9), 4), 1), DATA, "b"),
    DATA,
)


def test_the_page_needs_nothing_of_stitchlab() -> None:
    imports = re.findall(
        r"^(?:import|from) (\w+)", "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)), re.MULTILINE
    )
    assert set(imports) == {"hashlib", "json", "math", "numpy", "torch"}


@pytest.mark.parametrize(
    "parts",
    [("initialisation", 0, "layer1.0", "relu"), ("order of an epoch", 2**32 - 1, 29), ("x", 1, "blocks.5", 'add:é"')],
)
def test_seeds_are_derived_as_it_says(parts: tuple[Any, ...]) -> None:
    assert THEIRS.derived_seed(*parts) == derived_seed(*parts)


@pytest.mark.parametrize("seed", [0, 3, 2**32 - 1])
def test_a_map_begins_as_it_says(seed: int) -> None:
    for cell in (("act0", "act2"), ("act2", "act0"), ("flat", "act1")):
        ours = initial(PAIR, cell, seed, None)
        wanted, channels = ours.weight.shape
        weight, bias = THEIRS.initial_map(seed, *cell, channels, wanted)
        assert np.array_equal(weight, ours.weight.detach().numpy())
        assert np.array_equal(bias, ours.bias.detach().numpy())


@pytest.mark.parametrize("images", [1, 50, 1257])
def test_an_epochs_order_is_as_it_says(images: int) -> None:
    for seed, epoch in ((0, 0), (0, 29), (7, 1)):
        assert np.array_equal(THEIRS.epoch_order(seed, epoch, images), epoch_order(images, seed, epoch).numpy())


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (2, 5, 9)])
def test_images_are_augmented_as_it_says(shape: tuple[int, ...]) -> None:
    images = torch.randint(0, 256, (70, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    for seed, epoch in ((0, 0), (2**32 - 1, 29)):
        ours = augment.draw("flip-crop", 70, shape, seed, epoch).apply(images, 0)
        assert np.array_equal(THEIRS.flips_and_crops(images.numpy(), seed, epoch), ours.numpy())


def test_images_are_drawn_as_it_says(run: Run) -> None:
    data, request = datasets.load_by_fingerprint(run.request.data, run.store), run.request
    told = run.provenance()["data"]
    train, test = (THEIRS.permutation(request.seed, told[part]) for part in ("train", "test"))
    assert np.array_equal(train[: request.dm.images], draw(data.train, request.seed, request.dm.images, "").numpy())
    assert np.array_equal(test[: request.eval_images], evaluation_indices(data, request).numpy())


def test_weights_have_the_checksum_that_it_says(run: Run) -> None:
    for side, told in run.provenance()["weights"].items():
        module = model_store.load(getattr(run.request, side), run.store, device="cpu").module
        assert THEIRS.weights_sha256(module.state_dict()) == told


def test_bfloat16_and_empty_tensors_have_a_checksum_too() -> None:
    from stitchlab.models.tensors import digest

    tensors = {"b": torch.ones(3).bfloat16(), "a": torch.zeros(0, 2), "n": torch.tensor(3)}
    assert THEIRS.weights_sha256(tensors) == digest(tensors)


def prepared(images: Any) -> torch.Tensor:
    """What both networks get, as the page says: their mean and deviation are the toys'."""
    return (torch.from_numpy(images).float() / 255 - 0.4) / 0.3


def until(module: Any, images: torch.Tensor, layer: str) -> torch.Tensor:
    """What a layer makes, by a plain hook."""
    kept: list[torch.Tensor] = []
    hook = module.get_submodule(layer).register_forward_hook(lambda *call: kept.append(call[2].detach().clone()))
    module(images)
    hook.remove()
    return kept[0]


def onward(module: Any, activations: torch.Tensor, layer: str) -> torch.Tensor:
    """What comes after a layer of `Convolutions`."""
    for k in range(int(layer[3:]) + 1, module.depth):
        activations = module.get_submodule(f"act{k}")(module.get_submodule(f"conv{k}")(activations))
    made: torch.Tensor = module.fc(module.flat(module.pool(activations)))
    return made


def test_task_loss_matching_is_the_programs() -> None:
    recipe = TaskLoss(epochs=3, batch=11)
    ours = task_loss_matching(PAIR, [LAYERS], recipe, seed=5)[LAYERS]
    front, end = PAIR.front.module, PAIR.end.module
    size = until(end, prepared(DATA.test.images), LAYERS[1]).shape[2:]
    weight, bias = THEIRS.task_loss_matching(
        lambda x: until(front, x, LAYERS[0]),
        lambda x: onward(end, x, LAYERS[1]),
        prepared(DATA.train.images),
        torch.from_numpy(DATA.train.labels),
        5,
        LAYERS,
        *reversed(ours.weight.shape),
        tuple(size),
        3,
        11,
    )
    assert torch.allclose(weight, ours.weight, atol=2e-5)
    assert torch.allclose(bias, ours.bias, atol=2e-5)
    begun = initial(PAIR, LAYERS, 5, None).weight
    assert (weight - begun).abs().max() > 1e-2, "it was trained"


def test_direct_matching_is_the_programs() -> None:
    images = torch.arange(20)
    ours = direct_matching(PAIR, [LAYERS], images)[LAYERS]
    x, y = (
        until(each.module, prepared(DATA.train.images[:20]), layer)
        for each, layer in zip((PAIR.front, PAIR.end), LAYERS, strict=True)
    )
    x = torch.nn.functional.interpolate(x, y.shape[2:], mode="bilinear", align_corners=False)
    weight, bias = THEIRS.direct_matching(rows(x).numpy(), rows(y).numpy())
    assert np.allclose(weight, ours.weight.detach().numpy(), atol=1e-5)
    assert np.allclose(bias, ours.bias.detach().numpy(), atol=1e-5)


def test_predictions_are_compared_as_it_says() -> None:
    stitch, order = initial(PAIR, LAYERS, 5, None), torch.arange(20)
    ours = evaluate(PAIR, {LAYERS: stitch}, order)[LAYERS].functional
    images, labels = DATA.test.take(order)
    front, end = PAIR.front.module, PAIR.end.module
    with torch.no_grad():
        stitched = onward(end, stitch(until(front, prepared(images.numpy()), LAYERS[0])), LAYERS[1])
        theirs = THEIRS.functional(stitched, end(prepared(images.numpy())), labels.numpy())
    assert ours.reasons == {}
    assert theirs == pytest.approx((ours.agreement, ours.jsd, ours.error_consistency), rel=1e-5)


def test_every_field_that_it_names_is_in_run_json(run: Run) -> None:
    told = run.provenance()
    table = PAGE.partition("## What run.json says")[2].partition("\n\nA network")[0]
    fields = {
        name
        for line in table.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    assert len(fields) >= 10
    assert fields <= told.keys()
    assert {"options", "classes", "channels", "size", "resize", "mean", "std", "origin"} <= told["end"].keys()
    assert (ROWS[0], COLUMNS[0]) == (told["request"]["front_layers"][0], told["request"]["end_layers"][0])


def test_it_names_the_file_of_this_test() -> None:
    assert f"`tests/unit/{Path(__file__).name}`" in PAGE

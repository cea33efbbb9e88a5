"""The zoo: shapes, names, traceability, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision
from torch import fx, nn

from stitchlab.catalog import architectures
from stitchlab.cutting.layered import Layered
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.models import zoo

TINY10 = Path(__file__).parents[3] / "shared" / "data" / "tiny10"
SIZES = {"tiny10": 32, "resnet14": 8, "resnet20": 8, "resnet18": 8, "vit-tiny": 8, "vit-nano": 8, "mlp": 8, "noise": 8}
BLOCKS = {
    "tiny10": ["relu1", "relu8"],
    "resnet14": ["layer1.0", "layer3.1"],
    "resnet20": ["layer1.2", "layer3.2"],
    "resnet18": ["layer1.0", "layer4.1"],
    "vit-tiny": ["blocks.0", "blocks.11"],
    "vit-nano": ["blocks.0", "blocks.5"],
    "mlp": ["layers.0", "layers.3"],
    "noise": ["blocks.0", "blocks.5"],
}


def test_every_architecture_is_tested() -> None:
    assert set(SIZES) == set(BLOCKS) == set(zoo.REGISTRY)
    assert all(name == known.name for name, known in zoo.REGISTRY.items())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("arch", SIZES)
def test_forward_and_trace_agree_at_any_batch(arch: str, channels: int) -> None:
    module = zoo.build(arch, classes=7, channels=channels, size=SIZES[arch]).eval()
    traced = fx.symbolic_trace(module)
    for batch in (1, 3):
        images = torch.randn(batch, channels, SIZES[arch], SIZES[arch])
        logits = module(images)
        assert logits.shape == (batch, 7)
        torch.testing.assert_close(traced(images), logits)


@pytest.mark.parametrize("arch", SIZES)
def test_a_block_says_the_same_whether_or_not_what_follows_runs(arch: str) -> None:
    """No later module overwrites an activation in place."""
    module = zoo.build(arch, classes=3, channels=1, size=SIZES[arch]).eval()
    seen: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    for name, part in module.named_modules():
        part.register_forward_hook(lambda m, i, out, name=name: seen.update({name: (out, out.clone())}))
    module(torch.randn(2, 1, SIZES[arch], SIZES[arch]))
    assert set(BLOCKS[arch]) <= set(seen)
    for name, (after, then) in seen.items():
        assert torch.equal(after, then), name


def test_resnets_are_named_as_torchvisions() -> None:
    theirs = torchvision.models.resnet18(weights=None, num_classes=10).state_dict()
    ours = zoo.build("resnet18", classes=10, channels=3, size=32).state_dict()
    assert "layer4.1.bn2.weight" in ours
    assert set(ours) == set(theirs)
    different = {name for name in ours if ours[name].shape != theirs[name].shape}
    assert different == {"conv1.weight"}  # 3×3 instead of 7×7
    small = zoo.build("resnet14", classes=10, channels=3, size=32).state_dict()
    assert {"layer2.0.downsample.0.weight", "layer2.0.downsample.1.bias", "fc.bias"} <= set(small)
    assert not any(name.startswith("layer1.0.downsample") for name in small)


@pytest.mark.parametrize(
    ("arch", "parameters"),
    [("resnet20", 272_474), ("vit-tiny", 5_362_762 - 192)],  # as published, less the token that is part of its position
)
def test_sizes_are_the_published_ones(arch: str, parameters: int) -> None:
    module = zoo.build(arch, classes=10, channels=3, size=32)
    assert sum(p.numel() for p in module.parameters()) == parameters


def test_width_scales_all_stages() -> None:
    module = zoo.build("resnet18", classes=2, channels=3, size=8, width=8)
    assert module.get_parameter("layer4.1.conv2.weight").shape == (64, 64, 3, 3)
    assert zoo.architecture("resnet18").resolve() == {"width": 64, "widths": "doubling", "maps": "halving"}


@pytest.mark.parametrize(
    ("options", "shapes"),
    [
        ({}, [(4, 16, 16), (8, 8, 8), (16, 4, 4), (32, 2, 2)]),
        ({"widths": "equal"}, [(4, 16, 16), (4, 8, 8), (4, 4, 4), (4, 2, 2)]),
        ({"maps": "equal"}, [(4, 16, 16), (8, 16, 16), (16, 16, 16), (32, 16, 16)]),
        ({"widths": "equal", "maps": "equal"}, [(4, 16, 16)] * 4),
    ],
)
def test_the_papers_controls_take_shapes_away(options: dict[str, str], shapes: list[tuple[int, ...]]) -> None:
    module = zoo.build("resnet18", classes=2, channels=3, size=16, width=4, **options).eval()
    cuts = Layered(module, (3, 16, 16))
    assert [cuts.find(f"layer{k}.1").shape for k in (1, 2, 3, 4)] == shapes
    assert len(cuts.defaults()) == 8


@pytest.mark.skipif(not TINY10.exists(), reason="the shared Tiny-10 checkpoints are not on this machine")
@pytest.mark.parametrize("seed", range(4))
def test_public_tiny10_checkpoints_load_as_they_are(seed: int) -> None:
    state = torch.load(TINY10 / f"tiny10-cifar10-seed{seed}.pt", map_location="cpu", weights_only=True)
    module: nn.Module = zoo.build("tiny10", classes=10, channels=3, size=32)
    module.load_state_dict(state)  # strict
    assert torch.equal(module.state_dict()["conv8.weight"], state["conv8.weight"])


@pytest.mark.parametrize(
    ("arch", "size", "fits"),
    [
        ("tiny10", 26, False),
        ("tiny10", 27, True),
        ("vit-nano", 16, True),
        ("vit-nano", 18, False),
        ("vit-nano", 9, False),
        ("vit-tiny", 30, False),
        ("resnet18", 7, False),
        ("resnet14", 4, True),
    ],
)
def test_images_that_do_not_fit_are_refused(arch: str, size: int, fits: bool) -> None:
    if fits:
        module = zoo.build(arch, classes=2, channels=1, size=size).eval()
        assert module(torch.zeros(1, 1, size, size)).shape == (1, 2)
    else:
        with pytest.raises(StitchLabError, match=rf"{arch} takes images of .* these have {size}\."):
            zoo.build(arch, classes=2, channels=1, size=size)


def test_unknown_things_are_refused() -> None:
    with pytest.raises(UnknownName, match=r"'resnet15'; nearest: .*resnet14"):
        zoo.build("resnet15", classes=2, channels=1, size=8)
    with pytest.raises(StitchLabError, match="resnet14 has no option width; it has none"):
        zoo.build("resnet14", classes=2, channels=1, size=8, width=3)
    with pytest.raises(StitchLabError, match="has no option depth; its options are: width"):
        zoo.build("resnet18", classes=2, channels=1, size=8, depth=3)
    with pytest.raises(UnknownName, match=r"no maps of resnet18 is called 'small'; .*equal"):
        zoo.build("resnet18", classes=2, channels=3, size=8, maps="small")
    for wrong in (0, 2.5, "8", True):
        with pytest.raises(StitchLabError, match="width: expected a whole number"):
            zoo.build("resnet18", classes=2, channels=1, size=8, width=wrong)


def test_the_catalog_names_what_torchvision_has() -> None:
    there = tuple(f"torchvision/{name}" for name in torchvision.models.list_models(module=torchvision.models))
    if torchvision.__version__.split(".")[:2] != ["0", "29"]:
        pytest.skip("the catalog lists those of torchvision 0.29")
    assert there == architectures.TORCHVISION_NETWORKS
    assert architectures.offered_names() == zoo.known_names()


@pytest.mark.parametrize("name", architectures.offered_names())
def test_the_catalog_says_of_an_architecture_what_builds_it_says(name: str) -> None:
    entry, found = architectures.entry(name), zoo.architecture(name)
    said = (entry.name, entry.label, entry.optimiser, entry.options, entry.smallest, entry.largest, entry.multiple)
    assert said == (
        found.name,
        found.label,
        found.optimiser,
        found.options,
        found.smallest,
        found.largest,
        found.multiple,
    )

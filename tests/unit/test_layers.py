"""Cut points: where networks can be cut, what the places are called, and that the parts add up to the whole."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import Tensor, nn
from toys import Convolutions, InPlace, Shortcuts, Skip, fresh, noise, seeded

from benchmarks.plain import capture
from stitchlab.cutting.layered import Layered
from stitchlab.errors import StitchLabError, UnknownName

ZOO = {
    "tiny10": (32, {}),
    "resnet14": (8, {}),
    "resnet20": (8, {}),
    "resnet18": (8, {"width": 8}),
    "vit-tiny": (8, {}),
    "vit-nano": (8, {}),
    "mlp": (8, {}),
    "noise": (8, {}),
}


def images(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def zoo_network(arch: str) -> tuple[nn.Module, int]:
    size, options = ZOO[arch]
    return fresh(arch, noise(3, size, 2, 2), **options).module, size


@torch.no_grad()
def assert_parts_add_up(module: nn.Module, x: Tensor, names: list[str]) -> None:
    channels, height, width = x.shape[1:]
    cuts = Layered(module, (channels, height, width))
    whole = module(x)
    for name in names or [point.name for point in cuts.points]:
        (activation,) = cuts.up_to([name])(x)
        assert tuple(activation.shape[1:]) == cuts.find(name).shape, name
        torch.testing.assert_close(cuts.after(name)(activation), whole, rtol=1e-5, atol=1e-5, msg=name)


@pytest.mark.parametrize("arch", ZOO)
def test_every_tail_of_the_zoo_equals_the_whole_network(arch: str) -> None:
    module, size = zoo_network(arch)
    assert_parts_add_up(module, images(3, 3, size, size), [])


@pytest.mark.parametrize("arch", ZOO)
def test_several_layers_at_once_are_what_hooks_saw(arch: str) -> None:
    module, size = zoo_network(arch)
    x = images(2, 3, size, size)
    cuts = Layered(module, (3, size, size))
    names = [point.name for point in cuts.points if ":" not in point.name]
    with torch.no_grad():
        *activations, output = cuts.up_to(names, output=True)(x)
        torch.testing.assert_close(output, module(x), rtol=1e-5, atol=1e-5)
    assert len(names) > 5
    for name, activation in zip(names, activations, strict=True):
        torch.testing.assert_close(activation, capture(module, name, x), rtol=1e-5, atol=1e-5, msg=name)


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("resnet18", ["relu", "layer1.1", "layer3.0", "avgpool"]),
        ("vgg11", ["features.0", "features.12", "classifier.1"]),
        ("densenet121", ["features.pool0", "features.denseblock2", "features.norm5"]),
        ("swin_t", ["features.0", "features.3.1", "features.6"]),
        ("convnext_tiny", ["features.1.2", "features.5.8", "features.6"]),
    ],
)
def test_torchvision(name: str, layers: list[str]) -> None:
    module = seeded(lambda: torchvision.models.get_model(name, num_classes=5))
    assert_parts_add_up(module, images(2, 3, 64, 64), layers)


@pytest.mark.parametrize(
    ("arch", "layers"),
    [
        ("tiny10", [f"relu{k}" for k in range(1, 9)]),
        ("resnet14", [f"layer{s}.{b}" for s in (1, 2, 3) for b in (0, 1)]),
        ("resnet20", [f"layer{s}.{b}" for s in (1, 2, 3) for b in (0, 1, 2)]),
        ("resnet18", [f"layer{s}.{b}" for s in (1, 2, 3, 4) for b in (0, 1)]),
        ("vit-tiny", [f"blocks.{b}" for b in range(12)]),
        ("vit-nano", [f"blocks.{b}" for b in range(6)]),
        ("mlp", [f"layers.{b}" for b in range(4)]),
        ("noise", [f"blocks.{b}" for b in range(6)]),
    ],
)
def test_grids_offer_block_outputs_unasked(arch: str, layers: list[str]) -> None:
    module, size = zoo_network(arch)
    cuts = Layered(module, (3, size, size))
    assert cuts.defaults() == layers
    assert [p.name for p in cuts.points if p.default] == layers
    assert {cuts.find(name).name for name in layers} == set(layers)


def test_names_are_the_outermost_that_is_no_container_and_others_are_aliases() -> None:
    cuts = Layered(zoo_network("resnet14")[0], (3, 8, 8))
    for alias in ("layer1.1.relu2", "layer1", "layer1.1"):
        assert cuts.find(alias).name == "layer1.1"
    assert set(cuts.find("layer1.1").aliases) == {"layer1.1.relu2", "layer1"}
    assert cuts.in_order(["fc", "layer1", "conv1", "layer1.1"]) == ["conv1", "layer1.1", "fc"]
    vit = Layered(zoo_network("vit-nano")[0], (3, 8, 8))
    assert vit.find("blocks").name == "blocks.5"
    assert vit.find("blocks.2:add").shape == (17, 64)


@pytest.mark.parametrize("shortcut", [nn.Sequential, Skip, lambda: nn.Sequential(nn.Sequential(), Skip())])
def test_what_a_module_only_passes_on_is_not_called_after_it(shortcut: Callable[[], nn.Module]) -> None:
    cuts = Layered(seeded(lambda: Shortcuts(shortcut)), (1, 8, 8))
    assert [p.name for p in cuts.points] == [
        "conv",
        ":relu",
        "layer1.0:add",
        "layer1.0",
        "layer1.1:add",
        "layer1.1",
        ":mean",
        "fc",
    ]
    assert cuts.find("layer1.0.shortcut").name == ":relu", "what it was called once is understood"
    assert cuts.find("layer1.1.shortcut").name == "layer1.0"
    assert cuts.defaults() == ["layer1.0", "layer1.1"]
    x = images(2, 1, 8, 8)
    for ours, theirs in zip(*(cuts.up_to([name])(x) for name in ("layer1.0.shortcut", ":relu")), strict=True):
        assert torch.equal(ours, theirs)


class Residual(nn.Sequential):
    """A Sequential with a function of its own is a block like any other."""

    def forward(self, x: Tensor) -> Tensor:
        out = x
        for block in self:
            out = block(out)
        return torch.relu(out + x)


def test_a_container_never_names_a_layer_but_a_block_that_is_one_does() -> None:
    module = seeded(
        lambda: nn.Sequential(
            nn.Sequential(nn.Sequential(nn.Conv2d(1, 4, 1)), nn.Sequential()),
            nn.Sequential(Residual(nn.Conv2d(4, 4, 1))),
            nn.Flatten(),
            nn.Linear(256, 3),
        )
    )
    cuts = Layered(module, (1, 8, 8))
    assert [p.name for p in cuts.points] == ["0.0.0", "1.0:add", "1.0", "2", "3"]
    assert cuts.find("0").name == cuts.find("0.1").name == "0.0.0"
    assert cuts.find("1").name == "1.0"


def test_inside_a_residual_there_is_no_cut() -> None:
    cuts = Layered(zoo_network("resnet14")[0], (3, 8, 8))
    names = {known for point in cuts.points for known in (point.name, *point.aliases)}
    assert not {"layer1.0.conv1", "layer1.0.relu1", "layer1.0.bn2", "layer2.0.downsample"} & names
    vit = Layered(zoo_network("vit-nano")[0], (3, 8, 8))
    assert not [p.name for p in vit.points if ".attn" in p.name or ".mlp" in p.name or ".norm" in p.name]


def test_points_are_in_network_order() -> None:
    cuts = Layered(zoo_network("resnet14")[0], (3, 8, 8))
    assert [p.name for p in cuts.points][:4] == ["conv1", "bn1", "relu", "layer1.0:add"]
    assert [p.name for p in cuts.points][-3:] == ["avgpool", "flatten", "fc"]
    flops = [p.flops for p in cuts.points]
    assert flops == sorted(flops)
    assert flops[0] == 2 * 8 * 8 * 3 * 16 * 9  # a convolution's multiplications and additions


def test_two_threads_trace_at_once() -> None:
    made: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: made.append(Layered(zoo_network("resnet20")[0], (3, 8, 8)).defaults()))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert all(names == made[0] for names in made)


class Repeated(nn.Module):
    """One module and one function, called twice each."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(Twice(), nn.Conv2d(3, 1, 1))
        self.fc = nn.Linear(64, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.inner(self.inner(x)).flatten(1))
        return logits


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(torch.relu(self.conv(x)) - 0.1)


def test_repeated_modules_and_functions_have_names_of_their_own() -> None:
    module = seeded(Repeated)
    cuts = Layered(module, (1, 8, 8))
    names = [p.name for p in cuts.points]
    assert len(names) == len(set(names))
    assert {"inner.0.conv", "inner.0.conv_1", "inner.0:relu", "inner.0:relu_1"} <= set(names)
    assert not [name for name in names if "@" in name]
    assert_parts_add_up(module, images(2, 1, 8, 8), [])


class Numbered(nn.Module):
    """A module whose name is another's with a number behind."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_0, self.conv = nn.Conv2d(1, 3, 1), nn.Conv2d(3, 3, 1)
        self.fc = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.conv(self.conv_0(x)).mean((2, 3)))
        return logits


def test_a_name_that_ends_in_a_number() -> None:
    assert [p.name for p in Layered(seeded(Numbered), (1, 8, 8)).points] == ["conv_0", "conv", ":mean", "fc"]


def test_captured_activations_are_what_hooks_saw() -> None:
    """Whatever overwrites its input later: in-place modules, functions, methods, operators."""
    module, x = seeded(InPlace), images(3, 1, 8, 8)
    cuts = Layered(module, (1, 8, 8))
    names = [p.name for p in cuts.points]
    assert {"norm", "act", "second", "third", "fourth", "fifth"} <= set(names)
    assert "block" not in names
    with torch.no_grad():
        *activations, output = cuts.up_to(names, output=True)(x)
        assert torch.equal(output, module(x))
    for name in ("conv", "norm", "act", "second", "third", "fourth", "fifth", "fc"):
        torch.testing.assert_close(activations[names.index(name)], capture(module, name, x), msg=name)
    for name, activation in zip(names, activations, strict=True):
        before = activation.clone()
        torch.testing.assert_close(cuts.after(name)(activation), output, msg=name)
        assert torch.equal(activation, before), f"the tail after {name} overwrote what it was given"


def test_the_network_is_not_changed() -> None:
    module, x = seeded(InPlace), images(2, 1, 8, 8)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    children, output = dict(module.named_modules()), module(x)
    cuts = Layered(module, (1, 8, 8))
    cuts.after("act")(cuts.up_to(["act"])(x)[0])
    act = module.get_submodule("act")
    assert isinstance(act, nn.ReLU)
    assert act.inplace
    assert dict(module.named_modules()) == children
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert torch.equal(module(x), output)


def calls(part: Callable[..., object], x: Tensor) -> list[nn.Module]:
    """The leaf modules that run."""
    assert isinstance(part, nn.Module)
    seen: list[nn.Module] = []
    leaves = [m for m in part.modules() if not list(m.children()) and m is not part]
    handles = [m.register_forward_hook(lambda m, args, out: seen.append(m)) for m in leaves]
    part(x)
    for handle in handles:
        handle.remove()
    return seen


def test_neither_part_computes_what_belongs_to_the_other() -> None:
    module = seeded(lambda: Convolutions((4, 5, 6), 4))
    cuts, x = Layered(module, (1, 8, 8)), images(2, 1, 8, 8)
    head, tail = cuts.up_to(["act0", "act1"]), cuts.after("act1")
    assert calls(head, x) == [module.conv0, module.act0, module.conv1, module.act1]
    activation = cuts.up_to(["act1"])(x)[0]
    assert calls(tail, activation) == [module.conv2, module.act2, module.pool, module.flat, module.fc]
    assert isinstance(tail, nn.Module)
    parameters = {name for name, _ in tail.named_parameters()}
    assert parameters == {"conv2.weight", "conv2.bias", "fc.weight", "fc.bias"}


@pytest.mark.parametrize(
    ("arch", "shape"),
    [
        ("vit-nano", (3, 12, 12)),
        ("tiny10", (3, 16, 16)),
        ("resnet14", (1, 8, 8)),
    ],
)
def test_images_that_do_not_fit_are_refused(arch: str, shape: tuple[int, int, int]) -> None:
    with pytest.raises(StitchLabError, match="images of {}×{}×{} do not fit".format(*shape)):
        Layered(zoo_network(arch)[0], shape)


@pytest.mark.parametrize("ask", ["find", "after", "up_to", "in_order"])
def test_an_unknown_layer_gets_the_nearest_names(ask: str) -> None:
    cuts = Layered(zoo_network("resnet14")[0], (3, 8, 8))
    name = "layer1.7"
    with pytest.raises(UnknownName, match=r"no layer is called 'layer1\.7'; nearest: .*layer1\.[01]"):
        getattr(cuts, ask)([name] if ask in ("up_to", "in_order") else name)


def test_where_there_are_no_blocks_and_no_activations_everything_is_offered() -> None:
    module = seeded(lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 3)))
    cuts = Layered(module, (1, 8, 8))
    assert cuts.defaults() == ["0", "1", "2"]
    assert [p.shape for p in cuts.points] == [(2, 6, 6), (72,), (3,)]

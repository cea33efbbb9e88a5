"""Networks that cannot be traced are run by hooks: the same numbers as the graph's, and only where a cut is a cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toys import InPlace, Shortcuts, Skip, seeded

from benchmarks.plain import capture
from stitchlab.cutting.cuttable import CuttableNetwork
from stitchlab.cutting.fx_graph import TracedNetwork
from stitchlab.cutting.hooks import ConstantLogits, HookedNetwork
from stitchlab.cutting.layered import Layered
from stitchlab.errors import StitchLabError
from stitchlab.models import zoo
from unit.test_layers import ZOO, zoo_network


def images(*shape: int, seed: int = 1) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def shaken(module: nn.Module) -> nn.Module:
    """With batch norm statistics and weights that let images through, as a trained network's do."""
    generator = torch.Generator().manual_seed(3)
    for child in module.modules():
        if isinstance(child, nn.BatchNorm2d) and child.running_mean is not None and child.running_var is not None:
            child.running_mean.normal_(0, 0.1, generator=generator)
            child.running_var.uniform_(0.2, 0.5, generator=generator)
    for name, parameter in module.named_parameters():
        if name.endswith("heads.head.weight"):
            nn.init.normal_(parameter, std=0.02, generator=generator)
    return module.eval()


def built(arch: str, size: int, **options: Any) -> nn.Module:
    return shaken(seeded(lambda: zoo.build(arch, classes=5, channels=3, size=size, **options)))


SAMPLE = [
    *((arch, size, options) for arch, (size, options) in ZOO.items() if arch != "noise"),
    ("torchvision/resnet18", 64, {}),
    ("torchvision/swin_t", 32, {}),
    ("torchvision/mobilenet_v3_small", 64, {}),
]


@pytest.mark.parametrize(("arch", "size", "options"), SAMPLE, ids=[arch for arch, _, _ in SAMPLE])
def test_hooks_equal_the_graph(arch: str, size: int, options: dict[str, Any]) -> None:
    module, shape = built(arch, size, **options), (3, size, size)
    graph, hooked = TracedNetwork(module, shape), HookedNetwork(module, shape)
    known = {called: p for p in graph.points for called in (p.name, *p.aliases)}
    assert len(hooked.points) > 3
    assert [p.name for p in hooked.points if p.default] == [p.name for p in graph.points if p.default]
    assert hooked.flops == graph.flops
    x = images(3, *shape)
    with torch.no_grad():
        # The graph has a place fewer where the number of images is read off their shape and used later.
        both = [point for point in hooked.points if point.name in known]
        assert len(both) >= len(hooked.points) - 1
        for point in both[:: max(1, len(both) // 6)]:
            theirs = known[point.name]
            assert (point.shape, point.flops) == (theirs.shape, theirs.flops), point.name
            (ours,), (other,) = hooked.up_to([point.name])(x), graph.up_to([theirs.name])(x)
            assert torch.equal(ours, other), point.name
            assert torch.equal(ours, capture(module, point.name, x)), point.name
            torch.testing.assert_close(hooked.after(point.name)(ours), graph.after(theirs.name)(other), msg=point.name)


def test_hooks_find_no_cut_inside_a_residual() -> None:
    names = {p.name for p in HookedNetwork(built("resnet14", 8), (3, 8, 8)).points}
    assert {"layer1.0", "layer3.1", "relu", "fc"} <= names
    assert not [n for n in names if n.startswith("layer") and n.endswith(("conv1", "bn1", "relu1", "conv2", "bn2"))]
    module, _ = zoo_network("vit-nano")
    assert not [p.name for p in HookedNetwork(module, (3, 8, 8)).points if ".attn" in p.name or ".mlp" in p.name]


def test_gradients_reach_the_activation_through_the_tail() -> None:
    module, x = built("resnet14", 8), images(2, 3, 8, 8)
    graph, hooked = TracedNetwork(module, (3, 8, 8)), HookedNetwork(module, (3, 8, 8))
    gradients = []
    for cuts in (graph, hooked):
        with torch.no_grad():
            (activation,) = cuts.up_to(["layer2.0"])(x)
        activation.requires_grad_()
        cuts.after("layer2.0")(activation).square().sum().backward()
        gradients.append(activation.grad)
    torch.testing.assert_close(gradients[0], gradients[1])


def test_what_is_overwritten_later_is_another_place() -> None:
    module, x = seeded(InPlace), images(3, 1, 8, 8)
    hooked = HookedNetwork(module, (1, 8, 8))
    names = [p.name for p in hooked.points]
    assert {"conv", "norm", "act", "second", "fc"} <= set(names)
    with torch.no_grad():
        *activations, output = hooked.up_to(names, output=True)(x)
        assert torch.equal(output, module(x))
        for name, activation in zip(names, activations, strict=True):
            torch.testing.assert_close(activation, capture(module, name, x), msg=name)
            before = activation.clone()
            torch.testing.assert_close(hooked.after(name)(activation), output, msg=name)
            assert torch.equal(activation, before), f"{name} is overwritten"


class Deciding(nn.Module):
    """Control flow on values: torch.fx cannot trace it."""

    def __init__(self, skip: bool = False) -> None:
        super().__init__()
        self.skip = skip
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1))
        self.fc = nn.Linear(4 * 64, 3)

    def forward(self, x: Tensor) -> Tensor:
        out = self.body(x)
        if out.abs().max() > 1e6:
            out = out / 2
        logits: Tensor = self.fc(out.flatten(1))
        return logits + x.mean((1, 2, 3))[:, None] if self.skip else logits


def test_an_untraceable_network_is_cut_all_the_same() -> None:
    module, x = seeded(Deciding), images(4, 1, 8, 8)
    cuts = Layered(module, (1, 8, 8))
    assert not cuts.traced
    assert [p.name for p in cuts.points] == ["body.0", "body.1", "body.2", "fc"]
    assert cuts.find("body").name == "body.2"
    with torch.no_grad():
        for point in cuts.points:
            (activation,) = cuts.up_to([point.name])(x)
            torch.testing.assert_close(cuts.after(point.name)(activation), module(x), msg=point.name)


@pytest.mark.parametrize("shortcut", [nn.Identity, nn.Sequential, Skip, lambda: nn.Dropout(0.5)])
@pytest.mark.parametrize("relu", [True, False])
def test_an_output_that_shortcuts_pass_on_is_cut_where_it_was_made(shortcut: Any, relu: bool) -> None:
    module, x = seeded(lambda: Shortcuts(shortcut, relu, decide=True)), images(3, 1, 8, 8)
    cuts = Layered(module, (1, 8, 8))
    assert not cuts.traced
    assert [p.name for p in cuts.points] == ["conv", *(["relu"] if relu else []), "layer1.0", "layer1.1", "fc"]
    assert cuts.find("layer1.1.shortcut").name == "layer1.0"
    with torch.no_grad():
        for point in cuts.points:
            (activation,) = cuts.up_to([point.name])(x)
            torch.testing.assert_close(cuts.after(point.name)(activation), module(x), msg=point.name)


class Frozen(nn.Module):
    """What Python decides is frozen by tracing: with another number of images it computes something else."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 4, 1), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        seen = self.conv(x).mean((2, 3))
        logits: Tensor = self.fc(seen) * (2 if torch.is_grad_enabled() else 1)
        return logits


def test_what_tracing_froze_is_noticed() -> None:
    module = seeded(Frozen)
    cuts, x = Layered(module, (1, 8, 8)), images(4, 1, 8, 8)
    assert not cuts.traced
    with torch.no_grad():
        (activation,) = cuts.up_to(["conv"])(x)
        torch.testing.assert_close(cuts.after("conv")(activation), module(x))


class Sometimes(nn.Module):
    """Calls a layer for some images only."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.more, self.fc = nn.Conv2d(1, 2, 1), nn.Conv2d(2, 2, 1), nn.Linear(128, 3)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv(x)
        if x.sum() > 0:
            out = self.more(out)
        return torch.tanh(self.fc(out.flatten(1)))


def test_a_layer_that_is_only_called_sometimes() -> None:
    module = seeded(Sometimes)
    cuts = Layered(module, (1, 8, 8))
    assert "more" in [p.name for p in cuts.points]
    activation = torch.zeros(2, 2, 8, 8)
    assert cuts.after("more")(activation).shape == (2, 3)


class Noisy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(64, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x.flatten(1)) + torch.rand(1) if bool(x.sum() >= 0) else x


class Bare(nn.Module):
    """No modules at all, and not to be traced."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(64, 3))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight if bool(x.sum() >= 0) else x


class Constant(Bare):
    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros(len(x), 3) if bool(x.sum() >= 0) else x


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Noisy, "gives different logits for the same images"),
        (Bare, "no module that it calls just once"),
        (lambda: Deciding(skip=True), "connections skip them all"),
        (Constant, "same logits for different images"),
    ],
)
def test_what_cannot_be_cut_says_why(make: Any, message: str) -> None:
    with pytest.raises(StitchLabError, match=message) as raised:
        Layered(seeded(make), (1, 8, 8))
    assert "\n" not in str(raised.value)
    assert isinstance(raised.value, ConstantLogits) == (make is Constant)


class Wrapped(nn.Module):
    """A network whose logits come in something."""

    def __init__(self, wrap: Any) -> None:
        super().__init__()
        self.wrap = wrap
        self.conv, self.fc = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(256, 3)

    def forward(self, x: Tensor, labels: Tensor | None = None, scale: float = 1.0) -> Any:
        return self.wrap(self.fc(self.conv(x).flatten(1) * scale))


class Output:
    def __init__(self, logits: Tensor) -> None:
        self.loss, self.logits = None, logits


WRAPS: dict[str, Any] = {
    "tuple": lambda t: (t, t + 1),
    "list": lambda t: [t],
    "dict": lambda t: {"aux": t + 1, "logits": t},
    "single": lambda t: {"scores": t},
    "object": Output,
    "nested": lambda t: (Output(t),),
}


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("way", [TracedNetwork, HookedNetwork])
def test_logits_are_found_in_what_networks_return(wrap: str, way: Callable[..., CuttableNetwork]) -> None:
    module, x = seeded(lambda: Wrapped(WRAPS[wrap])), images(2, 1, 8, 8)
    plain = seeded(lambda: Wrapped(lambda t: t))
    cuts = way(module, (1, 8, 8))
    with torch.no_grad():
        (activation, output) = cuts.up_to(["conv"], output=True)(x)
        torch.testing.assert_close(output, plain(x))
        torch.testing.assert_close(cuts.after("conv")(activation), plain(x))


@pytest.mark.parametrize("wrap", [lambda t: None, lambda t: (), lambda t: {"a": t, "b": t}, lambda t: "logits"])
def test_an_output_without_logits_is_refused(wrap: Any) -> None:
    with pytest.raises(StitchLabError, match="a network that returns logits"):
        Layered(seeded(lambda: Wrapped(wrap)), (1, 8, 8))

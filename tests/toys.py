"""Small things to test on: data sets of noise, networks without a store, toy modules with nasty habits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from handy import sure
from torch import Tensor, nn

from stitchlab.data.splits import DataSet, Split
from stitchlab.models import zoo
from stitchlab.models.store import LoadedNetwork, freeze
from stitchlab.stitch.pair import Pair


def noise(
    channels: int = 1, size: int = 8, train: int = 50, test: int = 30, classes: int = 4, seed: int = 0
) -> DataSet:
    """A data set of uint8 noise."""
    random = np.random.default_rng(seed)

    def split(count: int) -> Split:
        images = random.integers(0, 256, (count, channels, size, size), dtype=np.uint8)
        return Split(images, random.integers(0, classes, count))

    return DataSet("noise", "Noise", tuple(f"c{k}" for k in range(classes)), split(train), split(test), f"noise{seed}")


def network(module: nn.Module, data: DataSet, name: str = "toy") -> LoadedNetwork:
    """A module as a network, frozen; batch-norm statistics are moved off their start so that they matter."""
    for child in module.modules():
        if isinstance(child, nn.BatchNorm2d) and child.running_mean is not None and child.running_var is not None:
            generator = torch.Generator().manual_seed(child.num_features)
            child.running_mean.normal_(0, 0.2, generator=generator)
            child.running_var.uniform_(0.5, 1.5, generator=generator)
    channels, size, _ = data.shape
    return LoadedNetwork(
        name=name,
        architecture="toy",
        options={},
        classes=data.classes,
        channels=channels,
        size=size,
        mean=(0.4,) * channels,
        std=(0.3,) * channels,
        data=data.name,
        data_fingerprint=data.fingerprint,
        origin={},
        module=freeze(module, "cpu"),
    )


def fresh(arch: str, data: DataSet, seed: int = 0, **options: int) -> LoadedNetwork:
    """A network of the zoo with fresh weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = zoo.build(arch, classes=len(data.classes), channels=data.shape[0], size=data.shape[1], **options)
    return network(module, data, arch)


def seeded(make: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """A module with the parameters of this seed, in eval mode, the global generator untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make().eval()


def pair(front: LoadedNetwork, end: LoadedNetwork, data: DataSet) -> Pair:
    """The two on the CPU."""
    return Pair(front, end, data, torch.device("cpu"))


class Convolutions(nn.Module):
    """Convolutions of these widths and strides with ReLU (``act0``, ``act1``, ...), an average, a linear layer.

    ``tie`` makes the second channel of every layer equal the first and the third dead.
    """

    def __init__(
        self, widths: tuple[int, ...], classes: int, channels: int = 1, stride: int = 2, tie: bool = False
    ) -> None:
        super().__init__()
        self.depth = len(widths)
        for k, width in enumerate(widths):
            conv = nn.Conv2d(channels, width, 3, stride if k else 1, 1)
            if tie:
                weight, bias = conv.weight, sure(conv.bias)
                with torch.no_grad():
                    weight[1], bias[1] = weight[0], bias[0]
                    weight[2], bias[2] = 0, -1
            self.add_module(f"conv{k}", conv)
            self.add_module(f"act{k}", nn.ReLU())
            channels = width
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flat = nn.Flatten()
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        for k in range(self.depth):
            x = self.get_submodule(f"act{k}")(self.get_submodule(f"conv{k}")(x))
        logits: Tensor = self.fc(self.flat(self.pool(x)))
        return logits


class Tokens(nn.Module):
    """A patch embedding, ``first`` and ``second`` (token-wise, tanh), a linear layer on the mean token."""

    def __init__(self, size: int, patch: int, dim: int, classes: int, class_token: bool, channels: int = 1) -> None:
        super().__init__()
        self.embed = nn.Conv2d(channels, dim, patch, patch)
        self.pad = int(class_token)
        count = (size // patch) ** 2 + self.pad
        self.position = nn.Parameter(torch.randn(1, count, dim))
        self.first = nn.Sequential(nn.Linear(dim, dim), nn.Tanh())
        self.mix = nn.Linear(count, count)
        self.second = nn.Sequential(nn.Linear(dim, dim), nn.Tanh())
        self.head = nn.Linear(dim, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(self.embed(x).flatten(2).transpose(1, 2), (0, 0, self.pad, 0)) + self.position
        x = self.mix(self.first(x).transpose(1, 2)).transpose(1, 2)
        logits: Tensor = self.head(self.second(x).mean(1))
        return logits


class InPlace(nn.Module):
    """Every way of overwriting an activation: in-place modules, functions, methods and operators."""

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.act = nn.ReLU(inplace=True)
        self.block = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.Hardswish(inplace=True))
        self.drop = nn.Dropout(0.5, inplace=True)
        self.second = nn.Conv2d(6, 6, 1)
        self.third = nn.Conv2d(6, 6, 1)
        self.fourth = nn.Conv2d(6, 6, 1)
        self.fifth = nn.Conv2d(6, 6, 1)
        self.fc = nn.Linear(6, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.norm(self.conv(x)))
        y = self.block(x)
        y += x
        y = self.second(self.drop(y))
        y = self.third(F.relu(y, inplace=True))
        y = self.fourth(y.relu_())
        y = self.fifth(torch.relu_(y))
        y *= 2
        y = y.add_(1)
        logits: Tensor = self.fc(y.mean((2, 3)))
        return logits


class Skip(nn.Module):
    """Passes on what it is given."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class Shortcuts(nn.Module):
    """A residual network whose first layers end in a function, or in the module ``relu``.

    ``shortcut`` makes what each block adds to its own: passed on as it came, by a module.
    """

    def __init__(self, shortcut: Callable[[], nn.Module], relu: bool = False, decide: bool = False) -> None:
        super().__init__()
        self.conv, self.relu, self.decide = nn.Conv2d(1, 4, 3, padding=1), nn.ReLU() if relu else None, decide
        self.layer1 = nn.Sequential(*(ShortcutBlock(shortcut()) for _ in range(2)))
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = F.relu(x) if self.relu is None else self.relu(x)
        if self.decide and x.abs().max() > 1e6:  # control flow that torch.fx cannot trace
            x = x / 2
        logits: Tensor = self.fc(self.layer1(x).mean((2, 3)))
        return logits


class ShortcutBlock(nn.Module):
    def __init__(self, shortcut: nn.Module) -> None:
        super().__init__()
        self.conv, self.shortcut = nn.Conv2d(4, 4, 3, padding=1), shortcut

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x) + self.shortcut(x))

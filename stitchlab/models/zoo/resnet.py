"""Builds residual networks for small images: the CIFAR family (resnet14, resnet20) and resnet18 with a 3×3 stem.

He et al. 2016, "Deep Residual Learning for Image Recognition", section 4.2 (CIFAR) and table 1 (ResNet-18); shortcuts
are projections where the shape changes (option B). Parameters are named as torchvision names a ResNet's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import nn

Widths = Literal["doubling", "equal"]
Maps = Literal["halving", "equal"]


class BasicBlock(nn.Module):
    """Adds two 3×3 convolutions to a shortcut: (N,C,H,W) -> (N,width,H/stride,W/stride), rounded up."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()  # torchvision calls one ReLU twice; two give each activation its own name
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels != width:
            self.downsample = nn.Sequential(nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        self.relu2 = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu1(self.bn1(self.conv1(x)))
        out: torch.Tensor = self.relu2(self.bn2(self.conv2(x)) + shortcut)
        return out


class ResNet(nn.Module):
    """Maps images (N,C,S,S) to logits (N,classes). Stage k is ``layer{k}``, its blocks ``layer{k}.0``, ``layer{k}.1``…

    Every stage but the first halves the map, unless ``halving`` is False.
    """

    def __init__(
        self, classes: int, channels: int, depths: Sequence[int], widths: Sequence[int], halving: bool = True
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, widths[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU()
        self.stages = len(depths)
        channels = widths[0]
        for k, (depth, width) in enumerate(zip(depths, widths, strict=True), start=1):
            strides = [2 if halving and k > 1 else 1] + [1] * (depth - 1)
            inputs = [channels] + [width] * (depth - 1)
            blocks = [BasicBlock(c, width, s) for c, s in zip(inputs, strides, strict=True)]
            self.add_module(f"layer{k}", nn.Sequential(*blocks))
            channels = width
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        for k in range(1, self.stages + 1):
            x = self.get_submodule(f"layer{k}")(x)
        logits: torch.Tensor = self.fc(self.flatten(self.avgpool(x)))
        return logits


def cifar(depth: int) -> Callable[..., nn.Module]:
    """Make a builder of the CIFAR family: 6n + 2 layers in three stages of n blocks, widths 16, 32, 64."""
    blocks = (depth - 2) // 6
    return lambda classes, channels, size: ResNet(classes, channels, [blocks] * 3, [16, 32, 64])


def resnet18(classes: int, channels: int, size: int, width: int, widths: Widths, maps: Maps) -> nn.Module:
    """Build a ResNet-18 with a 3×3 stem and no max pooling.

    With ``widths`` and ``maps`` both equal it is the control of Balogh & Jelasity 2025: all stages have layers of the
    same shape, so that a shape does not show where a layer is.

    Args:
        classes, channels: number of outputs; 1 or 3 channels of the images.
        size: pixels a side of the images; has no effect.
        width: channels of the first stage.
        widths: ``doubling`` from stage to stage, or ``equal`` in all.
        maps: ``halving`` from stage to stage, or ``equal`` in all.
    """
    factors = (1, 2, 4, 8) if widths == "doubling" else (1,) * 4
    return ResNet(classes, channels, [2] * 4, [width * factor for factor in factors], halving=maps == "halving")

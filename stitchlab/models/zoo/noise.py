"""Builds a control whose activations are noise. A good measure of similarity must rate them low against anything.

Each block turns its input into normal noise of the shapes that a small residual network has. The noise is a hash of
the input's values, so the same image gives the same noise on any machine, and nothing else of the image comes through.
The hash is the finaliser of SplitMix64 (Steele, Lea & Flood 2014), in int64 arithmetic that wraps.
"""

from __future__ import annotations

import torch
import torch.fx
from torch import nn

#: (channels, what the side is divided by) of block 0, 1, …: as ResNet-14's.
SHAPES = ((16, 1), (16, 1), (32, 2), (32, 2), (64, 4), (64, 4))
_STEP, _FIRST, _SECOND = -7046029254386353131, -4658895280553007687, -7723592293110705685


def _shifted(x: torch.Tensor, bits: int) -> torch.Tensor:
    """Shift right without the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def mixed(x: torch.Tensor) -> torch.Tensor:
    """Mix bits by SplitMix64's finaliser: int64 to int64, every bit depending on every other."""
    x = (x ^ _shifted(x, 30)) * _FIRST
    x = (x ^ _shifted(x, 27)) * _SECOND
    return x ^ _shifted(x, 31)


@torch.fx.wrap  # one node of a graph, not a place to cut at every step
def number(x: torch.Tensor) -> torch.Tensor:
    """Hash anything float32 (N,...) to one number an image, int64 (N,), in which every value and its place counts.

    Values count to 2⁻¹²: whoever divides pixels by 255 may round the last bit otherwise.
    """
    values = (x.flatten(1) * 0x1000).round().long()
    return mixed(mixed(values + torch.arange(values.shape[1], device=x.device) * _STEP).sum(1))


@torch.fx.wrap
def spread(numbers: torch.Tensor, channels: int, side: int) -> torch.Tensor:
    """Turn numbers into noise: four numbers of 16 bits each for every place, added, which is exact.

    Args:
        numbers: int64 (N,), one an image.
        channels, side: of the maps.

    Returns:
        float32 (N,channels,side,side): mean 0, variance 1, close to normal.
    """
    places = torch.arange(1, channels * side**2 + 1, device=numbers.device) * _STEP
    hashed = mixed(numbers[:, None] + places)
    parts = sum((_shifted(hashed, bits) & 0xFFFF for bits in (16, 32, 48)), hashed & 0xFFFF)
    return ((parts - 2 * 0xFFFF).float() * (3**0.5 / 0x10000)).view(-1, channels, side, side)


class Number(nn.Module):
    """Hashes anything (N,...) to numbers (N,)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return number(x)


class Block(nn.Module):
    """Turns anything (N,...) into noise (N,channels,side,side): mean 0, variance 1, close to normal."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.channels, self.side = channels, side
        self.number = Number()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return spread(self.number(x), self.channels, self.side)


class Noise(nn.Module):
    """Maps images (N,C,S,S) to noise in ``blocks.0`` … ``blocks.5``, and the last block's to logits (N,classes)."""

    def __init__(self, classes: int, channels: int, size: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block(c, max(1, size // by)) for c, by in SHAPES))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(SHAPES[-1][0], classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.fc(self.flatten(self.avgpool(self.blocks(x))))
        return logits

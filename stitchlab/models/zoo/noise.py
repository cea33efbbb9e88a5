"""Builds a control whose activations are noise. A good measure of similarity must rate them low against anything.

Each block turns its input into normal noise with the shapes of a small residual network's activations. The noise is a
hash of the input's values: the same image gives the same noise on any machine, and carries no other information.
The hash is the finaliser of SplitMix64 (Steele, Lea & Flood 2014), in int64 arithmetic that wraps.
"""

from __future__ import annotations

import torch
import torch.fx
from torch import nn

#: (channels, divisor of the input's side) of block 0, 1, …: those of ResNet-14.
SHAPES = ((16, 1), (16, 1), (32, 2), (32, 2), (64, 4), (64, 4))
# Constants of SplitMix64, as signed integers:
_INCREMENT = -7046029254386353131
_FIRST_MULTIPLIER = -4658895280553007687
_SECOND_MULTIPLIER = -7723592293110705685


def _logical_shift(x: torch.Tensor, bits: int) -> torch.Tensor:
    """Shift right by this many bits and fill with zeros instead of the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def mixed(x: torch.Tensor) -> torch.Tensor:
    """Mix bits by SplitMix64's finaliser: int64 to int64, every bit depending on every other."""
    x = (x ^ _logical_shift(x, 30)) * _FIRST_MULTIPLIER
    x = (x ^ _logical_shift(x, 27)) * _SECOND_MULTIPLIER
    return x ^ _logical_shift(x, 31)


@torch.fx.wrap  # one node of the graph, so that its steps are no cut points
def number(x: torch.Tensor) -> torch.Tensor:
    """Hash float32 values (N,...) to one int64 number for each image (N,), by all values and their positions.

    Values are rounded to multiples of 2⁻¹², since machines may differ in the last bit of pixels divided by 255.
    """
    values = (x.flatten(1) * 0x1000).round().long()
    return mixed(mixed(values + torch.arange(values.shape[1], device=x.device) * _INCREMENT).sum(1))


@torch.fx.wrap
def spread(numbers: torch.Tensor, channels: int, side: int) -> torch.Tensor:
    """Turn each number into noise: the sum of four 16-bit numbers at every position, which is exact.

    Args:
        numbers: int64 (N,), one an image.
        channels, side: of the maps.

    Returns:
        float32 (N,channels,side,side): mean 0, variance 1, close to normal.
    """
    positions = torch.arange(1, channels * side**2 + 1, device=numbers.device) * _INCREMENT
    hashed = mixed(numbers[:, None] + positions)
    sums = sum((_logical_shift(hashed, bits) & 0xFFFF for bits in (16, 32, 48)), hashed & 0xFFFF)
    return ((sums - 2 * 0xFFFF).float() * (3**0.5 / 0x10000)).view(-1, channels, side, side)


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
        self.blocks = nn.Sequential(*(Block(c, max(1, size // divisor)) for c, divisor in SHAPES))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(SHAPES[-1][0], classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.fc(self.flatten(self.avgpool(self.blocks(x))))
        return logits

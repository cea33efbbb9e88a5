"""A multilayer perceptron on the pixels: no neighbourhoods, no sharing, vectors all the way."""

from __future__ import annotations

import torch
from torch import nn


class Layer(nn.Module):
    """A linear layer with batch norm and ReLU: (N,D) -> (N,width)."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, width)
        self.norm = nn.BatchNorm1d(width)
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.relu(self.norm(self.linear(x)))
        return out


class MLP(nn.Module):
    """(N,C,S,S) -> logits (N,classes); hidden layers ``layers.0``, ``layers.1``, …"""

    def __init__(self, features: int, width: int, depth: int, classes: int) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.layers = nn.Sequential(*(Layer(features if k == 0 else width, width) for k in range(depth)))
        self.fc = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.fc(self.layers(self.flatten(x)))
        return logits


def mlp(classes: int, channels: int, size: int, width: int, depth: int) -> MLP:
    """An MLP of ``depth`` hidden layers of ``width`` units."""
    return MLP(channels * size**2, width, depth, classes)

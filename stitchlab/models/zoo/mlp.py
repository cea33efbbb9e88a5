"""Builds a multilayer perceptron on the pixels, all of whose activations are vectors."""

from __future__ import annotations

import torch
from torch import nn


class Layer(nn.Module):
    """Applies a linear layer, batch norm and ReLU: (N,D) -> (N,width)."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, width)
        self.norm = nn.BatchNorm1d(width)
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.relu(self.norm(self.linear(x)))
        return out


class MLP(nn.Module):
    """Maps images (N,C,S,S) to logits (N,classes); hidden layers are ``layers.0``, ``layers.1``, …"""

    def __init__(self, features: int, width: int, depth: int, classes: int) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.layers = nn.Sequential(*(Layer(features if k == 0 else width, width) for k in range(depth)))
        self.fc = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.fc(self.layers(self.flatten(x)))
        return logits


def mlp(classes: int, channels: int, size: int, width: int, depth: int) -> MLP:
    """Build an MLP.

    Args:
        classes, channels, size: number of outputs; 1 or 3 channels and pixels a side of the images.
        width, depth: units of each hidden layer, and number of hidden layers.
    """
    return MLP(channels * size**2, width, depth, classes)

"""Builds Tiny-10: eight unpadded convolutions with batch norm and ReLU, global average pooling, one linear layer.

Kornblith et al. 2019, "Similarity of Neural Network Representations Revisited", appendix; parameters are named as in
the public checkpoints of Csiszárik et al. 2021 (renyi-ai/drfrankenstein), which can therefore be loaded.
"""

from __future__ import annotations

import torch
from torch import nn

#: (channels, kernel, stride) of conv1 … conv8.
CONVOLUTIONS = ((16, 3, 1), (16, 3, 1), (32, 3, 2), (32, 3, 1), (32, 3, 1), (64, 3, 2), (64, 3, 1), (64, 1, 1))


class Tiny10(nn.Module):
    """Maps images (N,C,S,S) with S ≥ 27 to logits (N,classes)."""

    def __init__(self, classes: int, channels: int, size: int) -> None:
        super().__init__()
        for k, (width, kernel, stride) in enumerate(CONVOLUTIONS, start=1):
            self.add_module(f"conv{k}", nn.Conv2d(channels, width, kernel, stride))
            self.add_module(f"bn{k}", nn.BatchNorm2d(width))
            self.add_module(f"relu{k}", nn.ReLU())
            channels = width
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for k in range(1, len(CONVOLUTIONS) + 1):
            for kind in ("conv", "bn", "relu"):
                x = self.get_submodule(f"{kind}{k}")(x)
        logits: torch.Tensor = self.fc(self.flatten(self.avgpool(x)))
        return logits

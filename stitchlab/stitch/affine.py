"""Defines the stitch: one affine map on channels or features, shared by all positions (design: Lenc & Vedaldi 2015).

Activations come as maps (N, C, H, W) or (N, H, W, C), tokens (N, T, D) or vectors (N, D). A `Form` says which, and
`align` brings the front's positions to the end's without any parameter: maps are resized bilinearly, tokens without
the class token are read as a square map, and anything that goes into a vector is averaged over its positions.
What is left is x W^T + b on every position, and for tokens made from a map, a class token that is their mean.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stitchlab.results.activation_layout import Layout, check


def align(x: Tensor, source: Layout, target: Layout) -> Tensor:
    """Bring front activations to the end layer's positions; they keep the front's channels.

    Args:
        x: (N, ...), the front's activations.
        source, target: forms of the front layer's activations and of the end layer's.

    Returns:
        (N, C, H, W) for a map, (N, T, C) for tokens (without the class token where the front has none to give) and
        (N, C) for a vector.
    """
    if target.kind == "vector":
        return _channels_last(x, source).mean(1)
    if target.kind == "tokens" and source.tokens == target.tokens:
        return x
    resized = _resized(grid(x, source), target)
    if target.kind != "tokens":
        return resized
    patches = resized.flatten(2).transpose(1, 2)  # (N, T, C)
    if target.class_token and source.class_token:
        return torch.cat([x[:, :1], patches], 1)
    return patches


def affine(aligned: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Compute x W^T + b on every position.

    Args:
        aligned: what `align` returns, with C channels.
        weight, bias: W (D, C) and b (D,).

    Returns:
        the same with D channels.
    """
    if aligned.dim() == 4:
        return F.conv2d(aligned, weight[:, :, None, None], bias)
    return F.linear(aligned, weight, bias)


def complete(mapped: Tensor, source: Layout, target: Layout) -> Tensor:
    """Make mapped activations what the end network expects: its class token is added, channels go where it wants them.

    Args:
        mapped: what `affine` returns, or what `align` does.
        source, target: forms of the front layer's activations and of the end layer's.

    Returns:
        (N, ...) of the target's form; a class token that the front cannot give is the mean of the other tokens.
    """
    if target.kind == "map-last":
        return mapped.permute(0, 2, 3, 1)
    if lacks_class_token(source, target):
        return torch.cat([mapped.mean(1, keepdim=True), mapped], 1)
    return mapped


def lacks_class_token(source: Layout, target: Layout) -> bool:
    """Tell whether the end network wants a class token that the front network cannot give."""
    return target.class_token and not source.class_token


def rows(aligned: Tensor) -> Tensor:
    """Give what `align` returns, or a vector, as rows of positions: (N·H·W, C), (N·T, C) or (N, C)."""
    return (aligned.movedim(1, -1) if aligned.dim() == 4 else aligned).flatten(0, -2)


def grows(source: Layout, target: Layout) -> bool:
    """Tell whether a stitch from source to target enlarges a map."""
    return target.kind.startswith("map") and source.height * source.width < target.height * target.width


class Stitch(nn.Module):
    """Maps activations of one layer to another's by an affine map.

    Args:
        source: form of the front layer's activations.
        target: form of the end layer's.
        generator: for PyTorch's default initialisation, U(-1/√C, 1/√C) for weight and bias alike.
    """

    def __init__(self, source: Layout, target: Layout, generator: torch.Generator | None = None) -> None:
        super().__init__()
        check(source, target)
        self.source, self.target = source, target
        bound = 1 / math.sqrt(source.channels)
        self.weight = nn.Parameter(torch.empty(target.channels, source.channels))
        self.bias = nn.Parameter(torch.empty(target.channels))
        for parameter in (self.weight, self.bias):
            nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Turn front activations (N, ...) into activations of the end layer's form (N, ...)."""
        source, target = self.source, self.target
        if grows(source, target):
            # Bilinear weights sum to 1, so resizing commutes with the map: it costs less before the map has grown.
            mapped = _resized(affine(grid(x, source), self.weight, self.bias), target)
        else:
            mapped = affine(align(x, source, target), self.weight, self.bias)
        return complete(mapped, source, target)

    @classmethod
    def of(cls, source: Layout, target: Layout, weight: Tensor, bias: Tensor) -> Stitch:
        """Make the stitch with this weight and bias, which are copied.

        Args:
            source, target: forms of the front layer's activations and of the end layer's.
            weight, bias: (D, C) and (D,).

        Raises:
            StitchLabError: no stitch is defined between these forms.
        """
        made = cls(source, target, torch.Generator())  # not the caller's: what is drawn is thrown away
        with torch.no_grad():
            made.weight.copy_(weight)
            made.bias.copy_(bias)
        return made


def _channels_last(x: Tensor, source: Layout) -> Tensor:  # (N, positions, C)
    if source.kind == "map":
        return x.flatten(2).transpose(1, 2)
    return x.reshape(len(x), -1, source.channels)


def grid(x: Tensor, source: Layout) -> Tensor:
    """Give activations of this form (N, ...) as a map (N, C, H, W), the class token left out."""
    if source.kind == "map":
        return x
    if source.kind == "map-last":
        return x.permute(0, 3, 1, 2)
    if source.class_token:
        x = x[:, 1:]
    return _channels_last(x, source).transpose(1, 2).reshape(len(x), source.channels, source.height, source.width)


def _resized(x: Tensor, target: Layout) -> Tensor:
    if x.shape[2:] == (target.height, target.width):
        return x
    return F.interpolate(x, (target.height, target.width), mode="bilinear", align_corners=False)

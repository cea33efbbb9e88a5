"""Define the stitch: one affine map on channels or features, shared by all positions (design: Lenc & Vedaldi 2015).

Activations are maps (N, C, H, W) or (N, H, W, C), tokens (N, T, D) or vectors (N, D). A `Layout` says which. `align`
brings the front's positions to the end's without any parameter: maps are resized bilinearly, tokens without the class
token are read as a square map, and activations are averaged over positions where the end layer has a vector. Then the
stitch computes x W^T + b at every position. Where tokens are made from a map, their mean becomes the class token.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stitchlab.results.activation_layout import Layout, check


def align(x: Tensor, source: Layout, target: Layout) -> Tensor:
    """Bring front activations to the end layer's positions, without changing their channels.

    Args:
        x: (N, ...), the front's activations.
        source, target: layouts of the front layer's activations and of the end layer's.

    Returns:
        (N, C, H, W) for a map, (N, T, C) for tokens (without the class token where the front has none) and (N, C) for
        a vector.
    """
    if target.kind == "vector":
        return _channels_last(x, source).mean(1)
    if target.kind == "tokens" and source.tokens == target.tokens:
        return x
    resized = _resized(as_map(x, source), target)
    if target.kind != "tokens":
        return resized
    patches = resized.flatten(2).transpose(1, 2)  # (N, T, C)
    if target.class_token and source.class_token:
        return torch.cat([x[:, :1], patches], 1)
    return patches


def affine(aligned: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Compute x W^T + b at every position.

    Args:
        aligned: what `align` returns, with C channels.
        weight, bias: W (D, C) and b (D,).

    Returns:
        the mapped activations, at the same positions, with D channels.
    """
    if aligned.dim() == 4:
        return F.conv2d(aligned, weight[:, :, None, None], bias)
    return F.linear(aligned, weight, bias)


def complete(mapped: Tensor, source: Layout, target: Layout) -> Tensor:
    """Bring mapped activations into the end layer's layout: add a missing class token, and put channels in order.

    Args:
        mapped: what `affine` returns, or what `align` does.
        source, target: layouts of the front layer's activations and of the end layer's.

    Returns:
        (N, ...) in the target's layout; a class token that the front lacks is the mean of the other tokens.
    """
    if target.kind == "map-last":
        return mapped.permute(0, 2, 3, 1)
    if lacks_class_token(source, target):
        return torch.cat([mapped.mean(1, keepdim=True), mapped], 1)
    return mapped


def lacks_class_token(source: Layout, target: Layout) -> bool:
    """Tell whether the end layer has a class token and the front layer has none."""
    return target.class_token and not source.class_token


def rows(aligned: Tensor) -> Tensor:
    """Arrange aligned activations (`align`) as rows of positions: (N·H·W, C), (N·T, C) or (N, C)."""
    return (aligned.movedim(1, -1) if aligned.dim() == 4 else aligned).flatten(0, -2)


def enlarges(source: Layout, target: Layout) -> bool:
    """Tell whether a stitch from source to target enlarges a map."""
    return target.kind.startswith("map") and source.height * source.width < target.height * target.width


class Stitch(nn.Module):
    """Map activations of a front layer to activations for an end layer, by an affine map.

    Args:
        source: layout of the front layer's activations.
        target: layout of the end layer's activations.
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
        """Turn front activations (N, ...) into activations of the end layer's layout (N, ...)."""
        source, target = self.source, self.target
        if enlarges(source, target):
            # Bilinear weights sum to 1, so resizing commutes with the affine map, which costs less on the small map.
            mapped = _resized(affine(as_map(x, source), self.weight, self.bias), target)
        else:
            mapped = affine(align(x, source, target), self.weight, self.bias)
        return complete(mapped, source, target)

    @classmethod
    def of(cls, source: Layout, target: Layout, weight: Tensor, bias: Tensor) -> Stitch:
        """Make the stitch with this weight and bias, which are copied.

        Args:
            source, target: layouts of the front layer's activations and of the end layer's.
            weight, bias: (D, C) and (D,).

        Raises:
            StitchLabError: no stitch is defined between these layouts.
        """
        stitch = cls(
            source, target, torch.Generator()
        )  # its draws are overwritten: the global generator stays as it is
        with torch.no_grad():
            stitch.weight.copy_(weight)
            stitch.bias.copy_(bias)
        return stitch

    def extra_repr(self) -> str:
        """Name the layouts and channels in PyTorch's representation of the module."""
        source, target = self.source, self.target
        return f"{source.kind} of {source.channels} channels to {target.kind} of {target.channels}"


def _channels_last(x: Tensor, source: Layout) -> Tensor:
    """Arrange activations of this layout as (N, positions, C)."""
    if source.kind == "map":
        return x.flatten(2).transpose(1, 2)
    return x.reshape(len(x), -1, source.channels)


def as_map(x: Tensor, source: Layout) -> Tensor:
    """Return activations of this layout (N, ...) as a map (N, C, H, W), without the class token."""
    if source.kind == "map":
        return x
    if source.kind == "map-last":
        return x.permute(0, 3, 1, 2)
    if source.class_token:
        x = x[:, 1:]
    return _channels_last(x, source).transpose(1, 2).reshape(len(x), source.channels, source.height, source.width)


def _resized(x: Tensor, target: Layout) -> Tensor:
    """Resize a map (N, C, h, w) to the height and width of the target."""
    if x.shape[2:] == (target.height, target.width):
        return x
    return F.interpolate(x, (target.height, target.width), mode="bilinear", align_corners=False)

"""Make known outliers from images.

A new kind is a function in this file. It has the name (- as _) of its entry in `stitchlab.catalog.outliers`. Known
outliers have two uses: detectors that learn are fine-tuned on some kinds, and every detector has to tell another kind
from native activations before it is believed. The kinds are always named beside the numbers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from stitchlab.catalog.outliers import check_kind
from stitchlab.request import derived_seed

PATCHES_PER_SIDE = 4

#: From images (N, C, H, W), float 0..255, to as many outliers of the same range.
MakeOutliers = Callable[[Tensor, torch.Generator], Tensor]


def outliers(name: str, images: Tensor, seed: int) -> Tensor:
    """Make outliers of a kind from images: the same for the same seed.

    Args:
        name: in `stitchlab.catalog.outliers`.
        images: uint8 (N, C, H, W).
        seed: decides what is drawn.

    Returns:
        uint8 (N, C, H, W): one outlier for each image.

    Raises:
        UnknownName: there is no such kind.
    """
    check_kind(name)
    generator = torch.Generator().manual_seed(derived_seed("outliers", name, seed))
    make: MakeOutliers = getattr(sys.modules[__name__], name.replace("-", "_"))
    unrounded: Tensor = make(images.float(), generator)
    return unrounded.round().clamp(0, 255).byte()


def noise(images: Tensor, generator: torch.Generator) -> Tensor:
    """Draw Gaussian noise with the images' mean and covariance: mean + Σ z_k (x_k − mean) / √N, z standard normal."""
    flat = images.flatten(1)
    mean = flat.mean(0)
    z = torch.randn(len(flat), len(flat), generator=generator)
    drawn: Tensor = mean + z @ (flat - mean) / len(flat) ** 0.5
    return drawn.view_as(images)


def patches(images: Tensor, generator: torch.Generator) -> Tensor:
    """Reorder every image's 4×4 patches; rows and columns that do not divide by 4 stay where they are."""
    count, channels, height, width = images.shape
    h, w = max(1, height // PATCHES_PER_SIDE), max(1, width // PATCHES_PER_SIDE)
    rows, columns = height // h, width // w
    cut = images[:, :, : rows * h, : columns * w].reshape(count, channels, rows, h, columns, w)
    cut = cut.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)  # (N, patches, C, h, w)
    order = torch.rand(count, rows * columns, generator=generator).argsort(1)
    cut = cut[torch.arange(count)[:, None], order].view(count, rows, columns, channels, h, w)
    cut = cut.permute(0, 3, 1, 4, 2, 5).reshape(count, channels, rows * h, columns * w)
    shuffled = images.clone()
    shuffled[:, :, : rows * h, : columns * w] = cut
    return shuffled


def blur(images: Tensor, generator: torch.Generator) -> Tensor:
    """Blur images by a Gaussian whose standard deviation is a quarter of the image's height."""
    sigma = images.shape[2] / 4
    max_padding = min(images.shape[2], images.shape[3]) - 1  # of torchvision's padding by reflection
    blurred: Tensor = gaussian_blur(images, [2 * (max_padding // 2) + 1] * 2, [sigma, sigma])
    return blurred


def mixed(images: Tensor, generator: torch.Generator) -> Tensor:
    """Average every image with another one."""
    order = torch.randperm(len(images), generator=generator)
    partners = torch.empty_like(images)
    partners[order] = images[order.roll(1)]  # each gets the previous one of the order, so none is paired with itself
    return (images + partners) / 2


def constant(images: Tensor, generator: torch.Generator) -> Tensor:
    """Make images of one uniformly drawn colour."""
    return 255 * torch.rand(*images.shape[:2], 1, 1, generator=generator).expand_as(images)

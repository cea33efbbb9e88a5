"""Makes known outliers from images.

A new kind is a function here, of the name (- as _) that its entry in `stitchlab.catalog.outliers` has. They serve
twice: detectors that learn are fine-tuned on one kind, and every detector has to tell another kind from native
activations before it is believed. What they are is always named beside the numbers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from stitchlab.catalog.outliers import check_kind
from stitchlab.request import derived_seed

PATCHES = 4  # a side

#: From images (N, C, H, W), float 0..255, to as many outliers of the same range.
Make = Callable[[Tensor, torch.Generator], Tensor]


def outliers(name: str, images: Tensor, seed: int) -> Tensor:
    """Make outliers of a kind from images: the same for the same seed.

    Args:
        name: in `stitchlab.catalog.outliers`.
        images: uint8 (N, C, H, W).
        seed: decides what is drawn.

    Returns:
        as many, uint8 (N, C, H, W).

    Raises:
        UnknownName: there is no such kind.
    """
    check_kind(name)
    generator = torch.Generator().manual_seed(derived_seed("outliers", name, seed))
    make: Make = getattr(sys.modules[__name__], name.replace("-", "_"))
    made: Tensor = make(images.float(), generator).round().clamp(0, 255).byte()
    return made


def noise(images: Tensor, generator: torch.Generator) -> Tensor:
    """Draw Gaussian noise with the images' mean and covariance: mean + Σ z_k (x_k − mean) / √N, z standard normal."""
    flat = images.flatten(1)
    mean = flat.mean(0)
    z = torch.randn(len(flat), len(flat), generator=generator)
    made: Tensor = mean + z @ (flat - mean) / len(flat) ** 0.5
    return made.view_as(images)


def patches(images: Tensor, generator: torch.Generator) -> Tensor:
    """Reorder every image's 4×4 patches; rows and columns that do not divide by 4 stay where they are."""
    count, channels, height, width = images.shape
    h, w = max(1, height // PATCHES), max(1, width // PATCHES)
    down, across = height // h, width // w
    cut = images[:, :, : down * h, : across * w].reshape(count, channels, down, h, across, w)
    cut = cut.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)  # (N, patches, C, h, w)
    order = torch.rand(count, down * across, generator=generator).argsort(1)
    cut = cut[torch.arange(count)[:, None], order].view(count, down, across, channels, h, w)
    made = images.clone()
    made[:, :, : down * h, : across * w] = cut.permute(0, 3, 1, 4, 2, 5).reshape(count, channels, down * h, across * w)
    return made


def blur(images: Tensor, generator: torch.Generator) -> Tensor:
    """Blur images by a Gaussian whose deviation is a quarter of the image's height."""
    sigma = images.shape[2] / 4
    reach = min(images.shape[2], images.shape[3]) - 1  # torchvision pads by reflection: half the kernel must fit
    blurred: Tensor = gaussian_blur(images, [2 * (reach // 2) + 1] * 2, [sigma, sigma])
    return blurred


def mixed(images: Tensor, generator: torch.Generator) -> Tensor:
    """Average every image with another one."""
    order = torch.randperm(len(images), generator=generator)
    other = torch.empty_like(images)
    other[order] = images[order.roll(1)]  # round a ring: no image meets itself
    return (images + other) / 2


def constant(images: Tensor, generator: torch.Generator) -> Tensor:
    """Make images of one uniformly drawn colour."""
    return 255 * torch.rand(*images.shape[:2], 1, 1, generator=generator).expand_as(images)

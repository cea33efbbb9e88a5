"""Augment training images: drawn for a whole epoch on the CPU, applied in batches on any device.

How an image is augmented depends only on the seed, the epoch and the image's position in the epoch's order. It does
not depend on the batch size, the device, or the cells that are trained at the same time. The kinds
(`stitchlab.catalog.augmentations`) are torchvision's RandomCrop, RandomHorizontalFlip, RandomAffine and
RandomResizedCrop, as the code of Balogh & Jelasity 2025 uses them on uint8 images before they are normalised.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor
from torchvision.transforms import functional as transforms

from stitchlab.errors import UnknownName
from stitchlab.request import AUGMENTATION_NAMES, AugmentationName, derived_seed

# Of ``affine``:
MAX_ROTATION_DEGREES = 5.0  # to each side
SCALE_RANGE = (0.9, 1.1)
MAX_SHEAR_DEGREES = 5.0  # to each side
AFFINE_PADDING_PX = 4
# Of ``resized-crop``, torchvision's defaults:
AREA_RANGE = (0.08, 1.0)  # shares of the image's area
ASPECT_RANGE = (3 / 4, 4 / 3)  # width over height
CROP_ATTEMPTS = 10

#: The drawn parameters of an augmentation by name: tensors (N, ...) with a row for each image of an epoch.
Draws = Mapping[str, Tensor]


@dataclass(frozen=True)
class EpochAugmentation:
    """Hold the parameters that were drawn for each image of an epoch, in the epoch's order."""

    kind: AugmentationName
    draws: Draws

    def apply(self, images: Tensor, first: int) -> Tensor:
        """Augment a batch.

        Args:
            images: uint8 (n,C,H,W), on any device.
            first: position of the first of these images in the epoch's order; the others follow it.

        Returns:
            uint8 (n,C,H,W), on the same device.
        """
        draws = {name: values[first : first + len(images)] for name, values in self.draws.items()}
        return _KINDS[self.kind].apply(images, draws)


def draw(kind: str, count: int, shape: tuple[int, ...], seed: int, epoch: int) -> EpochAugmentation:
    """Draw the parameters of the augmentation for every image of an epoch.

    Args:
        kind: one of `stitchlab.request.AUGMENTATION_NAMES`.
        count: how many images there are.
        shape: (C,H,W) of each.
        seed, epoch: the same two give the same draw.

    Raises:
        UnknownName: there is no such kind.
    """
    if kind not in AUGMENTATION_NAMES:
        raise UnknownName("augmentation", kind, AUGMENTATION_NAMES)
    generator = Generator().manual_seed(derived_seed("augmentation of an epoch", seed, epoch))
    height, width = shape[1:]
    return EpochAugmentation(kind, _KINDS[kind].draw(generator, count, height, width))


def shift_and_mirror(images: Tensor, top: Tensor, left: Tensor, mirror: Tensor, padding: tuple[int, int]) -> Tensor:
    """Pad each image with 0, crop it to its own size at a shifted position, and mirror some of the images.

    Args:
        images: (N,C,H,W), any type and device.
        top, left: (N,) where the crop begins in the padded image, in pixels.
        mirror: (N,) bool, which images are mirrored left to right.
        padding: rows above and below, columns left and right.

    Returns:
        (N,C,H,W), contiguous.
    """
    count, channels, height, width = images.shape
    padded = F.pad(images, (padding[1], padding[1], padding[0], padding[0]))
    across = torch.where(mirror[:, None], torch.arange(width - 1, -1, -1), torch.arange(width))
    rows, columns = top[:, None] + torch.arange(height), left[:, None] + across
    flat_indices = (rows[:, :, None] * padded.shape[3] + columns[:, None, :]).to(images.device)
    flat_indices = flat_indices.view(count, 1, -1).expand(-1, channels, -1)
    # One gather by flat indices is four times as fast as indexing by rows and by columns.
    return padded.flatten(2).gather(2, flat_indices).view(images.shape)


def _crop_padding(height: int, width: int) -> tuple[int, int]:
    """Return an eighth of each side, rounded up: 4 pixels for CIFAR's 32 and for Fashion-MNIST's 28."""
    return math.ceil(height / 8), math.ceil(width / 8)


def _draw_crop(generator: Generator, count: int, height: int, width: int) -> Draws:
    down, across = _crop_padding(height, width)
    return {
        "top": torch.randint(0, 2 * down + 1, (count,), generator=generator),
        "left": torch.randint(0, 2 * across + 1, (count,), generator=generator),
        "mirror": torch.zeros(count, dtype=torch.bool),
    }


def _draw_flip_crop(generator: Generator, count: int, height: int, width: int) -> Draws:
    return {**_draw_crop(generator, count, height, width), "mirror": _coin_flips(generator, count)}


def _crop(images: Tensor, draws: Draws) -> Tensor:
    return shift_and_mirror(images, draws["top"], draws["left"], draws["mirror"], _crop_padding(*images.shape[2:]))


def _draw_affine(generator: Generator, count: int, height: int, width: int) -> Draws:
    return {
        "angle": _uniform(generator, count, -MAX_ROTATION_DEGREES, MAX_ROTATION_DEGREES),
        "scale": _uniform(generator, count, *SCALE_RANGE),
        "shear": _uniform(generator, count, -MAX_SHEAR_DEGREES, MAX_SHEAR_DEGREES),
    }


def _affine(images: Tensor, draws: Draws) -> Tensor:
    """Rotate, scale and shear about the centre, as `transforms.affine` does: nearest pixel, black outside."""
    padded = F.pad(images.float(), (AFFINE_PADDING_PX,) * 4, mode="replicate")
    height, width = padded.shape[2:]
    angle, shear, scale = draws["angle"].deg2rad(), draws["shear"].deg2rad(), draws["scale"]
    # The inverse of scale · rotation(angle) · [[1, −tan(shear)], [0, 1]]: it says where each pixel comes from.
    cosine, sine, tangent = angle.cos() / scale, angle.sin() / scale, shear.tan()
    theta = torch.stack(
        [torch.stack([cosine - tangent * sine, sine + tangent * cosine], 1), torch.stack([-sine, cosine], 1)], 1
    )  # (N,2,2), float64
    y, x = (torch.arange(side, dtype=torch.float64) - (side - 1) / 2 for side in (height, width))
    points = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).view(1, -1, 2)  # pixels from the centre
    grid = points @ theta.transpose(1, 2) / torch.tensor([width / 2, height / 2], dtype=torch.float64)
    padding = AFFINE_PADDING_PX
    grid = grid.view(-1, height, width, 2)[:, padding : height - padding, padding : width - padding]
    moved = F.grid_sample(padded, grid.float().to(images.device), mode="nearest", align_corners=False)
    return moved.to(images.dtype)


def _draw_resized_crop(generator: Generator, count: int, height: int, width: int) -> Draws:
    """Draw areas and aspect ratios, and take the first crop that fits; else the largest crop of an allowed ratio."""
    area = height * width * _uniform(generator, (count, CROP_ATTEMPTS), *AREA_RANGE)
    aspect = _uniform(generator, (count, CROP_ATTEMPTS), math.log(ASPECT_RANGE[0]), math.log(ASPECT_RANGE[1])).exp()
    widths, heights = (area * aspect).sqrt().round().long(), (area / aspect).sqrt().round().long()
    fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
    any_fits, first_fit = fits.any(1), fits.int().argmax(1, keepdim=True)
    nearest_aspect = min(max(width / height, ASPECT_RANGE[0]), ASPECT_RANGE[1])
    fallback = (min(height, round(width / nearest_aspect)), min(width, round(height * nearest_aspect)))
    crop_height, crop_width = (
        torch.where(any_fits, sides.gather(1, first_fit)[:, 0], torch.tensor(fallback_side))
        for sides, fallback_side in zip((heights, widths), fallback, strict=True)
    )
    top, left = (
        torch.where(any_fits, (_uniform(generator, count, 0, 1) * (side - crop + 1)).floor().long(), (side - crop) // 2)
        for side, crop in ((height, crop_height), (width, crop_width))
    )
    return {
        "top": top,
        "left": left,
        "height": crop_height,
        "width": crop_width,
        "mirror": _coin_flips(generator, count),
    }


def _resized_crop(images: Tensor, draws: Draws) -> Tensor:
    size = list(images.shape[2:])
    crops = zip(*(draws[name].tolist() for name in ("top", "left", "height", "width")), strict=True)
    resized = torch.stack(
        [transforms.resized_crop(image, *crop, size, antialias=True) for image, crop in zip(images, crops, strict=True)]
    )
    mirror = draws["mirror"].to(images.device)[:, None, None, None]
    return torch.where(mirror, resized.flip(3), resized)


def _uniform(generator: Generator, size: int | tuple[int, ...], low: float, high: float) -> Tensor:
    return low + (high - low) * torch.rand(size, generator=generator, dtype=torch.float64)


def _coin_flips(generator: Generator, count: int) -> Tensor:
    return torch.rand(count, generator=generator) < 0.5


class _Kind(NamedTuple):
    """Draws an augmentation for (generator, number of images, height, width), and applies it to uint8 images."""

    draw: Callable[[Generator, int, int, int], Draws]
    apply: Callable[[Tensor, Draws], Tensor]


_KINDS: dict[AugmentationName, _Kind] = {
    "none": _Kind(lambda *_: {}, lambda images, _: images),
    "crop": _Kind(_draw_crop, _crop),
    "flip-crop": _Kind(_draw_flip_crop, _crop),
    "affine": _Kind(_draw_affine, _affine),
    "resized-crop": _Kind(_draw_resized_crop, _resized_crop),
}

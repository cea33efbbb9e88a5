"""Augment training images: drawn for a whole epoch on the CPU, applied in batches on any device.

What is done to an image hangs on (seed, epoch) and its place in the epoch's order alone: on no batch size, no device,
and no cell that trains beside it. The kinds (`stitchlab.catalog.augmentations`) are torchvision's RandomCrop,
RandomHorizontalFlip, RandomAffine and RandomResizedCrop, as the code of Balogh & Jelasity 2025 uses them on uint8
images before they are normalised.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor
from torchvision.transforms import functional as transforms

from stitchlab.errors import check_names
from stitchlab.request import AUGMENTATION_NAMES, derived_seed

DEGREES, SCALE, SHEAR, EDGE = 5.0, (0.9, 1.1), 5.0, 4  # of affine: ° to each side, factors, ° to each side, pixels
AREA, RATIO, TRIES = (0.08, 1.0), (3 / 4, 4 / 3), 10  # of resized-crop: torchvision's defaults

Draws = Mapping[str, Tensor]  # each (N, ...): what was drawn for every image of an epoch


@dataclass(frozen=True)
class EpochAugmentation:
    """Hold what was drawn for each image of an epoch, in the epoch's order."""

    kind: str
    draws: Draws

    def apply(self, images: Tensor, first: int) -> Tensor:
        """Augment a batch.

        Args:
            images: uint8 (n,C,H,W), on any device.
            first: the place of the first one in the epoch's order; the others follow it.

        Returns:
            uint8 (n,C,H,W), on the same device.
        """
        chosen = {name: drawn[first : first + len(images)] for name, drawn in self.draws.items()}
        return _KINDS[self.kind][1](images, chosen)


def draw(kind: str, count: int, shape: tuple[int, ...], seed: int, epoch: int) -> EpochAugmentation:
    """Draw the augmentation of every image of an epoch.

    Args:
        kind: one of `stitchlab.request.AUGMENTATION_NAMES`.
        count: how many images there are.
        shape: (C,H,W) of each.
        seed, epoch: what is drawn depends on these alone.

    Raises:
        UnknownName: there is no such kind.
    """
    check_names("augmentation", [kind], AUGMENTATION_NAMES)
    generator = Generator().manual_seed(derived_seed("augmentation of an epoch", seed, epoch))
    height, width = shape[1:]
    return EpochAugmentation(kind, _KINDS[kind][0](generator, count, height, width))


def shifted(images: Tensor, top: Tensor, left: Tensor, mirror: Tensor, padding: tuple[int, int]) -> Tensor:
    """Pad each image with 0, cut one of its own size out of that, and mirror it where asked.

    Args:
        images: (N,C,H,W), any type and device.
        top, left: (N,) where the cut begins in the padded image, in pixels.
        mirror: (N,) bool.
        padding: rows above and below, columns left and right.

    Returns:
        (N,C,H,W), contiguous.
    """
    count, channels, height, width = images.shape
    padded = F.pad(images, (padding[1], padding[1], padding[0], padding[0]))
    across = torch.where(mirror[:, None], torch.arange(width - 1, -1, -1), torch.arange(width))
    rows, columns = top[:, None] + torch.arange(height), left[:, None] + across
    places = (rows[:, :, None] * padded.shape[3] + columns[:, None, :]).to(images.device)
    places = places.view(count, 1, -1).expand(-1, channels, -1)
    # One gather of flat places: four times as fast as an index of rows and one of columns.
    return padded.flatten(2).gather(2, places).view(images.shape)


def _padding(height: int, width: int) -> tuple[int, int]:
    """Return an eighth of each side, rounded up: 4 pixels for CIFAR's 32 and for Fashion-MNIST's 28."""
    return math.ceil(height / 8), math.ceil(width / 8)


def _draw_crop(generator: Generator, count: int, height: int, width: int) -> Draws:
    down, across = _padding(height, width)
    return {
        "top": torch.randint(0, 2 * down + 1, (count,), generator=generator),
        "left": torch.randint(0, 2 * across + 1, (count,), generator=generator),
        "mirror": torch.zeros(count, dtype=torch.bool),
    }


def _draw_flip_crop(generator: Generator, count: int, height: int, width: int) -> Draws:
    return {**_draw_crop(generator, count, height, width), "mirror": _halves(generator, count)}


def _crop(images: Tensor, draws: Draws) -> Tensor:
    return shifted(images, draws["top"], draws["left"], draws["mirror"], _padding(*images.shape[2:]))


def _draw_affine(generator: Generator, count: int, height: int, width: int) -> Draws:
    return {
        "angle": _uniform(generator, count, -DEGREES, DEGREES),
        "scale": _uniform(generator, count, *SCALE),
        "shear": _uniform(generator, count, -SHEAR, SHEAR),
    }


def _affine(images: Tensor, draws: Draws) -> Tensor:
    """Turn, scale and shear about the centre, as `transforms.affine` does: nearest pixel, black outside."""
    padded = F.pad(images.float(), (EDGE,) * 4, mode="replicate")
    height, width = padded.shape[2:]
    angle, shear, scale = draws["angle"].deg2rad(), draws["shear"].deg2rad(), draws["scale"]
    # The inverse of scale · rotation(angle) · [[1, −tan(shear)], [0, 1]]: where each pixel comes from.
    cosine, sine, tangent = angle.cos() / scale, angle.sin() / scale, shear.tan()
    theta = torch.stack(
        [torch.stack([cosine - tangent * sine, sine + tangent * cosine], 1), torch.stack([-sine, cosine], 1)], 1
    )  # (N,2,2), float64
    y, x = (torch.arange(side, dtype=torch.float64) - (side - 1) / 2 for side in (height, width))
    points = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).view(1, -1, 2)  # pixels from the centre
    grid = points @ theta.transpose(1, 2) / torch.tensor([width / 2, height / 2], dtype=torch.float64)
    grid = grid.view(-1, height, width, 2)[:, EDGE : height - EDGE, EDGE : width - EDGE]
    moved = F.grid_sample(padded, grid.float().to(images.device), mode="nearest", align_corners=False)
    return moved.to(images.dtype)


def _draw_resized_crop(generator: Generator, count: int, height: int, width: int) -> Draws:
    """Draw the first of ten areas and ratios that fits; else take the largest part of an allowed ratio."""
    area = height * width * _uniform(generator, (count, TRIES), *AREA)
    ratio = _uniform(generator, (count, TRIES), math.log(RATIO[0]), math.log(RATIO[1])).exp()
    across, down = (area * ratio).sqrt().round().long(), (area / ratio).sqrt().round().long()
    fits = (across > 0) & (across <= width) & (down > 0) & (down <= height)
    first = fits.int().argmax(1, keepdim=True)
    whole = min(max(width / height, RATIO[0]), RATIO[1])
    fallback = (min(height, round(width / whole)), min(width, round(height * whole)))
    any_fits = fits.any(1)
    down, across = (
        torch.where(any_fits, side.gather(1, first)[:, 0], torch.tensor(other))
        for side, other in zip((down, across), fallback, strict=True)
    )
    top, left = (
        torch.where(any_fits, (_uniform(generator, count, 0, 1) * (side - part + 1)).floor().long(), (side - part) // 2)
        for side, part in ((height, down), (width, across))
    )
    return {"top": top, "left": left, "height": down, "width": across, "mirror": _halves(generator, count)}


def _resized_crop(images: Tensor, draws: Draws) -> Tensor:
    size = list(images.shape[2:])
    parts = zip(*(draws[name].tolist() for name in ("top", "left", "height", "width")), strict=True)
    resized = torch.stack(
        [transforms.resized_crop(image, *part, size, antialias=True) for image, part in zip(images, parts, strict=True)]
    )
    mirror = draws["mirror"].to(images.device)[:, None, None, None]
    return torch.where(mirror, resized.flip(3), resized)


def _uniform(generator: Generator, size: int | tuple[int, ...], low: float, high: float) -> Tensor:
    return low + (high - low) * torch.rand(size, generator=generator, dtype=torch.float64)


def _halves(generator: Generator, count: int) -> Tensor:
    return torch.rand(count, generator=generator) < 0.5


#: How each kind is drawn, for (generator, images, height, width), and applied, to uint8 images with their draws.
_KINDS: dict[str, tuple[Callable[[Generator, int, int, int], Draws], Callable[[Tensor, Draws], Tensor]]] = {
    "none": (lambda *_: {}, lambda images, _: images),
    "crop": (_draw_crop, _crop),
    "flip-crop": (_draw_flip_crop, _crop),
    "affine": (_draw_affine, _affine),
    "resized-crop": (_draw_resized_crop, _resized_crop),
}

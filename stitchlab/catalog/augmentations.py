"""List the augmentations of training images for task loss matching; `stitchlab.data.augment` applies them."""

from __future__ import annotations

from dataclasses import dataclass

from stitchlab.catalog.data_sets import DATA_SETS
from stitchlab.request import AugmentationName

MAX_SHIFTED_SIDE_PX = 64  # larger images of a folder are cropped and resized instead of shifted


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Describe a way to augment images; ``short`` is its name in captions and pickers."""

    name: AugmentationName
    short: str
    meaning: str


AUGMENTATIONS: dict[str, Augmentation] = {
    augmentation.name: augmentation
    for augmentation in (
        Augmentation(name="none", short="un-augmented", meaning="the images as they are"),
        Augmentation(
            name="crop",
            short="crops",
            meaning="the image is padded with 0 by an eighth of its side, and cropped to its size at a random place",
        ),
        Augmentation(
            name="flip-crop",
            short="flips and crops",
            meaning="the same random crop, mirrored left to right half of the time",
        ),
        Augmentation(
            name="affine",
            short="affine maps",
            meaning="the image is padded by 4 pixels that repeat its edge, rotated by up to 5°, scaled by .9 to 1.1, "
            "sheared by up to 5°, and cropped to its size at the centre",
        ),
        Augmentation(
            name="resized-crop",
            short="resized crops and flips",
            meaning="a random part of the image (.08 to 1 of its area, sides 3:4 to 4:3) is resized to the image's "
            "size, and mirrored left to right half of the time",
        ),
    )
}


def usual(data: str, shape: tuple[int, ...]) -> AugmentationName:
    """Return the name of the augmentation that is usual in training on a data set.

    The catalog's data sets have theirs in their entries. For a folder of images the shape of the images decides.

    Args:
        data: name of the data set.
        shape: (C,H,W) of its images.

    >>> usual("cifar10", (3, 32, 32)), usual("digits", (1, 8, 8))
    ('flip-crop', 'none')
    >>> usual("folder:/letters", (1, 28, 28)), usual("folder:/birds", (3, 224, 224))
    ('crop', 'resized-crop')
    """
    if data in DATA_SETS:
        return DATA_SETS[data].augmentation
    if max(shape[1:]) > MAX_SHIFTED_SIDE_PX:
        return "resized-crop"
    return "flip-crop" if shape[0] == 3 else "crop"

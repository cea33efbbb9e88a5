"""List how training images are augmented for task loss matching; `stitchlab.data.augment` draws and applies it."""

from __future__ import annotations

from dataclasses import dataclass

from stitchlab.catalog.data_sets import DATA_SETS
from stitchlab.request import AugmentationName

CROPPED = 64  # pixels a side up to which images of a folder are shifted; larger ones are cropped and resized


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Describe a way to augment images; ``short`` is what captions call it."""

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
            meaning="a random crop of the image's size, of the image padded with 0 by an eighth of its side",
        ),
        Augmentation(
            name="flip-crop", short="flips and crops", meaning="the same crop, mirrored left to right half of the time"
        ),
        Augmentation(
            name="affine",
            short="affine maps",
            meaning="padded by 4 with its edge, turned by up to 5°, scaled by .9 to 1.1, sheared by up to 5°, "
            "and its centre cut out",
        ),
        Augmentation(
            name="resized-crop",
            short="resized crops and flips",
            meaning="a random part (.08 to 1 of the area, sides 3:4 to 4:3) brought to the image's size, "
            "mirrored half of the time",
        ),
    )
}


def usual(data: str, shape: tuple[int, ...]) -> AugmentationName:
    """Name the augmentation that training on this data usually has: that of its catalog entry, or of its shape.

    Args:
        data: name of the data set.
        shape: (C,H,W) of its images, which decides for folders of images.

    >>> usual("cifar10", (3, 32, 32)), usual("digits", (1, 8, 8))
    ('flip-crop', 'none')
    >>> usual("folder:/letters", (1, 28, 28)), usual("folder:/birds", (3, 224, 224))
    ('crop', 'resized-crop')
    """
    if data in DATA_SETS:
        return DATA_SETS[data].augmentation
    if max(shape[1:]) > CROPPED:
        return "resized-crop"
    return "flip-crop" if shape[0] == 3 else "crop"

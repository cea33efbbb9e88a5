"""List the data sets that have a name; `stitchlab.data.registry` loads them. A folder of images is ``folder:PATH``."""

from __future__ import annotations

from dataclasses import dataclass

from stitchlab.request import AugmentationName

FOLDER = "folder:"  # prefix of the path of a folder of images
DIGIT_NAMES = tuple("0123456789")


@dataclass(frozen=True, kw_only=True)
class DataSetEntry:
    """Describe a data set that has a name.

    Attributes:
        natural: whether a shifted or mirrored image is still an image of its class, so that training may do both.
        augmentation: the one that task loss matching applies by the paper's recipe (`stitchlab.catalog.augmentations`):
            Balogh & Jelasity's code takes each data set's usual one.
        at_hand: whether nothing has to be downloaded, since it comes with a library that StitchLab needs. Then
            ``train``, ``test`` and ``classes`` are known before it is loaded.
        outputs: number of classes.
        shape: (C,H,W) of an image.
        train, test: numbers of images.
        classes: their names.
    """

    name: str
    label: str
    description: str
    natural: bool = False
    augmentation: AugmentationName = "none"
    at_hand: bool = False
    outputs: int = 10
    shape: tuple[int, int, int]
    train: int | None = None
    test: int | None = None
    classes: tuple[str, ...] = ()


DATA_SETS = {
    entry.name: entry
    for entry in (
        DataSetEntry(
            name="digits",
            label="Digits",
            at_hand=True,
            shape=(1, 8, 8),
            train=1257,
            test=540,
            classes=DIGIT_NAMES,
            description="1,797 handwritten digits, 8×8, grey; they come with scikit-learn, so nothing is downloaded",
        ),
        DataSetEntry(
            name="mnist",
            label="MNIST",
            augmentation="affine",
            shape=(1, 28, 28),
            description="70,000 handwritten digits, 28×28, grey (LeCun et al. 1998)",
        ),
        DataSetEntry(
            name="fashion-mnist",
            label="Fashion-MNIST",
            augmentation="flip-crop",
            shape=(1, 28, 28),
            description="70,000 clothing photos, 28×28, grey (Xiao et al. 2017)",
        ),
        DataSetEntry(
            name="cifar10",
            label="CIFAR-10",
            natural=True,
            augmentation="flip-crop",
            shape=(3, 32, 32),
            description="60,000 photographs in 10 classes, 32×32, RGB (Krizhevsky 2009)",
        ),
        DataSetEntry(
            name="cifar100",
            label="CIFAR-100",
            natural=True,
            augmentation="flip-crop",
            shape=(3, 32, 32),
            outputs=100,
            description="60,000 photographs in 100 classes, 32×32, RGB (Krizhevsky 2009)",
        ),
        DataSetEntry(
            name="svhn",
            label="SVHN",
            augmentation="affine",
            shape=(3, 32, 32),
            description="99,289 photographs of digits in house numbers, 32×32, RGB (Netzer et al. 2011)",
        ),
    )
}

"""List data sets that come by name; `stitchlab.data.registry` loads them. Folders are named ``folder:PATH``."""

from __future__ import annotations

from dataclasses import dataclass

from stitchlab.request import AugmentationName

FOLDER = "folder:"  # before the path of a folder of images
DIGIT_NAMES = tuple("0123456789")


@dataclass(frozen=True, kw_only=True)
class DataSetEntry:
    """Describe a data set that comes by name.

    ``natural`` says that an image shifted or mirrored is as good as any, so that training may do both;
    ``augmentation`` is what task loss matching by the paper's recipe does to training images
    (`stitchlab.catalog.augmentations`; Balogh & Jelasity's code takes each data set's usual one). ``at_hand`` says that
    it comes with a library that StitchLab needs; ``train`` and ``test`` (numbers of images) and ``classes`` are then
    known before it is loaded. ``shape`` (C,H,W) and ``outputs``, the number of classes, are known of all.
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
            description="scikit-learn's 1,797 handwritten digits, 8×8, grey; nothing to download",
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
            description="99,289 house number digits, 32×32, RGB (Netzer et al. 2011)",
        ),
    )
}

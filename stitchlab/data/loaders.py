"""Read the data sets of the catalog from their files, one loader each.

Digits: Alpaydin & Kaynak 1998, UCI, as scikit-learn ships them; the others come through torchvision.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torchvision import datasets

from stitchlab.catalog.data_sets import DIGIT_NAMES
from stitchlab.data.splits import Split

DIGITS_SIZE = 8  # pixels a side, the digits' own: resnet14 at 16×16 takes twice as long for the same 99.4 %


class LoadedSplits(NamedTuple):
    """Hold the class names and both splits of a data set."""

    classes: tuple[str, ...]
    train: Split
    test: Split


#: Loads a data set of the catalog from a folder; the second argument says whether to download missing files. Raises
#: RuntimeError or OSError where files are missing.
Loader = Callable[[Path, bool], LoadedSplits]


def _digits(root: Path, download: bool) -> LoadedSplits:
    values, labels = load_digits(return_X_y=True)
    scale = DIGITS_SIZE // 8
    images = np.round(values.reshape(-1, 1, 8, 8) * 255 / 16).astype(np.uint8)
    images = images.repeat(scale, axis=2).repeat(scale, axis=3)
    train, test = train_test_split(np.arange(len(labels)), test_size=0.3, random_state=0, stratify=labels)
    return LoadedSplits(DIGIT_NAMES, _split(images[train], labels[train]), _split(images[test], labels[test]))


def _torchvision(data_set: Callable[..., Any], classes: tuple[str, ...] = ()) -> Loader:
    """Make a loader for a data set class of torchvision; ``classes`` replace its own class names."""

    def loader(root: Path, download: bool) -> LoadedSplits:
        parts = [data_set(str(root), train=train, download=download) for train in (True, False)]
        train, test = (_split(np.asarray(part.data), np.asarray(part.targets)) for part in parts)
        return LoadedSplits(classes or tuple(parts[0].classes), train, test)

    return loader


def _svhn(root: Path, download: bool) -> LoadedSplits:
    parts = [datasets.SVHN(str(root), split=part, download=download) for part in ("train", "test")]
    train, test = (_split(part.data, part.labels) for part in parts)
    return LoadedSplits(DIGIT_NAMES, train, test)


def _split(images: npt.NDArray[Any], labels: npt.NDArray[Any]) -> Split:
    """Make a split of images that are (N,H,W), (N,H,W,3) or (N,C,H,W)."""
    if images.ndim == 3:
        images = images[:, None]
    elif images.shape[-1] == 3:
        images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    return Split(images, labels.astype(np.int64))


LOADERS: dict[str, Loader] = {
    "digits": _digits,
    "mnist": _torchvision(datasets.MNIST, DIGIT_NAMES),
    "fashion-mnist": _torchvision(datasets.FashionMNIST),
    "cifar10": _torchvision(datasets.CIFAR10),
    "cifar100": _torchvision(datasets.CIFAR100),
    "svhn": _svhn,
}

"""Hold images with their labels, and choose which of them a request uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch

from stitchlab.data.image_folder import Pixels
from stitchlab.request import Request
from stitchlab.results.data_sets import checked_count

Labels = npt.NDArray[np.int64]

BATCH = 500  # images of a forward pass where nothing is trained; bounds memory, however large the data
MAX_FULL_BATCH_SIDE_PX = 64  # larger images are run in smaller batches, since activations grow with the area


@dataclass(frozen=True, eq=False)
class Split:
    """Hold images uint8 (N,C,H,W), possibly mapped read-only from the disk, and their labels int64 (N,)."""

    images: Pixels
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Split({len(self):,} images of {'×'.join(map(str, self.images.shape[1:]))})"

    def order(self, seed: int) -> torch.Tensor:
        """Return the permutation (N,) of the split for this seed, which is the same on any machine."""
        return torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))

    def first(self, count: int) -> Split:
        """Return the first ``count`` images of its permutation of seed 0, or all of them."""
        if count >= len(self):
            return self
        chosen = self.order(0)[:count].numpy()
        return Split(np.asarray(self.images[chosen]), self.labels[chosen])

    def take(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Copy the images uint8 (n,C,H,W) and labels int64 (n,) at these indices, in this order."""
        rows = index.cpu().numpy()
        return torch.from_numpy(np.asarray(self.images[rows])), torch.from_numpy(self.labels[rows])


@dataclass(frozen=True, eq=False)
class DataSet:
    """Hold training and test images with their class names.

    `stitchlab.data.registry.load` loads it again by its ``name``; pages show its ``label``. ``natural`` is true where
    shifted or mirrored images are as valid as any, so that training may augment so: of photographs, not of digits.
    """

    name: str
    label: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    fingerprint: str
    natural: bool = False

    def __repr__(self) -> str:
        return f"DataSet({self.name!r}, {len(self.classes)} classes, train={self.train}, test={self.test})"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return the (C,H,W) of every image."""
        channels, height, width = self.train.images.shape[1:]
        return (channels, height, width)


Batch = tuple[torch.Tensor, torch.Tensor]  #: images uint8 (n,C,H,W) and labels int64 (n,)
Take = Callable[[torch.Tensor], Batch]


#: The copy of a split on each device, or None where it is too large for that device. It is dropped with the split.
_copies: WeakKeyDictionary[Split, dict[torch.device, Batch | None]] = WeakKeyDictionary()


def take_on_device(split: Split, device: torch.device) -> Take:
    """Return a `Split.take` whose images are on a device; a GPU with enough memory keeps a copy of all of them."""
    copies = _copies.setdefault(split, {})
    if device not in copies:
        fits = _fits_on_gpu(split, device)
        copies[device] = _moved(split.take(torch.arange(len(split))), device) if fits else None
    if (copy := copies[device]) is None:
        return lambda index: _moved(split.take(index), device)
    images, labels = copy
    return lambda index: (images[index.to(device)], labels[index.to(device)])


def _fits_on_gpu(split: Split, device: torch.device) -> bool:
    """Tell whether a device is a GPU and the images take at most half of its free memory."""
    return device.type == "cuda" and split.images.nbytes <= torch.cuda.mem_get_info(device)[0] / 2


def _moved(batch: Batch, device: torch.device) -> Batch:
    images, labels = batch
    return images.to(device), labels.to(device)


def batch_size_for(count: int, size: int) -> int:
    """Return how many images of ``size``×``size`` pixels to run in one batch: ``count``, or fewer of large images.

    >>> batch_size_for(500, 32), batch_size_for(500, 224)
    (500, 40)
    """
    return max(1, min(count, count * MAX_FULL_BATCH_SIDE_PX**2 // size**2))


def draw(split: Split, seed: int, count: int | None, what: str) -> torch.Tensor:
    """Return the indices (count,) of the images that a request uses: the first of the split's permutation.

    Args:
        split: the images.
        seed: of the permutation.
        count: how many; None: all.
        what: their purpose, for the error message ("evaluation images", …).

    Raises:
        StitchLabError: the count is below 1 or above the number of images.
    """
    return split.order(seed)[: checked_count(count, len(split), what)]


def evaluation_indices(data: DataSet, request: Request) -> torch.Tensor:
    """Return the indices (M,) of a request's evaluation images in the test split. Raises StitchLabError."""
    return draw(data.test, request.seed, request.eval_images, "evaluation images (M)")

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

BATCH = 500  # images that are run together where nothing is trained: bounds memory, whatever the size of the data
LARGE = 64  # pixels a side up to which hundreds of images are run together; activations grow with the area


@dataclass(frozen=True, eq=False)
class Split:
    """Hold images uint8 (N,C,H,W), possibly mapped read-only from the disk, and their labels int64 (N,)."""

    images: Pixels
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

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
        """Copy the images uint8 (n,C,H,W) and labels int64 (n,) at these places, in this order."""
        rows = index.cpu().numpy()
        return torch.from_numpy(np.asarray(self.images[rows])), torch.from_numpy(self.labels[rows])


@dataclass(frozen=True, eq=False)
class DataSet:
    """Hold training and test images with their class names.

    ``name`` loads it again (`stitchlab.data.registry.load`), ``label`` is for people. ``natural`` says that an image
    shifted or mirrored is as good as any, so that training may do both: true of photographs, not of digits.
    """

    name: str
    label: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    fingerprint: str
    natural: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return the (C,H,W) of every image."""
        channels, height, width = self.train.images.shape[1:]
        return (channels, height, width)


Both = tuple[torch.Tensor, torch.Tensor]
Take = Callable[[torch.Tensor], Both]


#: Splits that lie on a device too, with their copy there, None where they take too much of it; it goes when they go.
_copies: WeakKeyDictionary[Split, dict[torch.device, Both | None]] = WeakKeyDictionary()


def taker(split: Split, device: torch.device) -> Take:
    """Return a `Split.take` for a device; all images stay on that device, if it is a GPU with enough room."""
    copies = _copies.setdefault(split, {})
    if device not in copies:
        copies[device] = _both(split.take(torch.arange(len(split))), device) if _room(split, device) else None
    if (there := copies[device]) is None:
        return lambda index: _both(split.take(index), device)
    images, labels = there
    return lambda index: (images[index.to(device)], labels[index.to(device)])


def _room(split: Split, device: torch.device) -> bool:
    """Tell whether a device is a GPU, and the images fill less than half of its free memory."""
    return device.type == "cuda" and split.images.nbytes <= torch.cuda.mem_get_info(device)[0] / 2


def _both(what: Both, device: torch.device) -> Both:
    return what[0].to(device), what[1].to(device)


def at_once(count: int, size: int) -> int:
    """Return how many images to run together, at most ``count``: fewer where the input's side, ``size``, is long.

    >>> at_once(500, 32), at_once(500, 224)
    (500, 40)
    """
    return max(1, min(count, count * LARGE**2 // size**2))


def draw(split: Split, seed: int, count: int | None, what: str) -> torch.Tensor:
    """Return the places (count,) of the images that a request uses: the first of the split's permutation.

    Args:
        split: the images.
        seed: of the permutation.
        count: how many; None: all.
        what: what they are for, as it should read in the message ("evaluation images", …).

    Raises:
        StitchLabError: the count is below 1 or beyond the data.
    """
    return split.order(seed)[: checked_count(count, len(split), what)]


def evaluation(data: DataSet, request: Request) -> torch.Tensor:
    """Return the places (M,) of a request's evaluation images in the test split. Raises StitchLabError."""
    return draw(data.test, request.seed, request.eval_images, "evaluation images (M)")

"""Runs stitches with the tails behind them: activations of the front become logits, as fast as the machine can.

Where what an end layer takes is small, several stitches into it go through its tail as one batch: a call costs more
than the arithmetic then. Where it is large, they go one by one, so that it stays in the caches (benchmarks/README.md
has the numbers). What does not fit into a GPU's memory is halved until it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from stitchlab.request import Cell
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.pair import Pair

#: Bytes of stitched activations that go through a tail together, by device. Measured for cpu (4 to 16 MB are alike);
#: a GPU is taken to want as much work as there is.
TOGETHER = {"cpu": 8 * 2**20, "cuda": 2**30}


@dataclass(frozen=True)
class Stitched:
    """Holds what stitches into one end layer make of n images.

    ``activations`` are (cells·n, ...), ``logits`` (cells·n, classes).
    """

    cells: list[Cell]
    activations: Tensor
    logits: Tensor


class Tails:
    """Holds the stitches of some cells, with the end network from their layers on.

    Args:
        pair: the networks.
        stitches: by cell; they may be trained meanwhile.
    """

    def __init__(self, pair: Pair, stitches: Mapping[Cell, Stitch]) -> None:
        self._pair, self._stitches = pair, stitches
        self.front_layers = list(dict.fromkeys(i for i, _ in stitches))
        self.end_layers = list(dict.fromkeys(j for _, j in stitches))
        self._tails = {j: pair.tail(j) for j in self.end_layers}
        self._most = TOGETHER.get(pair.device.type, 0)
        self.images: int | None = None  # that fitted into the memory, where more did not

    def through(self, activations: Mapping[str, Tensor]) -> Iterator[Stitched]:
        """Run every stitch and its tail, once, on the front network's activations (n, ...) by layer."""
        for j, tail in self._tails.items():
            cells = [cell for cell in self._stitches if cell[1] == j]
            images = len(activations[cells[0][0]])
            size = 4 * images * prod(self._pair.end_cuts.find(j).shape)
            several = max(1, self._most // size)
            for start in range(0, len(cells), several):
                part = cells[start : start + several]
                made = [self._stitches[cell](activations[cell[0]]) for cell in part]
                joined = made[0] if len(made) == 1 else torch.cat(made)
                yield Stitched(part, joined, tail(joined))

    def after(self, end_layer: str) -> Callable[[Tensor], Tensor]:
        """Give what runs the end network after one of its layers."""
        return self._tails[end_layer]

    def smaller(self) -> bool:
        """Send fewer through a tail together from now on; False where it is one by one already."""
        there, self._most = self._most, self._most // 2 if self._most > 2**20 else 0
        return there > 0


def retry_on_oom(work: Callable[[int], None], images: int, tails: Tails, again: Callable[[], None]) -> None:
    """Do the work on so many images at a time, or on fewer where a GPU's memory runs out, or ran out before.

    Args:
        work: given how many images are run together.
        images: how many to begin with.
        tails: what sends fewer cells through together first, and remembers how many images fitted.
        again: undoes what a try left behind.

    Raises torch.OutOfMemoryError where a single image does not fit.
    """
    images = min(images, tails.images or images)
    while True:
        try:
            return work(images)
        except torch.OutOfMemoryError:
            if not tails.smaller():
                if images == 1:
                    raise
                tails.images = images = (images + 1) // 2
            again()
            torch.cuda.empty_cache()

"""Run stitches and the tails of the end network behind them: front activations become logits.

Where the activations of an end layer are small, several stitches into that layer go through its tail as one batch,
because there a call costs more than its arithmetic. Where they are large, the stitches go one by one, so that the
activations stay in the caches (benchmarks/README.md has the numbers). A batch that does not fit into a GPU's memory is
halved until it does.
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

#: The most bytes of stitched activations that go through a tail together, by device. Measured for cpu, where 4 to 16 MB
#: are equally fast; a GPU is assumed to be fastest with as much work at once as possible.
MAX_JOINED_BYTES = {"cpu": 8 * 2**20, "cuda": 2**30}


@dataclass(frozen=True)
class Stitched:
    """Hold the outputs of several stitches into one end layer, for n images.

    ``activations`` are the stitched activations (cells·n, ...), ``logits`` those of the stitched networks
    (cells·n, classes).
    """

    cells: list[Cell]
    activations: Tensor
    logits: Tensor


class Tails:
    """Hold the stitches of some cells, and the rest of the end network behind each of their end layers.

    Args:
        pair: the networks.
        stitches: by cell; they may change between calls, because training updates them.
    """

    def __init__(self, pair: Pair, stitches: Mapping[Cell, Stitch]) -> None:
        self._pair, self._stitches = pair, stitches
        self.front_layers = list(dict.fromkeys(i for i, _ in stitches))
        self.end_layers = list(dict.fromkeys(j for _, j in stitches))
        self._tails = {j: pair.tail(j) for j in self.end_layers}
        self._max_joined_bytes = MAX_JOINED_BYTES.get(pair.device.type, 0)
        self.max_images: int | None = None  # the number of images that fitted into memory after a larger one did not

    def __repr__(self) -> str:
        return f"Tails({len(self._stitches)} stitches into {len(self.end_layers)} end layers)"

    def run(self, activations: Mapping[str, Tensor]) -> Iterator[Stitched]:
        """Run every stitch and its tail, once, on the front network's activations (n, ...) by layer."""
        for j, tail in self._tails.items():
            cells = [cell for cell in self._stitches if cell[1] == j]
            images = len(activations[cells[0][0]])
            size = 4 * images * prod(self._pair.end_cuts.find(j).shape)
            cells_at_once = max(1, self._max_joined_bytes // size)
            for start in range(0, len(cells), cells_at_once):
                joined_cells = cells[start : start + cells_at_once]
                stitched = [self._stitches[cell](activations[cell[0]]) for cell in joined_cells]
                joined = stitched[0] if len(stitched) == 1 else torch.cat(stitched)
                yield Stitched(joined_cells, joined, tail(joined))

    def tail(self, end_layer: str) -> Callable[[Tensor], Tensor]:
        """Return the function that runs the end network after one of its layers."""
        return self._tails[end_layer]

    def join_fewer(self) -> bool:
        """Send fewer stitches through a tail together from now on; return False where they already go one by one."""
        before = self._max_joined_bytes
        self._max_joined_bytes = before // 2 if before > 2**20 else 0
        return before > 0


def retry_on_oom(work: Callable[[int], None], images: int, tails: Tails, undo: Callable[[], None]) -> None:
    """Run the work on this number of images at a time, or on fewer where a GPU's memory runs out, or ran out before.

    Args:
        work: called with the number of images to run together.
        images: the number of images to begin with.
        tails: first joins fewer cells; then remembers the number of images that fitted.
        undo: removes what a failed try left behind.

    Raises torch.OutOfMemoryError where a single image does not fit.
    """
    images = min(images, tails.max_images or images)
    while True:
        try:
            return work(images)
        except torch.OutOfMemoryError:
            if not tails.join_fewer():
                if images == 1:
                    raise
                tails.max_images = images = (images + 1) // 2
            undo()
            torch.cuda.empty_cache()

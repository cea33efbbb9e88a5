"""Measures row (g): the arithmetic that a training step cannot avoid, compared with a step of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.material import Source, load
from benchmarks.measure import Measured, Row, finish, in_own_process, timed
from benchmarks.plain import BATCH
from benchmarks.training import grid_steps
from stitchlab.catalog.presets import PRESETS
from stitchlab.models import malloc as memory


def share_of_the_limit(source: Source, *, quick: bool) -> Iterator[Row]:
    """(g): Compare a step of the grid with its unavoidable parts, the front's pass and all tails, timed one by one."""
    ours = in_own_process(grid_steps, source, PRESETS["plain"], 3 if quick else 5, 3 if quick else 5)
    parts = in_own_process(unavoidable, source)
    (limit,) = parts.seconds
    yield Row(
        "g",
        "TLM, share of the unavoidable arithmetic in a step",
        "limit",
        ours.median,
        limit,
        limit / ours.median,
        ours.peak_mb,
        source.device,
        ours.spread,
        details=parts.result,
    )


def unavoidable(source: Source) -> Measured:
    """Time the unavoidable parts of a step, each in its fastest memory layout and batch size."""
    material = load(source)
    pair = material.pair
    pixels, labels = (part[:BATCH] for part in material.pixels(pair.data.train))
    layouts = (torch.channels_last, torch.contiguous_format)
    with memory.freed_memory_reused():
        front = pair.run_front(source.layers)
        parts = {"front": timed(lambda: front(pixels), pair.device, 9).median}
        native = pair.run_end(source.layers)(pixels)
        for j in source.layers:
            tail = pair.tail(j)
            parts[j] = len(source.layers) * min(
                _seconds_of_tail(tail, native[j], labels, layout, batch, pair.device)
                for layout in layouts
                for batch in (BATCH // 4, BATCH // 2, BATCH, 2 * BATCH, 4 * BATCH)
            )
    return Measured([sum(parts.values())], None, parts)


def _seconds_of_tail(
    tail: Callable[[Tensor], Tensor],
    x: Tensor,
    labels: Tensor,
    layout: torch.memory_format,
    batch: int,
    device: torch.device,
) -> float:
    """Time BATCH images through a tail, forward and backward to its input, in batches of ``batch`` images."""
    copies = max(1, batch // BATCH)
    inputs = torch.cat([x] * copies)[:batch]
    inputs = inputs.contiguous(memory_format=layout) if inputs.dim() == 4 else inputs
    targets = torch.cat([labels] * copies)[:batch]

    def work() -> None:
        F.cross_entropy(tail(inputs.detach().requires_grad_()), targets).backward()

    finish(device)
    return timed(work, device, 7, 2).median * BATCH / batch

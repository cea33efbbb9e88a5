"""Task loss matching: the affine map trained on the end network's task, both networks frozen.

The default recipe is the paper's (Balogh & Jelasity 2025): cross-entropy, Adam lr 1e-3, weight decay 1e-5, batch 256,
30 epochs, PyTorch's default initialisation, un-augmented images. Soft targets are Csiszárik et al.'s (2021).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor

from stitchlab.spec import Report, TaskLoss, derived_seed, no_report
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.pair import Pair


def task_loss_matching(
    pair: Pair,
    front_layers: Sequence[str],
    end_layer: str,
    recipe: TaskLoss,
    seed: int,
    start: Mapping[str, Stitch] | None = None,
    report: Report = no_report,
    keep: Callable[[dict[str, Stitch]], None] = lambda stitches: None,
) -> dict[str, Stitch]:
    """Trains the stitches of several front layers into one end layer, side by side.

    The front network runs once a step for all of them, the end network only from its layer on. No stitch's result
    depends on which others are trained beside it. Of large images fewer run together; a step is of a whole batch.

    Args:
        start: stitches to begin from (not changed); default is PyTorch's initialisation.
        keep: is given the stitches before the first epoch and after each one; they go on changing.

    Returns:
        the trained stitch of each front layer.
    """
    stitches = {i: _initial(pair, i, end_layer, seed, start) for i in front_layers}
    front = pair.run_front(front_layers)
    tail = pair.end_cuts.after(end_layer)
    targets = _targets(pair, recipe)
    parameters = chain.from_iterable(stitch.parameters() for stitch in stitches.values())
    optimizer = torch.optim.Adam(parameters, lr=recipe.lr, weight_decay=recipe.weight_decay)
    train = pair.data.train
    done, steps = 0, recipe.epochs * -(-len(train) // recipe.batch)
    schedule = _schedule(optimizer, recipe, steps)
    keep(stitches)
    for epoch in range(recipe.epochs):
        for chosen in _order(len(train), seed, epoch).split(recipe.batch):
            report(f"task loss matching into {end_layer}, epoch {epoch + 1} of {recipe.epochs}", done / steps)
            optimizer.zero_grad()
            for images, labels in pair.batches(train, chosen, recipe.batch):
                wanted, share = targets(images, labels), len(images) / len(chosen)
                for i, activation in front(images).items():
                    (share * F.cross_entropy(tail(stitches[i](activation)), wanted)).backward()
            optimizer.step()
            schedule()
            done += 1
        keep(stitches)
    return stitches


def _order(images: int, seed: int, epoch: int) -> Tensor:
    generator = torch.Generator().manual_seed(derived_seed("order of an epoch", seed, epoch))
    return torch.randperm(images, generator=generator)


def _initial(pair: Pair, i: str, j: str, seed: int, start: Mapping[str, Stitch] | None) -> Stitch:
    source, target = pair.source(i), pair.target(j)
    if start is not None:
        stitch = Stitch.of(source, target, start[i].weight, start[i].bias)
    else:
        stitch = Stitch(source, target, torch.Generator().manual_seed(derived_seed("initialisation", seed, i, j)))
    return stitch.to(pair.device)


def _targets(pair: Pair, recipe: TaskLoss) -> Callable[[Tensor, Tensor], Tensor]:
    """What cross-entropy is taken against: labels (N,), or the end network's own probabilities (N, classes)."""
    if recipe.targets == "labels":
        return lambda images, labels: labels
    return lambda images, labels: pair.logits(images).softmax(1)


def _schedule(optimizer: torch.optim.Optimizer, recipe: TaskLoss, steps: int) -> Callable[[], None]:
    if recipe.schedule == "constant":
        return lambda: None
    # PyTorch's one-cycle also turns Adam's first momentum between 0.85 and 0.95.
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=recipe.lr, total_steps=steps + 1).step

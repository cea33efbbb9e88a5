"""Follows the plain recipe: one pair of layers at a time, both whole networks at every step, forward hooks, fp32.

What anybody would write from the papers, as the baseline of every ratio and the judge of every number. It shares no
line with the engine: networks are plain modules here, data plain tensors, layers paths of modules with maps (N,C,H,W).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

BATCH = 256  # the paper's

Batches = Iterable[tuple[Tensor, Tensor]]


@dataclass
class Side:
    """Holds a network in eval mode, frozen, with the mean and deviation of its input."""

    module: nn.Module
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def prepared(self, pixels: Tensor) -> Tensor:
        """Scale pixels (N, C, H, W) in 0..255 to the module's input."""
        return (pixels.float() / 255 - _column(self.mean, pixels)) / _column(self.std, pixels)


def _column(values: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor(values, device=like.device)[:, None, None]


def capture(side: Side, layer: str, x: Tensor) -> Tensor:
    """Give what a layer puts out while the whole network runs: (N, C, H, W).

    Args:
        side, layer: the network, and the path of a module of it.
        x: prepared images (N, C, H, W).
    """
    kept: list[Tensor] = []
    hook = side.module.get_submodule(layer).register_forward_hook(lambda m, i, out: kept.append(out.detach().clone()))
    with torch.no_grad():
        side.module(x)
    hook.remove()
    return kept[0]


def replaced(side: Side, layer: str, x: Tensor, activation: Tensor) -> Tensor:
    """Compute logits (N, classes) of the whole network with a layer's output replaced.

    Args:
        side, layer, x: as for `capture`.
        activation: (N, C, H, W), what replaces the output.
    """
    hook = side.module.get_submodule(layer).register_forward_hook(lambda *_: activation)
    logits: Tensor = side.module(x)
    hook.remove()
    return logits


def mapped(x: Tensor, size: tuple[int, ...], weight: Tensor, bias: Tensor) -> Tensor:
    """Apply the stitch: bilinear resizing, then a 1×1 convolution; (N, D, H, W).

    Args:
        x: front activations (N, C, h, w).
        size: (H, W) of the end layer's maps.
        weight, bias: (D, C) and (D,).
    """
    resized = F.interpolate(x, size, mode="bilinear", align_corners=False)
    return F.conv2d(resized, weight[:, :, None, None], bias)


def train_step(
    front: Side,
    end: Side,
    i: str,
    j: str,
    pixels: Tensor,
    labels: Tensor,
    weight: Tensor,
    bias: Tensor,
    optimiser: torch.optim.Optimizer,
    *,
    prepared: bool = False,
) -> None:
    """Take one step of task loss matching, in place.

    Args:
        front, end, i, j: the networks, and the layers of the cell.
        pixels, labels: (N, C, H, W) in 0..255, and (N,).
        weight, bias: (D, C) and (D,), with gradients.
        optimiser: of both.
        prepared: whether pixels are scaled already.
    """
    one, other = (pixels, pixels) if prepared else (front.prepared(pixels), end.prepared(pixels))
    x, native = capture(front, i, one), capture(end, j, other[:1])
    optimiser.zero_grad()
    F.cross_entropy(replaced(end, j, other, mapped(x, native.shape[2:], weight, bias)), labels).backward()
    optimiser.step()


def train(front: Side, end: Side, i: str, j: str, batches: Batches, weight: Tensor, bias: Tensor) -> None:
    """Train by task loss matching after the paper's recipe, un-augmented, in place.

    Args:
        front, end, i, j, weight, bias: as for `train_step`.
        batches: (pixels, labels) each, of all epochs.
    """
    optimiser = adam(weight, bias)
    for pixels, labels in batches:
        train_step(front, end, i, j, pixels, labels, weight, bias, optimiser)


def adam(weight: Tensor, bias: Tensor) -> torch.optim.Optimizer:
    """Make the paper's optimiser."""
    return torch.optim.Adam([weight, bias], lr=1e-3, weight_decay=1e-5)


def direct(front: Side, end: Side, i: str, j: str, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Compute W (D, C), b (D,) of direct matching.

    Args:
        front, end, i, j: the networks, and the layers of the cell.
        pixels: (N, C, H, W) in 0..255, which it is fitted on.
    """
    x, y = capture(front, i, front.prepared(pixels)), capture(end, j, end.prepared(pixels))
    x = F.interpolate(x, y.shape[2:], mode="bilinear", align_corners=False)
    rows, native = (v.permute(0, 2, 3, 1).reshape(-1, v.shape[1]).double().numpy() for v in (x, y))
    found = np.linalg.lstsq(np.column_stack([rows, np.ones(len(rows))]), native, rcond=1e-7)[0]
    return torch.from_numpy(found[:-1].T.copy()).float(), torch.from_numpy(found[-1].copy()).float()


@torch.no_grad()
def evaluate(
    front: Side, end: Side, i: str, j: str, batches: Batches, weight: Tensor, bias: Tensor, *, accuracy: bool = True
) -> tuple[float, float]:
    """Measure the accuracy 0..1 of a stitched network, and the stitch's distance ‖T(a) − b‖² / ‖b‖².

    Args:
        front, end, i, j: the networks, and the layers of the cell.
        batches: (pixels, labels) each.
        weight, bias: (D, C) and (D,).
        accuracy: whether that is wanted; else it is 0.
    """
    missed = size = 0.0
    right = count = 0
    for pixels, labels in batches:
        x, y = capture(front, i, front.prepared(pixels)), capture(end, j, end.prepared(pixels))
        made = mapped(x, y.shape[2:], weight, bias)
        missed += float((made - y).double().square().sum())
        size += float(y.double().square().sum())
        if accuracy:
            right += int((replaced(end, j, end.prepared(pixels), made).argmax(1) == labels).sum())
        count += len(labels)
    return right / count, missed / size


def similarities(front: Side, end: Side, i: str, j: str, batches: Batches) -> dict[str, float]:
    """Compute linear CKA, PWCCA and Procrustes of a pair of layers in NumPy, float64, from the formulas of the papers.

    Args:
        front, end, i, j: the networks, and the layers of the cell.
        batches: (pixels, labels) each.
    """
    kept = [(capture(front, i, front.prepared(p)), capture(end, j, end.prepared(p))) for p, _ in batches]
    x, y = (torch.cat(part).double().numpy() for part in zip(*kept, strict=True))
    a, b = (v.reshape(len(v), -1) - v.reshape(len(v), -1).mean(0) for v in (x, y))
    k, m = a @ a.T, b @ b.T
    one, other = (v.mean((2, 3)) - v.mean((0, 2, 3)) for v in (x, y))
    cka = float((k * m).sum() / np.linalg.norm(k) / np.linalg.norm(m))
    return {"cka": cka, "pwcca": _pwcca(one, other), "opd": _procrustes(one, other)}


def _pwcca(x: np.ndarray, y: np.ndarray) -> float:
    ux, uy = _basis(x), _basis(y)
    left, rho, _ = np.linalg.svd(ux.T @ uy, full_matrices=False)
    variates = ux @ left
    lacking = _basis(x - variates @ (variates.T @ x), ux.shape[1] - len(rho))
    weights = np.abs(np.hstack([variates, lacking]).T @ x).sum(1)
    return float(1 - (weights[: len(rho)] * rho).sum() / weights.sum())


def _basis(x: np.ndarray, most: int | None = None) -> np.ndarray:
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    return u[:, s > 1e-6 * s[0]][:, :most]


def _procrustes(x: np.ndarray, y: np.ndarray) -> float:
    return float(2 - 2 * np.linalg.norm((x / np.linalg.norm(x)).T @ (y / np.linalg.norm(y)), "nuc"))


def in_memory(pixels: Tensor, labels: Tensor, order: Tensor, batch: int = BATCH) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of images that lie in memory, uint8, and their labels.

    Args:
        pixels, labels: (N, C, H, W) and (N,).
        order: indices into them.
        batch: how many at a time.
    """
    for chosen in order.split(batch):
        yield pixels[chosen], labels[chosen]


def loader(
    folder: str, mean: tuple[float, ...], std: tuple[float, ...], batch: int = BATCH
) -> DataLoader[tuple[Tensor, Tensor]]:
    """Load batches of a folder of image files, decoded and normalised by one worker at every epoch anew.

    Args:
        folder: with a folder of each class.
        mean, std: of pixels in 0..1, one number a channel.
        batch: images of one.
    """
    steps = transforms.Compose([transforms.ToTensor(), transforms.Normalize(mean, std)])
    return DataLoader(ImageFolder(folder, steps), batch, shuffle=True, num_workers=1)

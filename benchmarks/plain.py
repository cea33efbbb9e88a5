"""Follows the recipe of the paper's code: one pair of layers at a time, whole networks at every step, hooks, float32.

Each training step runs both networks from the image to the logits, although only the stitch between them is trained.
The benchmark divides by these times, and checks the engine's numbers against these numbers. `tests/reference.py` uses
the same functions. Nothing here uses the engine's code: networks are modules, data are tensors, and a layer is the path
of a module whose output is a map (N,C,H,W).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

BATCH = 256  # images of a training step, as in the paper

Array = npt.NDArray[np.float64]
Batches = Iterable[tuple[Tensor, Tensor]]


@dataclass
class PlainNetwork:
    """Holds a frozen module in eval mode, with the mean and standard deviation that its input is scaled by."""

    module: nn.Module
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def prepared(self, pixels: Tensor) -> Tensor:
        """Scale pixels (N, C, H, W) in 0..255 to the module's input."""
        return (pixels.float() / 255 - _column(self.mean, pixels)) / _column(self.std, pixels)


def _column(values: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor(values, device=like.device)[:, None, None]


def capture(module: nn.Module, layer: str, x: Tensor) -> Tensor:
    """Run the whole network, and return a copy of what the layer outputs, as it is.

    Args:
        module: the network.
        layer: the path of one of its modules, which is called once.
        x: prepared images (N, C, H, W).
    """
    outputs: list[Tensor] = []
    hook = module.get_submodule(layer).register_forward_hook(lambda m, i, out: outputs.append(out.detach().clone()))
    with torch.no_grad():
        module(x)
    hook.remove()
    (activation,) = outputs
    return activation


def replaced(module: nn.Module, layer: str, x: Tensor, activation: Tensor) -> Tensor:
    """Run the whole network with the output of a layer replaced, and return the logits (N, classes).

    Args:
        module, layer, x: as for `capture`.
        activation: what replaces the layer's output. A module behind the layer that works in place changes it.
    """
    hook = module.get_submodule(layer).register_forward_hook(lambda *_: activation)
    logits: Tensor = module(x)
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
    front: PlainNetwork,
    end: PlainNetwork,
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
    front_input, end_input = (pixels, pixels) if prepared else (front.prepared(pixels), end.prepared(pixels))
    x, native = capture(front.module, i, front_input), capture(end.module, j, end_input[:1])
    optimiser.zero_grad()
    logits = replaced(end.module, j, end_input, mapped(x, native.shape[2:], weight, bias))
    F.cross_entropy(logits, labels).backward()
    optimiser.step()


def train(
    front: PlainNetwork, end: PlainNetwork, i: str, j: str, batches: Batches, weight: Tensor, bias: Tensor
) -> None:
    """Train a stitch in place by task loss matching, by the paper's recipe without augmentation.

    Args:
        front, end, i, j, weight, bias: as for `train_step`.
        batches: pairs of (pixels, labels), of all epochs one after the other.
    """
    optimiser = adam(weight, bias)
    for pixels, labels in batches:
        train_step(front, end, i, j, pixels, labels, weight, bias, optimiser)


def adam(weight: Tensor, bias: Tensor) -> torch.optim.Optimizer:
    """Make the optimiser that the paper trains a stitch with."""
    return torch.optim.Adam([weight, bias], lr=1e-3, weight_decay=1e-5)


def direct(front: PlainNetwork, end: PlainNetwork, i: str, j: str, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Fit a stitch by direct matching; return its weight (D, C) and bias (D,).

    Args:
        front, end, i, j: the networks, and the layers of the cell.
        pixels: (N, C, H, W) in 0..255, the images to fit on.
    """
    x = capture(front.module, i, front.prepared(pixels))
    y = capture(end.module, j, end.prepared(pixels))
    x = F.interpolate(x, y.shape[2:], mode="bilinear", align_corners=False)
    rows, native = (v.permute(0, 2, 3, 1).reshape(-1, v.shape[1]).double().numpy() for v in (x, y))
    weight, bias = (torch.from_numpy(v.copy()).float() for v in lstsq(rows, native))
    return weight, bias


def lstsq(x: Array, y: Array) -> tuple[Array, Array]:
    """Compute weight (D, C) and bias (D,) of least squares from rows (n, C) to rows (n, D), of minimum joint norm."""
    fit = np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y, rcond=1e-7)[0]
    solution = np.asarray(fit, np.float64)
    return solution[:-1].T, solution[-1]


@torch.no_grad()
def evaluate(
    front: PlainNetwork,
    end: PlainNetwork,
    i: str,
    j: str,
    batches: Batches,
    weight: Tensor,
    bias: Tensor,
    *,
    accuracy: bool = True,
) -> tuple[float, float]:
    """Measure the accuracy 0..1 of a stitched network, and the distance to native, ‖T(a) − b‖² / ‖b‖².

    Args:
        front, end, i, j: the networks, and the layers of the cell.
        batches: pairs of (pixels, labels).
        weight, bias: (D, C) and (D,).
        accuracy: whether to compute the accuracy; without that it is returned as 0.
    """
    squared_error = squared_norm = 0.0
    correct = images = 0
    for pixels, labels in batches:
        x = capture(front.module, i, front.prepared(pixels))
        native = capture(end.module, j, end.prepared(pixels))
        stitched = mapped(x, native.shape[2:], weight, bias)
        squared_error += float((stitched - native).double().square().sum())
        squared_norm += float(native.double().square().sum())
        if accuracy:
            logits = replaced(end.module, j, end.prepared(pixels), stitched)
            correct += int((logits.argmax(1) == labels).sum())
        images += len(labels)
    return correct / images, squared_error / squared_norm


def similarities(front: PlainNetwork, end: PlainNetwork, i: str, j: str, batches: Batches) -> dict[str, float | None]:
    """Compute linear CKA, PWCCA and Procrustes of two layers in NumPy, float64, from the formulas of the papers.

    Args:
        front, end, i, j: the networks, and the layers of the cell.
        batches: pairs of (pixels, labels).
    """
    activations = [
        (capture(front.module, i, front.prepared(pixels)), capture(end.module, j, end.prepared(pixels)))
        for pixels, _ in batches
    ]
    x, y = (torch.cat(part).double().numpy() for part in zip(*activations, strict=True))
    a, b = (v.reshape(len(v), -1) - v.reshape(len(v), -1).mean(0) for v in (x, y))
    k, m = a @ a.T, b @ b.T
    front_rows, end_rows = (v.mean((2, 3)) for v in (x, y))
    cka = float((k * m).sum() / np.linalg.norm(k) / np.linalg.norm(m))
    return {"cka": cka, "pwcca": pwcca(front_rows, end_rows), "opd": opd(front_rows, end_rows)}


def pwcca(x: Array, y: Array) -> float | None:
    """Compute the PWCCA distance of rows (n, C) and (n, D) from their singular vectors; None where it is undefined."""
    x, y = x - x.mean(0), y - y.mean(0)
    ux, uy = _directions(x), _directions(y)
    if len(x) - 1 < ux.shape[1] + uy.shape[1]:
        return None
    left, rho, _ = np.linalg.svd(ux.T @ uy, full_matrices=False)
    variates = ux @ left
    remaining = _directions(x - variates @ (variates.T @ x), ux.shape[1] - len(rho))
    weights = np.abs(np.column_stack([variates, remaining]).T @ x).sum(1)
    return float(1 - (weights[: len(rho)] * rho).sum() / weights.sum())


def _directions(x: Array, most: int | None = None) -> Array:
    """Compute an orthonormal basis of the column space of rows (n, C); at most ``most`` directions, strongest first."""
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    return u[:, s > 1e-6 * s[0]][:, :most]


def opd(x: Array, y: Array) -> float:
    """Compute the orthogonal Procrustes distance ‖X‖² + ‖Y‖² − 2‖XᵀY‖_* of rows, centred and scaled to norm 1."""
    x, y = (v - v.mean(0) for v in (x, y))
    x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
    nuclear = np.linalg.svd(x.T @ y, compute_uv=False).sum()
    return float((x**2).sum() + (y**2).sum() - 2 * nuclear)


def hsic(k: Array, m: Array) -> float:
    """Estimate HSIC without bias from two Gram matrices (n, n): Song et al. 2012, eq. 5."""
    n, ones = len(k), np.ones(len(k))
    k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    middle = (ones @ k @ ones) * (ones @ m @ ones) / ((n - 1) * (n - 2))
    return float(((k * m.T).sum() + middle - 2 / (n - 2) * (ones @ k @ m @ ones)) / (n * (n - 3)))


def in_memory(pixels: Tensor, labels: Tensor, order: Tensor, batch: int = BATCH) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of uint8 images that are in memory, with their labels.

    Args:
        pixels, labels: (N, C, H, W) and (N,).
        order: indices into them.
        batch: images of one batch.
    """
    for chosen in order.split(batch):
        yield pixels[chosen], labels[chosen]


def loader(
    folder: str, mean: tuple[float, ...], std: tuple[float, ...], batch: int = BATCH
) -> DataLoader[tuple[Tensor, Tensor]]:
    """Load batches from a folder of image files; one worker decodes and normalises them again in every epoch.

    Args:
        folder: holds a folder of images for each class.
        mean, std: of pixels in 0..1, one number for each channel.
        batch: images of one batch.
    """
    steps = transforms.Compose([transforms.ToTensor(), transforms.Normalize(mean, std)])
    return DataLoader(ImageFolder(folder, steps), batch, shuffle=True, num_workers=1)

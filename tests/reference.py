"""Plain references from the definitions alone: a stitcher for every kind of activation, and further indices in NumPy.

They build on `benchmarks.plain`, the plain side of the benchmark, which runs whole networks with hooks. Nothing in
either uses the engine's cut points, alignment, training, evaluation or indices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.transforms import functional as transforms

from benchmarks.plain import Array, PlainNetwork, capture, hsic, lstsq, replaced
from stitchlab.data.splits import Split
from stitchlab.models.store import LoadedNetwork
from stitchlab.request import derived_seed


@dataclass(frozen=True)
class Kind:
    """What an activation is, said by hand: map, map-last, tokens or vector; whether a class token comes first."""

    name: str
    class_token: bool = False


MAP, LAST, VECTOR, PATCHES, TOKENS = Kind("map"), Kind("map-last"), Kind("vector"), Kind("tokens"), Kind("tokens", True)


def prepared(net: LoadedNetwork, images: Tensor) -> Tensor:
    """Pixels 0..255 scaled to the module's input, in the type of its parameters."""
    scaled = PlainNetwork(net.module, net.mean, net.std).prepared(images)
    return scaled.to(next(net.module.parameters()).dtype)


def as_map(x: Tensor, kind: Kind) -> Tensor:
    """(N, C, H, W); a vector is a 1×1 map, patch tokens are read row by row."""
    if kind.name == "map":
        return x
    if kind.name == "map-last":
        return x.permute(0, 3, 1, 2)
    if kind.name == "vector":
        return x[:, :, None, None]
    patches = x[:, 1:] if kind.class_token else x
    side = round(patches.shape[1] ** 0.5)
    assert side * side == patches.shape[1]
    return torch.stack([torch.stack([patches[:, r * side + c] for c in range(side)], -1) for r in range(side)], -2)


def positions(x: Tensor, kind: Kind) -> Tensor:
    """(N, P, C), all of them, class token included."""
    if kind.name == "tokens":
        return x
    return torch.stack([p for row in as_map(x, kind).unbind(2) for p in row.unbind(2)], 1)


def aligned(x: Tensor, kind: Kind, like: Tensor, target: Kind) -> Tensor:
    """Front activations at the end layer's positions (N, P, C); without a class token where the front has none."""
    if target.name == "vector":
        return positions(x, kind).mean(1, keepdim=True)
    if target.name == kind.name == "tokens" and x.shape[1] == like.shape[1]:
        return x
    grid = F.interpolate(as_map(x, kind), as_map(like, target).shape[2:], mode="bilinear", align_corners=False)
    flat = positions(grid, MAP)
    return torch.cat([x[:, :1], flat], 1) if target.class_token and kind.class_token else flat


def stitched(x: Tensor, kind: Kind, like: Tensor, target: Kind, weight: Tensor, bias: Tensor) -> Tensor:
    """The affine map on every position, in the shape of ``like``."""
    mapped = torch.stack([F.linear(p, weight, bias) for p in aligned(x, kind, like, target).unbind(1)], 1)
    if target.class_token and not kind.class_token:
        mapped = torch.cat([mapped.mean(1, keepdim=True), mapped], 1)
    if target.name == "vector":
        return mapped[:, 0]
    if target.name == "map":
        return mapped.transpose(1, 2).reshape(like.shape)
    return mapped.reshape(like.shape)


@dataclass(frozen=True)
class Whole:
    """A stitched network of two whole networks and hooks."""

    front: LoadedNetwork
    end: LoadedNetwork
    front_layer: str
    end_layer: str
    kind: Kind = MAP
    target: Kind = MAP

    def activations(self, images: Tensor) -> tuple[Tensor, Tensor]:
        a = capture(self.front.module, self.front_layer, prepared(self.front, images))
        return a, capture(self.end.module, self.end_layer, prepared(self.end, images))

    def logits(self, images: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Stitched logits, stitched activations, native activations."""
        a, native = self.activations(images)
        made = stitched(a, self.kind, native, self.target, weight, bias)
        return replaced(self.end.module, self.end_layer, prepared(self.end, images), made.clone()), made, native

    def direct(self, images: Tensor) -> tuple[Array, Array]:
        """W (D, C), b (D,) of direct matching."""
        a, native = self.activations(images)
        x = aligned(a, self.kind, native, self.target).flatten(0, 1)
        lacks = self.target.class_token and not self.kind.class_token
        y = (native[:, 1:] if lacks else positions(native, self.target)).flatten(0, 1)
        return lstsq(x.double().numpy(), y.double().numpy())

    def evaluate(self, split: Split, order: Tensor, weight: Tensor, bias: Tensor) -> tuple[float, float]:
        """Accuracy and distance on these images, all at once."""
        images, labels = split.take(order)
        with torch.no_grad():
            logits, made, native = self.logits(images, weight, bias)
        missed = (made.double() - native.double()).square().sum() / native.double().square().sum()
        return float((logits.argmax(1) == labels).double().mean()), float(missed)

    def train(
        self,
        split: Split,
        weight: Tensor,
        bias: Tensor,
        *,
        seed: int,
        epochs: int,
        batch: int,
        lr: float,
        weight_decay: float = 1e-5,
        soft: bool = False,
        one_cycle: bool = False,
        augment: Augment | None = None,
    ) -> tuple[Tensor, Tensor, int]:
        """W, b after training by the recipe from these, and the number of steps."""
        w, b = nn.Parameter(weight.clone()), nn.Parameter(bias.clone())
        adam = torch.optim.Adam([w, b], lr=lr, weight_decay=weight_decay)
        steps = epochs * -(-len(split) // batch)
        cycle = torch.optim.lr_scheduler.OneCycleLR(adam, lr, total_steps=steps + 1) if one_cycle else None
        done, in_epoch = 0, -(-len(split) // batch)
        for chosen in orders(len(split), seed, epochs, batch):
            images, labels = split.take(chosen)
            if augment is not None:
                images = augment(images, len(split), seed, done // in_epoch, done % in_epoch * batch)
            wanted = labels
            if soft:
                with torch.no_grad():
                    wanted = F.softmax(self.end.module(prepared(self.end, images)), 1)
            adam.zero_grad()
            F.cross_entropy(self.logits(images, w, b)[0], wanted).backward()
            adam.step()
            if cycle is not None:
                cycle.step()
            done += 1
        return w.detach(), b.detach(), done


#: Images of a batch, images of an epoch, seed, epoch, where the batch begins in the epoch: the images augmented.
Augment = Callable[[Tensor, int, int, int, int], Tensor]


def as_drawn(kind: str) -> Augment:
    """torchvision's functions one image at a time, by what docs/reproducing.md says is drawn."""

    def augment(images: Tensor, count: int, seed: int, epoch: int, first: int) -> Tensor:
        generator = torch.Generator().manual_seed(derived_seed("augmentation of an epoch", seed, epoch))
        height, width = images.shape[2:]
        if kind == "affine":
            angle, scale, shear = (
                low + (high - low) * torch.rand(count, generator=generator, dtype=torch.float64)
                for low, high in ((-5, 5), (0.9, 1.1), (-5, 5))
            )
            return torch.stack(
                [
                    transforms.center_crop(
                        transforms.affine(
                            transforms.pad(image, 4, padding_mode="edge"),
                            float(angle[first + k]),
                            [0, 0],
                            float(scale[first + k]),
                            [float(shear[first + k]), 0.0],
                        ),
                        [height, width],
                    )
                    for k, image in enumerate(images)
                ]
            )
        down, across = -(-height // 8), -(-width // 8)
        top = torch.randint(0, 2 * down + 1, (count,), generator=generator)
        left = torch.randint(0, 2 * across + 1, (count,), generator=generator)
        mirror = torch.rand(count, generator=generator) < (0.5 if kind == "flip-crop" else 0)
        made = []
        for k, image in enumerate(images, first):
            cut = transforms.crop(transforms.pad(image, [across, down]), int(top[k]), int(left[k]), height, width)
            made.append(transforms.hflip(cut) if mirror[k] else cut)
        return torch.stack(made)

    return augment


def orders(count: int, seed: int, epochs: int, batch: int) -> Iterator[Tensor]:
    """The batches of all epochs; each epoch's order hangs on (seed, epoch) alone, the last partial batch is kept."""
    for epoch in range(epochs):
        generator = torch.Generator().manual_seed(derived_seed("order of an epoch", seed, epoch))
        order = torch.randperm(count, generator=generator)
        for start in range(0, count, batch):
            yield order[start : start + batch]


def distance(x: Array, y: Array, weight: Array, bias: Array) -> float:
    return float(((x @ weight.T + bias - y) ** 2).sum() / (y**2).sum())


def cka(x: Array, y: Array) -> float:
    """Linear CKA of activations (N, ...) from features, not from Gram matrices."""
    a, b = (v.reshape(len(v), -1) - v.reshape(len(v), -1).mean(0) for v in (x, y))
    return float(((b.T @ a) ** 2).sum() / (np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)))


def cka_debiased(x: Array, y: Array) -> float:
    """By Song et al.'s HSIC from Gram matrices of the raw features: nothing is centred."""
    k, l_ = (v.reshape(len(v), -1) @ v.reshape(len(v), -1).T for v in (x, y))
    return float(hsic(k, l_) / np.sqrt(hsic(k, k) * hsic(l_, l_)))

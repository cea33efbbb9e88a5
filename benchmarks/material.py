"""Prepares the networks and images to measure on, which are made once, kept, and loaded by every measuring process.

They are public Tiny-10 networks and CIFAR-10 as JPEG files, if these are in a folder next to the project. Otherwise, or
on request, they are a data set of StitchLab's and two networks trained on it for a few epochs. Without data, images
are generated.
"""

from __future__ import annotations

import copy
import tarfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.plain import PlainNetwork
from stitchlab.catalog.augmentations import usual
from stitchlab.catalog.presets import PRESETS, resolved
from stitchlab.data import registry as datasets
from stitchlab.data.splits import DataSet, Split
from stitchlab.models import create as making
from stitchlab.models import importing
from stitchlab.models import store as model_store
from stitchlab.models.cut_points import cut_points_of_any
from stitchlab.request import Cell, TaskLoss
from stitchlab.results import networks
from stitchlab.stitch.pair import Pair
from stitchlab.stitch.task import initial
from stitchlab.store import Store

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
# With which the public networks were trained:
CIFAR_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR_STD = (0.2023, 0.1994, 0.2010)
TRAINING_EPOCHS = 2  # of networks that are trained for the benchmark


@dataclass(frozen=True)
class Source:
    """Names what a measuring process loads: the store, two networks, the fingerprint of the data, and the device."""

    root: str
    front: str
    end: str
    data: str
    device: str
    layers: tuple[str, ...]

    @property
    def cells(self) -> list[Cell]:
        """List the cells of the grid, column by column."""
        return [(i, j) for j in self.layers for i in self.layers]


@dataclass(frozen=True)
class Material:
    """Holds the loaded networks and data, for the engine (``pair``) and for the plain recipe (``front``, ``end``)."""

    pair: Pair
    front: PlainNetwork
    end: PlainNetwork

    @property
    def data(self) -> DataSet:
        """Return the data set."""
        return self.pair.data

    def first(self, train: int, test: int | None = None) -> Material:
        """Return the same material with fewer training and test images."""
        data = replace(self.data, train=_first(self.data.train, train), test=_first(self.data.test, test))
        return replace(self, pair=replace(self.pair, data=data))

    def recipe(self, name: str) -> TaskLoss:
        """Return a preset of task loss matching with the usual augmentation of these images."""
        return resolved(PRESETS[name], usual(self.data.name, self.data.shape))

    def start(self, cell: Cell) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the weight and bias from which the engine starts to train a cell, so that both sides start equally."""
        stitch = initial(self.pair, cell, 0, None)
        weight, bias = (p.detach().clone().requires_grad_() for p in (stitch.weight, stitch.bias))
        return weight, bias

    def pixels(self, split: Split) -> tuple[torch.Tensor, torch.Tensor]:
        """Return all images of a split, uint8, and their labels, on the device."""
        images, labels = split.take(torch.arange(len(split)))
        return images.to(self.pair.device), labels.to(self.pair.device)


def load(source: Source) -> Material:
    """Load networks and data in this process."""
    store, device = Store(Path(source.root)), torch.device(source.device)
    front, end = (model_store.load(name, store, device=device) for name in (source.front, source.end))
    # Copies, since the engine changes the memory layout of its own modules.
    sides = [
        PlainNetwork(copy.deepcopy(network.module).to(memory_format=torch.contiguous_format), network.mean, network.std)
        for network in (front, end)
    ]
    return Material(Pair(front, end, datasets.load_by_fingerprint(source.data, store), device), *sides)


def prepare(root: Path, data: str | None, arch: str, device: str, *, quick: bool) -> Source:
    """Make the missing networks and data, which takes minutes the first time.

    Args:
        root: the folder of the store.
        data: name of a data set; None: CIFAR-10 as JPEG files if available, else generated images.
        arch: architecture of both networks; ``tiny10`` without data takes the public networks if available.
        device: to measure on.
        quick: whether to take fewer images and every other layer.
    """
    store = Store(root)
    public = arch == "tiny10" and data is None and SHARED.is_dir()
    images = datasets.load(data or f"folder:{_folder(root, quick=quick)}", store)
    existing = {network.name for network in networks.list_networks(store)}
    names = []
    for seed in (0, 1):
        name = f"{arch}-{'public' if public else images.fingerprint[:8]}-{seed}"
        if name not in existing and public:
            importing.import_weights(
                SHARED / "tiny10" / f"tiny10-cifar10-seed{seed}.pt",
                store,
                arch=arch,
                data=images,
                name=name,
                mean=CIFAR_MEAN,
                std=CIFAR_STD,
                device=device,
            )
        elif name not in existing:
            making.train(arch, images, store, name=name, seed=seed, epochs=TRAINING_EPOCHS, device=device)
        names.append(name)
    cuts = cut_points_of_any(store, networks.find(store, names[0])).defaults()
    layers = tuple(cuts[::2] if quick else cuts)
    return Source(str(root), names[0], names[1], images.fingerprint, device, layers)


def folder_of(source: Source) -> str | None:
    """Return the folder of image files from which the data was decoded, or None where it was not."""
    record = Store(Path(source.root)).get("data", source.data)
    name = record["name"] if record else ""
    return name.removeprefix("folder:") if name.startswith("folder:") and "@" not in name else None


def _folder(root: Path, *, quick: bool) -> Path:
    """Write image files: half of CIFAR-10's training images from its JPEG copy (quick: a tenth), else gratings."""
    archive = SHARED / "cifar10-images.tar.xz"
    train, test = (500, 100) if quick else (2500, 1000)
    folder = root / f"images-{train}-{test}"
    if (folder / "done").exists():
        return folder
    if archive.is_file():
        written: Counter[Path] = Counter()
        with tarfile.open(archive) as tar:
            for member in tar:
                parent = Path(member.name).parent
                if member.isfile() and written[parent] < (train if parent.parts[0] == "train" else test):
                    written[parent] += 1
                    tar.extract(member, folder, filter="data")
    else:
        _write_gratings(folder, {"train": train, "test": test})
    (folder / "done").touch()
    return folder


def _write_gratings(root: Path, counts: dict[str, int]) -> None:
    """Write images of ten classes, which are gratings of different angles in noise."""
    random = np.random.default_rng(0)
    down, across = np.mgrid[0:32, 0:32] / 32
    for part, count in counts.items():
        for label in range(10):
            folder = root / part / f"angle{label}"
            folder.mkdir(parents=True, exist_ok=True)
            along = np.cos(np.pi * label / 10) * across + np.sin(np.pi * label / 10) * down
            for k in range(count):
                wave = np.sin(2 * np.pi * (4 * along + random.random()))
                image = 128 + 40 * wave[:, :, None] * random.random(3) + random.normal(0, 50, (32, 32, 3))
                Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(folder / f"{k}.jpg", quality=95)


def _first(split: Split, count: int | None) -> Split:
    order = split.order(0)[:count].numpy()
    return Split(np.asarray(split.images[order]), split.labels[order])

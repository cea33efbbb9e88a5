"""Imports existing weights into the store: from a file, or published by torchvision.

Cheap checks come first: the tensors are compared with the architecture before any image is decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stitchlab.catalog.architectures import TORCHVISION
from stitchlab.data import registry as datasets
from stitchlab.data.splits import DataSet
from stitchlab.errors import StitchLabError
from stitchlab.models import likeness, preprocessing, zoo
from stitchlab.models import store as model_store
from stitchlab.models import weights as files
from stitchlab.models.create import check, draft, measure_and_save
from stitchlab.models.device import pick_device
from stitchlab.models.store import LoadedNetwork, freeze
from stitchlab.models.zoo import vision
from stitchlab.request import Report, no_report, portion
from stitchlab.results import networks
from stitchlab.results.data_sets import DataRecord
from stitchlab.results.networks import Network
from stitchlab.store import Store, store_or_default

OR_REPLACE_HINT = ", or replace it (--replace)"


def import_weights(
    weights: str | Path,
    store: Store | None = None,
    *,
    arch: str,
    data: DataSet | str,
    name: str,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    classes: int | None = None,
    options: dict[str, Any] | None = None,
    size: int | None = None,
    replace: bool = False,
    download: bool = False,
    called: str = "",
    device: str | torch.device = "auto",
    report: Report = no_report,
) -> Network:
    """Import weights, from a file or published, into the store, and measure the network on ``data``.

    Args:
        weights: a file that `stitchlab.models.weights.read_weights` reads; for ``torchvision/NAME`` also the name of
            published weights (``DEFAULT``, ``IMAGENET1K_V1``, …), which have their own preprocessing and classes.
        arch, options: see `zoo.architecture`; values of the architecture's options by name, others at their default.
        data: the training data of the weights, or data with the same classes. If ``classes`` is not its number of
            classes, no accuracy is computed. A data set that is given by name is loaded after the weights were checked.
        store, name: where to save the network (default: `Store()`), and its name.
        mean, std: by which pixels in 0..1 are normalised, one number for each channel; default are the data's own.
        classes: number of outputs; default is the number of the data's classes.
        size: pixels a side of the input; default is the images' own. Published weights set all of these themselves.
        replace: whether to delete an existing network of this name once this one is saved; its results stay.
        download: whether to download missing data and published weights.
        called: name of the file in messages; default is its name on the disk.
        device, report: where to measure, as for `train`; receives the progress.

    Raises StitchLabError where anything does not fit. The network's origin has a ``remark`` if mean or std seem wrong.
    """
    store, device = store_or_default(store), pick_device(device)
    if not replace:
        networks.check_name_free(store, name, OR_REPLACE_HINT)
    existing, path = networks.holder(store, name), Path(weights)
    source = _WeightSource(zoo.architecture(arch), path, called or path.name, size, mean, std, classes, options)
    report(f"reading {source.called}", 0.0)
    source = source.with_published(str(weights), store, download)
    return _import(store, source, name, data, device, download, report, existing)


def _import(
    store: Store,
    source: _WeightSource,
    name: str,
    data: DataSet | str,
    device: torch.device,
    download: bool,
    report: Report,
    existing: Network | None,
) -> Network:
    """Save the network, and delete the existing one of its name; the data is loaded once the weights fit."""
    network = source.network(name, data if isinstance(data, DataSet) else datasets.describe(data, store))
    module = source.module(network)
    if not isinstance(data, DataSet):
        data = datasets.load(data, store, report=portion(report, 0.1, 0.4), download=download)
    network = source.scaled(network, module, data, device)
    saved = measure_and_save(store, network, module, data, device, portion(report, 0.5, 0.5), existing)
    if existing is not None and existing.id != saved.id:
        networks.delete(store, existing.id)
    return saved


@dataclass(frozen=True)
class _WeightSource:
    """Holds where weights come from and the settings of their network, those of published weights included."""

    architecture: zoo.Architecture
    path: Path
    called: str
    size: int | None
    mean: Sequence[float] | None
    std: Sequence[float] | None
    classes: int | None
    options: dict[str, Any] | None
    published: vision.Published | None = None

    def with_published(self, weights: str, store: Store, download: bool) -> _WeightSource:
        """Add the published weights of this name, and their settings; of a file of weights nothing changes.

        Args:
            weights: their name, or the path of a file.
            store: has the folder of downloaded weights.
            download: whether to download them if they are missing.

        Raises:
            StitchLabError: they are missing, or a setting is given that they have themselves.
        """
        if self.path.is_file() or self.path.suffix or not self.architecture.name.startswith(TORCHVISION):
            return self
        settings = {"size": self.size, "mean": self.mean, "std": self.std, "classes": self.classes}
        if superfluous := [setting for setting, value in settings.items() if value is not None]:
            raise StitchLabError(f"published weights come with their own {', '.join(superfluous)}: leave these out")
        folder = store.root / "downloads" / "weights"
        published = vision.published(self.architecture.name, weights, folder, download)
        return replace(
            self,
            published=published,
            size=published.size,
            mean=published.mean,
            std=published.std,
            classes=len(published.classes),
        )

    def network(self, name: str, data: DataSet | DataRecord) -> Network:
        """Describe the network as far as it is known before its data is loaded. Raises StitchLabError."""
        network = draft(name, self.architecture, self.options, data, size=self.size, labels=self.labels(data))
        if (published := self.published) is not None:
            network = replace(network, channels=3, resize=published.resize, interpolation=published.interpolation)
        check(network, self.architecture)
        mean = preprocessing.checked("mean", self.mean, network.channels)
        std = preprocessing.checked("std", self.std, network.channels)
        return replace(network, mean=mean, std=std, origin={"how": "imported", "file": self.called})

    def labels(self, data: DataSet | DataRecord) -> tuple[str, ...]:
        """Name the classes of the outputs: the data's classes where their number fits."""
        if self.classes is None or self.classes == len(data.classes):
            return data.classes
        if self.classes < 1:
            raise StitchLabError(f"expected 1 output or more, got {self.classes}")
        name = self.architecture.name
        categories = vision.categories(name) if name.startswith(TORCHVISION) else ()
        return categories if self.classes == len(categories) else tuple(f"class {k}" for k in range(self.classes))

    def module(self, network: Network) -> nn.Module:
        """Build the network's module with the weights. Raises StitchLabError where they do not fit."""
        module = model_store.build(network, self.architecture)
        tensors = files.read_weights(self.path, self.called) if self.published is None else self.published.tensors
        tensors = files.without(tensors, self.architecture.unused)
        classes = len(network.classes)

        def advice() -> str:
            expected = module.state_dict()
            return likeness.advice(tensors, self.architecture, expected, classes, network.channels, network.size)

        files.put_weights(module, tensors, classes, self.architecture.name, advice)
        return module

    def scaled(self, network: Network, module: nn.Module, data: DataSet, device: torch.device) -> Network:
        """Complete the record once its data is loaded: mean, std, and a remark where other values seem better."""
        network = replace(network, data=data.name, data_fingerprint=data.fingerprint, classes=self.labels(data))
        if self.published is not None:
            return network
        own = preprocessing.own(data)
        from_data = [name for name, numbers in (("mean", network.mean), ("std", network.std)) if not numbers]
        network = replace(network, mean=network.mean or own.mean, std=network.std or own.std)
        if network.classes == data.classes:
            remark = preprocessing.remark(LoadedNetwork.of(network, freeze(module, device)), data, device)
        else:
            remark = preprocessing.untried(data) if from_data else ""
        additions = {"taken_from_data": from_data, "remark": remark}
        return replace(network, origin=network.origin | {key: value for key, value in additions.items() if value})

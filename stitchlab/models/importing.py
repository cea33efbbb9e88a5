"""Brings weights made elsewhere into the store: out of a file, or published by torchvision.

What costs little is looked at first: whether the tensors fit the architecture is known before an image is decoded.
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
from stitchlab.models.create import check, draft, kept
from stitchlab.models.device import pick_device
from stitchlab.models.store import LoadedNetwork, frozen
from stitchlab.models.zoo import vision
from stitchlab.request import Report, no_report, portion
from stitchlab.results import networks
from stitchlab.results.data_sets import DataRecord
from stitchlab.results.networks import Network
from stitchlab.store import Store, given

OR_REPLACE = ", or replace it (--replace)"


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
    """Bring weights from a file, or published ones, into the store and measure them on ``data``.

    Args:
        weights: a file that `stitchlab.models.weights.read_weights` reads; for ``torchvision/NAME`` also the name of
            published weights (``DEFAULT``, ``IMAGENET1K_V1``, …), whose own preprocessing and classes come along.
        store: where they are kept; default is `Store()`.
        arch, options: see `zoo.architecture`; options of the architecture by name, others at their default.
        data: what they were trained on, or something with the same classes; where ``classes`` says that theirs are
            others, only its images' channels count, and their accuracy is not defined. A name is loaded if they fit.
        name: what to call the network.
        mean, std: what is taken from pixels in 0..1, then divides them, one number a channel (default: the data's own).
        classes: number of outputs; default is that of the data's classes.
        size: pixels a side of its input; default is the images' own. Published weights bring all these.
        replace: the network that has this name goes once this one is there; its results stay.
        download: fetch data and published weights that are not here.
        called: what the file is called in messages, where that is not its name on the disk.
        device, report: where to measure, as for `train`; told what is being done.

    Its ``origin["remark"]``, if any, says why its mean and deviation may be wrong. Raises StitchLabError where anything
    does not fit; then nothing is kept.
    """
    store, device = given(store), pick_device(device)
    if (before := networks.holder(store, name)) is not None and not replace:
        networks.check_name_free(store, name, OR_REPLACE)
    said = {"size": size, "mean": mean, "std": std, "classes": classes, "options": options}
    asked = _asked(store, weights, arch, called, download, report, said)
    return _brought(store, asked, name, data, device, download, report, before)


def _brought(
    store: Store,
    asked: _Asked,
    name: str,
    data: DataSet | str,
    device: torch.device,
    download: bool,
    report: Report,
    before: Network | None,
) -> Network:
    """Keep the network, in the place of the one that had its name ``before``; data is loaded once the weights fit."""
    network = asked.network(name, data if isinstance(data, DataSet) else datasets.outline(data, store))
    module = asked.module(network)
    if not isinstance(data, DataSet):
        data = datasets.load(data, store, report=portion(report, 0.1, 0.4), download=download)
    network = asked.scaled(network, module, data, device)
    made = kept(store, network, module, data, device, portion(report, 0.5, 0.5), before)
    if before is not None and before.id != made.id:
        networks.delete(store, before.id)
    return made


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """Holds what was asked for, with what published weights bring themselves."""

    found: zoo.Architecture
    path: Path
    called: str
    published: vision.Published | None = None
    mean: Sequence[float] | None
    std: Sequence[float] | None
    classes: int | None
    options: dict[str, Any] | None
    size: int | None

    def network(self, name: str, about: DataSet | DataRecord) -> Network:
        """Describe the network as far as it is known before its data is loaded. Raises StitchLabError."""
        made = draft(name, self.found, self.options, about, size=self.size, labels=self.labels(about))
        if (theirs := self.published) is not None:
            made = replace(made, channels=3, resize=theirs.resize, interpolation=theirs.interpolation)
        check(made, self.found)
        made = replace(made, origin={"how": "imported", "file": self.called})
        mean, std = (
            preprocessing.checked(what, numbers, made.channels)
            for what, numbers in (("mean", self.mean), ("std", self.std))
        )
        return replace(made, mean=mean, std=std)

    def labels(self, data: DataSet | DataRecord) -> tuple[str, ...]:
        """Name the classes of a network of so many outputs: the data's where their number fits."""
        if self.classes is None or self.classes == len(data.classes):
            return data.classes
        if self.classes < 1:
            raise StitchLabError(f"expected 1 output or more, got {self.classes}")
        known = vision.categories(self.found.name) if self.found.name.startswith(TORCHVISION) else ()
        return known if self.classes == len(known) else tuple(f"class {k}" for k in range(self.classes))

    def module(self, network: Network) -> nn.Module:
        """Build the network's module with the weights. Raises StitchLabError where they do not fit."""
        module = model_store.build(network, self.found)
        tensors = files.read_weights(self.path, self.called) if self.published is None else self.published.tensors
        tensors = files.used(tensors, self.found.unused)
        shape = len(network.classes), network.channels, network.size
        files.put_weights(
            module,
            tensors,
            shape[0],
            self.found.name,
            lambda: likeness.advice(tensors, self.found, module.state_dict(), *shape),
        )
        return module

    def scaled(self, network: Network, module: nn.Module, data: DataSet, device: torch.device) -> Network:
        """Complete the record now that its data is here: mean and deviation, and a remark where others seem better."""
        network = replace(network, data=data.name, data_fingerprint=data.fingerprint, classes=self.labels(data))
        if self.published is not None:
            return network
        own = preprocessing.own(data)
        taken = [what for what, numbers in (("mean", network.mean), ("std", network.std)) if not numbers]
        network = replace(network, mean=network.mean or own.mean, std=network.std or own.std)
        if network.classes == data.classes:
            remark = preprocessing.remark(LoadedNetwork.of(network, frozen(module, device)), data, device)
        else:
            remark = preprocessing.untried(data) if taken else ""
        said = {"taken_from_data": taken, "remark": remark}
        return replace(network, origin=network.origin | {key: value for key, value in said.items() if value})


def _asked(
    store: Store, weights: str | Path, arch: str, called: str, download: bool, report: Report, said: dict[str, Any]
) -> _Asked:
    """Settle what was asked for; published weights are fetched. Raises StitchLabError where those are not here."""
    found, path = zoo.architecture(arch), Path(weights)
    report(f"reading {called or path.name}", 0.0)
    if path.is_file() or path.suffix or not arch.startswith(TORCHVISION):
        return _Asked(found=found, path=path, called=called or path.name, **said)
    if own := [what for what, value in said.items() if what != "options" and value is not None]:
        raise StitchLabError(f"published weights come with their own {', '.join(own)}: leave these out")
    theirs = vision.published(arch, str(weights), store.root / "downloads" / "weights", download)
    said |= {"mean": theirs.mean, "std": theirs.std, "classes": len(theirs.classes), "size": theirs.size}
    return _Asked(found=found, path=path, called=called or path.name, published=theirs, **said)

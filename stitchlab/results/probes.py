"""Read the linear probes of a network, as far as the store has them: an accuracy for each layer, and baselines.

`stitchlab.probes` defines and computes probes. The probe of each layer has a key of its own, which begins with the
network's id: where a layer is added, only that layer is computed, and deleting the network removes all its probes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple, cast

from stitchlab.errors import StitchLabError
from stitchlab.request import DEFINITIONS, PRECISION, checked_seed, content_id
from stitchlab.results import cut_points, data_sets, networks
from stitchlab.results.data_sets import DataRecord, checked_count
from stitchlab.results.networks import PROBED, Network
from stitchlab.results.records import BaselinesEntry, ProbeEntry
from stitchlab.results.resolve import NotFoundYet
from stitchlab.store import Store

VERSION = 1  # of the definition of a probe: its features, how they are standardised, the classifier and its settings
TRAIN_IMAGES = 10_000  # the most images that a probe is trained on by default


@dataclass(frozen=True, kw_only=True)
class ProbeRequest:
    """Describe what the probes of a network depend on, except for the layers.

    ``network`` and ``data`` are fingerprints; the numbers of images are resolved. ``seed`` stands for a permutation of
    each split: training images are the first ``train_images`` of the training split's, un-augmented, evaluation images
    the first ``eval_images`` of the test split's.
    """

    network: str
    data: str
    train_images: int
    eval_images: int
    seed: int = 0
    precision: str = PRECISION


class ProbeRow(NamedTuple):
    """Hold a row of the table of probes; a number is None if it is undefined or not computed yet."""

    network: str
    layer: str
    accuracy: float | None
    train_accuracy: float | None
    reason: str


class Probes:
    """Read a network's probes, as far as the store has them now. Make a new instance to see later results.

    Attributes:
        store: where the probes are kept.
        request: what the probes depend on.
        network: the network's record.
        data: the record of the data.
        layers: names of cut points, in network order.
    """

    def __init__(
        self, store: Store, request: ProbeRequest, network: Network, data: DataRecord, layers: Sequence[str]
    ) -> None:
        self.store, self.request, self.network, self.data, self.layers = store, request, network, data, tuple(layers)

    def __repr__(self) -> str:
        """Say what they are: ``<Probes of digits-a on Digits: 6 of 6 layers>``."""
        return f"<Probes of {self.network.name} on {self.data.label}: {len(self.kept)} of {len(self.layers)} layers>"

    @cached_property
    def kept(self) -> dict[str, ProbeEntry]:
        """Read the entry of each layer that is computed."""
        entries = {layer: self.store.intact(PROBED, key(self.request, layer)) for layer in self.layers}
        return {layer: cast("ProbeEntry", entry) for layer, entry in entries.items() if entry is not None}

    @cached_property
    def baselines(self) -> BaselinesEntry | None:
        """Read the numbers to compare probes with; None before they are computed."""
        return cast("BaselinesEntry | None", self.store.intact(PROBED, baselines_key(self.request)))

    @property
    def lacking(self) -> list[str]:
        """List the layers that are not computed yet."""
        return [layer for layer in self.layers if layer not in self.kept]

    @property
    def complete(self) -> bool:
        """Tell whether every layer and the baselines are computed."""
        return not self.lacking and self.baselines is not None

    @property
    def own_accuracy(self) -> float | None:
        """Return the network's own accuracy on the same images, 0..1; None if undefined or not computed yet."""
        return None if self.baselines is None else self.baselines["accuracy"]

    @property
    def chance(self) -> float | None:
        """Return the share of the largest class among the evaluation images; None before it is computed."""
        return None if self.baselines is None else self.baselines["chance"]

    def rows(self) -> list[ProbeRow]:
        """List all layers in network order; ``reason``: why a number is empty, or that training did not converge."""
        lacking = ProbeEntry(accuracy=None, train_accuracy=None, reason="")
        entries = {layer: self.kept.get(layer, lacking) for layer in self.layers}
        return [
            ProbeRow(self.network.name, layer, entry["accuracy"], entry["train_accuracy"], entry["reason"])
            for layer, entry in entries.items()
        ]

    def wanted(self) -> dict[str, Any]:
        """Return the arguments of `find`, as JSON, that lead to these probes."""
        arguments = asdict(self.request)
        del arguments["precision"]
        return arguments | {"layers": list(self.layers)}

    def record(self) -> dict[str, Any]:
        """Describe them as JSON: the request, the network, the data, every layer, and how it was computed."""
        return {
            "request": asdict(self.request),
            "definitions": definitions(),
            "network": self.network.record(),
            "data": {"name": self.data.name, "label": self.data.label, "classes": list(self.data.classes)},
            "baselines": self.baselines,
            "layers": [{"layer": layer, **self.kept[layer]} for layer in self.layers if layer in self.kept],
        }


def find(
    store: Store,
    network: str,
    *,
    data: str | None = None,
    layers: Sequence[str] | None = None,
    train_images: int | None = None,
    eval_images: int | None = None,
    seed: int = 0,
) -> Probes:
    """Look up the probes of a network; nothing is computed.

    Args:
        store: where the network is.
        network: its name or id.
        data: name or fingerprint of data used with this store; default: the network's own data.
        layers: names or aliases of cut points; default: `Cuts.defaults`.
        train_images: N; default: all, but at most `TRAIN_IMAGES`.
        eval_images: M; default: all.
        seed: decides which images are drawn.

    Raises UnknownName; StitchLabError for numbers beyond the data; NotFoundYet where the cut points are not known yet.
    """
    record = networks.find(store, network)
    images = data_sets.find(store, data or record.data_fingerprint)
    cuts = cut_points.kept(store, record.id)
    if cuts is None:
        raise NotFoundYet(record.name, record.id)
    names = cuts.in_order(cuts.defaults() if layers is None else layers)
    if not names:
        raise StitchLabError("a probe needs a layer: expected one name or more, got none; `layers NETWORK` lists them")
    count = min(images.train, TRAIN_IMAGES) if train_images is None else train_images
    request = ProbeRequest(
        network=record.id,
        data=images.fingerprint,
        seed=checked_seed(seed),
        train_images=checked_count(count, images.train, "training images of the probes (N)"),
        eval_images=checked_count(eval_images, images.test, "evaluation images (M)"),
    )
    return Probes(store, request, record, images, names)


def definitions() -> dict[str, int]:
    """Return the versions of the definitions that a probe depends on."""
    return {"probe": VERSION, "input": DEFINITIONS["input"]}


def key(request: ProbeRequest, layer: str) -> str:
    """Return the key of a layer's probe (room ``probes``)."""
    return _key(request, {"what": "probe", "layer": layer})


def baselines_key(request: ProbeRequest) -> str:
    """Return the key of the numbers to compare probes with: the network's own accuracy, and chance."""
    return _key(request, {"what": "baselines of probes"})


def _key(request: ProbeRequest, what: dict[str, Any]) -> str:
    return f"{request.network}-{content_id({**asdict(request), **definitions(), **what})[:32]}"

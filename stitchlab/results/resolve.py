"""Turn names and settings into a run: look up names, fill in defaults, check everything. Nothing is made or written.

Only the records of networks, cut points and data are read; no pixels and no weights. A run with a control that is not
made yet is a draft without an id: `stitchlab.grid.ask` makes the control before the run is computed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import TypedDict

from stitchlab.catalog.indices import DEFAULT_INDICES, INDICES
from stitchlab.catalog.presets import PRESETS, SOAP_MAX_LR, resolved
from stitchlab.errors import StitchLabError, check_names
from stitchlab.request import METHODS, MIN_PERMUTATIONS, DirectMatching, Method, Request, TaskLoss, checked_seed
from stitchlab.results import controls, cut_points, data_sets, networks
from stitchlab.results.activation_layout import check, layout_of
from stitchlab.results.cut_points import CutPoint, Cuts
from stitchlab.results.data_sets import DataRecord, checked_count
from stitchlab.results.definitions import todays
from stitchlab.results.networks import Network
from stitchlab.results.run import Run
from stitchlab.store import Store


class NotFoundYet(StitchLabError):
    """Report that the store lacks the cut points of a network; a worker can find them.

    Args:
        name: of the network.
        network: its id; for a control that is not made yet, the id of the network that it is like.
    """

    def __init__(self, name: str, network: str) -> None:
        super().__init__(f"where {name} can be cut is not known yet; `layers {name}` finds it")
        self.network = network


def resolve(
    store: Store,
    front: str,
    end: str,
    *,
    data: str | None = None,
    front_layers: Sequence[str] | None = None,
    end_layers: Sequence[str] | None = None,
    methods: Sequence[Method] = METHODS,
    indices: Sequence[str] = DEFAULT_INDICES,
    tlm: TaskLoss = PRESETS["paper"],
    dm_images: int = 100,
    eval_images: int | None = None,
    null: int = 0,
    seed: int = 0,
    front_cuts: Cuts | None = None,
) -> Run:
    """Find the run with these settings, or a draft of it if its front network is a control that is not made yet.

    The store has its record only if the run was requested before (`Run.save`).

    Args:
        store, front, end: names or ids of networks in the store; the front may also be a control (`results.controls`).
        data: name or fingerprint of data used with this store; default: the end network's own data.
        front_layers, end_layers: names or aliases of cut points; default: `Cuts.defaults`.
        methods, indices: tlm, dm or both, and names of indices of the catalog.
        dm_images, eval_images: K training images of DM, M test images (default: all); null: permutations of a null.
        tlm, seed: TLM's recipe; the seed decides which images are drawn, and TLM's initialisation.
        front_cuts: cut points of a front network that is not in the store (noise, before it is made).

    Raises StitchLabError where something does not exist or does not fit, NotFoundYet where cut points are unknown yet.
    """
    _check_results(methods, indices)
    end_network = networks.find(store, end)
    front_network = _front(store, front, end_network, checked_seed(seed))
    images = data_sets.find(store, data or end_network.data_fingerprint)
    _check_classes(end_network, images)
    settings = _settings(images, methods, indices, tlm, dm_images, eval_images, null)
    rows = _layers(front_cuts or _cuts(store, front_network), front_layers)
    columns = _layers(_cuts(store, end_network), end_layers)
    grid = _grid(rows, columns, methods)
    request = Request(
        front=front_network.id, end=end_network.id, data=images.fingerprint, seed=seed, **grid, **settings
    )
    return Run.of(store, request, front_network, end_network, images)


class _Grid(TypedDict):
    """Hold the layers of a request."""

    front_layers: tuple[str, ...]
    end_layers: tuple[str, ...]


class _Settings(TypedDict):
    """Hold the settings of a request, except for its networks, data, layers and seed."""

    methods: tuple[Method, ...]
    indices: tuple[str, ...]
    dm: DirectMatching
    tlm: TaskLoss
    eval_images: int
    null: int
    definitions: dict[str, int]


def _settings(
    images: DataRecord,
    methods: Sequence[Method],
    indices: Sequence[str],
    tlm: TaskLoss,
    dm_images: int,
    eval_images: int | None,
    null: int,
) -> _Settings:
    """Resolve the settings of a request. Raises StitchLabError if the data has too few images for them.

    Settings that nothing uses get their default values: otherwise the same request could have two ids.
    """
    uses_dm = "dm" in methods or ("tlm" in methods and tlm.init == "dm")
    checked_count(dm_images if uses_dm else None, images.train, "training images for direct matching (K)")
    evaluated = checked_count(eval_images, images.test, "evaluation images (M)")
    return {
        "methods": tuple(m for m in METHODS if m in methods),
        "indices": tuple(n for n in INDICES if n in indices),
        "dm": DirectMatching(images=dm_images) if uses_dm else DirectMatching(),
        "tlm": _recipe(tlm, images) if "tlm" in methods else TaskLoss(),
        "eval_images": evaluated,
        "null": _permutations(null if indices else 0, evaluated),
        "definitions": todays(methods, indices, tlm),
    }


def _recipe(tlm: TaskLoss, images: DataRecord) -> TaskLoss:
    """Resolve the settings of a recipe that depend on the data. Raises StitchLabError for impossible settings."""
    if tlm.optimiser == "soap" and tlm.lr > SOAP_MAX_LR:
        raise StitchLabError(
            f"SOAP's learning rate (recipe quick): expected at most {SOAP_MAX_LR:g}, got "
            f"{tlm.lr:g}; choose a smaller one, or recipe paper or plain"
        )
    count = checked_count(tlm.images, images.train, "training images for task loss matching")
    is_all = count == images.train  # requests for all images, by number or by default, get one id
    return replace(resolved(tlm, images.augmentation), images=None if is_all else count)


def _permutations(count: int, images: int) -> int:
    """Check the number of permutations, which so many images must have; return it. Raises StitchLabError."""
    if count and count < MIN_PERMUTATIONS:
        raise StitchLabError(
            f"permutations of a null: expected {MIN_PERMUTATIONS} or more (200 are usual), or 0 for none, got {count}"
        )
    least = next(n for n in itertools.count(1) if math.factorial(n) > count) if count else 1
    if images < least:
        raise StitchLabError(f"a null of {count} permutations needs {least} evaluation images or more; got {images}")
    return count


def _front(store: Store, name: str, end: Network, seed: int) -> Network:
    """Return the front network; for a control that is not made yet, its record without an id."""
    if not controls.is_control(name):
        return networks.find(store, name)
    return controls.kept(store, name, end, seed) or controls.draft(store, name, end, seed)


def _cuts(store: Store, network: Network) -> Cuts:
    # An untrained control has the cut points of the trained network that it is like.
    network_id = network.id or str(network.origin.get("like", ""))
    cuts = cut_points.kept(store, network_id)
    if cuts is None:
        raise NotFoundYet(networks.find(store, network_id).name if network_id else network.name, network_id)
    return cuts


def _layers(cuts: Cuts, names: Sequence[str] | None) -> list[CutPoint]:
    """Return these layers in network order; for None, those that a grid contains by default. Raises UnknownName."""
    return [cuts.find(name) for name in cuts.in_order(cuts.defaults() if names is None else names)]


def _grid(rows: Sequence[CutPoint], columns: Sequence[CutPoint], methods: Sequence[Method]) -> _Grid:
    """Return a request's layers. Raises StitchLabError if there are none, or methods cannot stitch them."""
    if not (rows and columns):
        raise StitchLabError("a grid needs at least one front layer and one end layer; `layers NETWORK` lists them")
    for i, j in product(rows, columns) if methods else ():
        check(layout_of(i.shape), layout_of(j.shape))
    return {
        "front_layers": tuple(point.name for point in rows),
        "end_layers": tuple(point.name for point in columns),
    }


def _check_results(methods: Sequence[Method], indices: Sequence[str]) -> None:
    """Check that all methods and indices are known, and that there is at least one. Raises StitchLabError."""
    check_names("method", methods, METHODS)
    check_names("similarity index", indices, INDICES)
    if not (methods or indices):
        raise StitchLabError("nothing to compute: name a method (tlm, dm) or a similarity index")


def _check_classes(end: Network, images: DataRecord) -> None:
    """Check that the end network predicts the data's classes, since accuracy needs them. Raises StitchLabError.

    The front network may be trained on other data: its classes play no part. Each network resizes images as it needs.
    """
    if end.architecture == controls.NOISE:
        raise StitchLabError(f"{end.name} is noise, into which nothing can be stitched: use it as the front network")
    if end.classes != images.classes:
        differ = next((pair for pair in zip(end.classes, images.classes, strict=False) if pair[0] != pair[1]), None)
        how = f"it says {differ[0]!r} where the data says {differ[1]!r}" if differ else "their numbers differ"
        raise StitchLabError(
            f"the end network {end.name} predicts {len(end.classes)} classes and {images.label} has "
            f"{len(images.classes)} ({how}): accuracy would mean nothing. Use an end network trained on these classes"
        )

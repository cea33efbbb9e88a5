"""Turn what is wanted into a run: look up names, fill in defaults, check everything. Nothing is made or written.

It needs records only: of networks, their cut points and data; no pixel and no weight. Where a control is not made yet,
its run is a draft, which has no id: whoever computes makes the control first (`stitchlab.grid.ask`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from stitchlab.catalog.indices import DEFAULT_INDICES, INDICES
from stitchlab.catalog.presets import PRESETS, SOAP_MAX_LR, resolved
from stitchlab.errors import StitchLabError, check_names
from stitchlab.request import LEAST_PERMUTATIONS, METHODS, DirectMatching, Method, Request, TaskLoss, checked_seed
from stitchlab.results import controls, cut_points, data_sets, networks
from stitchlab.results.activation_layout import check, layout_of
from stitchlab.results.cut_points import CutPoint, Cuts
from stitchlab.results.data_sets import DataRecord, checked_count
from stitchlab.results.definitions import todays
from stitchlab.results.networks import Network
from stitchlab.results.run import Run
from stitchlab.store import Store


class NotFoundYet(StitchLabError):
    """Report that the cut points of a network are not in the store; a worker can find them.

    Args:
        name: of the network.
        network: the id to ask for; for a control that is not made yet that of the network it is like.
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
    """Find the run of what is wanted, or a draft of it if its front network is a control that is not made yet.

    It is in the store only if it was asked for before (`Run.save`).

    Args:
        store, front, end: names or ids of networks in the store; the front may also be a control (`results.controls`).
        data: name or fingerprint of data used with this store; default is what the end network came with.
        front_layers, end_layers: names or aliases of cut points; default is `Cuts.defaults`.
        methods, indices: which of tlm and dm, and which indices of the catalog.
        dm_images, eval_images: K training images of DM, M test images (default: all); null: permutations of a null.
        tlm, seed: TLM's recipe; the seed decides which images are drawn, and how TLM begins.
        front_cuts: cut points of a front network that is not in the store (noise, before it is made).

    Raises StitchLabError where something does not exist or does not fit, NotFoundYet where cut points are unknown yet.
    """
    _something(methods, indices)
    end_network = networks.find(store, end)
    front_network = _front(store, front, end_network, checked_seed(seed))
    images = data_sets.find(store, data or end_network.data_fingerprint)
    _fit(end_network, images)
    how = _how(images, methods, indices, tlm, dm_images, eval_images, null)
    rows = _layers(front_cuts or _cuts(store, front_network), front_layers)
    columns = _layers(_cuts(store, end_network), end_layers)
    grid = _grid(rows, columns, methods)
    request = Request(front=front_network.id, end=end_network.id, data=images.fingerprint, seed=seed, **grid, **how)
    return Run.of(store, request, front_network, end_network, images)


def _how(
    images: DataRecord,
    methods: Sequence[Method],
    indices: Sequence[str],
    tlm: TaskLoss,
    dm_images: int,
    eval_images: int | None,
    null: int,
) -> dict[str, Any]:
    """Resolve the settings of a request. Raises StitchLabError if the data has too few images for them.

    Settings that nothing uses are left at their defaults: they would give the same request two ids.
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
    """Resolve what depends on the data in a recipe. Raises StitchLabError if it asks for the impossible."""
    if tlm.optimiser == "soap" and tlm.lr > SOAP_MAX_LR:
        raise StitchLabError(
            f"SOAP's learning rate (recipe quick): expected at most {SOAP_MAX_LR:g}, got "
            f"{tlm.lr:g}; choose a smaller one, or recipe paper or plain"
        )
    count = checked_count(tlm.images, images.train, "training images for task loss matching")
    every = count == images.train  # all of them and no number are one request
    return replace(resolved(tlm, images.augmentation), images=None if every else count)


def _permutations(count: int, images: int) -> int:
    """Return the number of permutations, if so many images have as many. Raises StitchLabError."""
    if count and count < LEAST_PERMUTATIONS:
        raise StitchLabError(
            f"permutations of a null: expected {LEAST_PERMUTATIONS} or more (200 are usual), or 0 for none, got {count}"
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
    # An untrained network has the cut points of the one that it is like.
    known = network.id or str(network.origin.get("like", ""))
    found = cut_points.kept(store, known)
    if found is None:
        raise NotFoundYet(networks.find(store, known).name if known else network.name, known)
    return found


def _layers(cuts: Cuts, names: Sequence[str] | None) -> list[CutPoint]:
    """Return these layers in network order, or those that a grid takes by default. Raises UnknownName."""
    return [cuts.find(name) for name in cuts.in_order(cuts.defaults() if names is None else names)]


def _grid(rows: Sequence[CutPoint], columns: Sequence[CutPoint], methods: Sequence[Method]) -> dict[str, Any]:
    """Return a request's layers. Raises StitchLabError if there are none, or methods cannot stitch them."""
    if not (rows and columns):
        raise StitchLabError("a grid needs at least one front layer and one end layer; `layers NETWORK` lists them")
    for i, j in product(rows, columns) if methods else ():
        check(layout_of(i.shape), layout_of(j.shape))
    return {
        "front_layers": tuple(point.name for point in rows),
        "end_layers": tuple(point.name for point in columns),
    }


def _something(methods: Sequence[Method], indices: Sequence[str]) -> None:
    """Check that all methods and indices are known, and that there is one. Raises StitchLabError."""
    check_names("method", methods, METHODS)
    check_names("similarity index", indices, INDICES)
    if not (methods or indices):
        raise StitchLabError("nothing to compute: name a method (tlm, dm) or a similarity index")


def _fit(end: Network, images: DataRecord) -> None:
    """Check that the end network has the data's classes, by which it is scored. Raises StitchLabError.

    The front may come from other data: its own classes play no part. Images are brought to what each network takes.
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

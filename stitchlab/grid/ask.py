"""Asks for a grid in this process: makes and loads what a request needs, and writes its record."""

from __future__ import annotations

from typing import Any

import torch

from stitchlab.data import registry as datasets
from stitchlab.grid.compute import compute
from stitchlab.models import controls
from stitchlab.models.cut_points import outline
from stitchlab.models.device import pick_device
from stitchlab.request import Report, checked_seed, no_report
from stitchlab.results import data_sets, networks
from stitchlab.results.resolve import resolve
from stitchlab.results.run import Run
from stitchlab.stitch import trail
from stitchlab.store import Store, given


def ask(
    front: str,
    end: str,
    store: Store | None = None,
    *,
    data: str | None = None,
    seed: int = 0,
    report: Report = no_report,
    **wanted: Any,
) -> Run:
    """Check, resolve and write down what is wanted; nothing is computed yet, but a control is made, and data loaded.

    Args:
        front, end: names or ids of networks in the store; the front may also be a control (`results.controls`).
        store: where networks and results are; default is `Store()`.
        data: name of a data set, or fingerprint of one that was used with this store; default is the one that the end
            network came with.
        seed: decides which images are drawn, and how TLM begins.
        report: told about decoding images.
        wanted: layers, methods and settings, as in `results.resolve.resolve`.

    Returns:
        the run, which is saved; what is missing of it is not computed.

    Raises:
        StitchLabError: something does not exist or does not fit; the message says what to do.
    """
    store = given(store)
    trail.setting()  # refused before anything is written
    end_network = networks.find(store, end)
    if data is None or data_sets.is_fingerprint(data):
        images = datasets.load_by_fingerprint(data or end_network.data_fingerprint, store)
    else:
        images = datasets.load(data, store, report=report)
    outline(store, end_network)
    wanted |= {"data": images.fingerprint, "seed": seed}
    cuts = controls.cut_points_of(store, front, end_network, checked_seed(seed))
    run = resolve(store, front, end_network.id, front_cuts=cuts, **wanted)
    if run.draft:  # checked before anything is made
        run = resolve(store, controls.front(store, front, end_network, seed).id, end_network.id, **wanted)
    return run.save()


def compare(
    front: str,
    end: str,
    store: Store | None = None,
    *,
    device: str | torch.device = "auto",
    report: Report = no_report,
    **wanted: Any,
) -> Run:
    """Stitch a grid of layers: compute what the store lacks of it, and return the run.

    Args:
        front, end: names or ids of networks in the store; the front may also be a control (`results.controls`).
        store: default is `Store()`.
        device: where to compute: auto, cpu, cuda, mps, or PyTorch's own.
        report: told what is being done; if it raises Cancelled, what is finished is kept.
        wanted: data, layers, methods and settings, as in `ask`.

    Raises:
        StitchLabError: something does not exist or does not fit; the message says what to do.
    """
    where = pick_device(device)  # refused before anything is made
    run = ask(front, end, store, report=report, **wanted)
    return compute(run.store, run, where, report)

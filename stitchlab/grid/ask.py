"""Start a run in this process: load the data, make a control if the run needs one, and write the run's record."""

from __future__ import annotations

from typing import Any

import torch

from stitchlab.data import registry as datasets
from stitchlab.grid.compute import compute
from stitchlab.models import controls
from stitchlab.models.cut_points import cut_points_of_any
from stitchlab.models.device import pick_device
from stitchlab.request import Report, checked_seed, no_report
from stitchlab.results import data_sets, networks
from stitchlab.results.resolve import resolve
from stitchlab.results.run import Run
from stitchlab.stitch import trail
from stitchlab.store import Store, store_or_default


def ask(
    front: str,
    end: str,
    store: Store | None = None,
    *,
    data: str | None = None,
    seed: int = 0,
    report: Report = no_report,
    **settings: Any,
) -> Run:
    """Check a request and save its run. This loads the data and makes a control if one is needed, but computes nothing.

    Args:
        front, end: names or ids of networks in the store; the front may also be a control (`results.controls`).
        store: where networks and results are; default is `Store()`.
        data: name of a data set, or fingerprint of one that was used with this store; default is the end network's own
            data set.
        seed: decides which images are drawn, and where TLM begins.
        report: receives the progress of decoding images.
        settings: layers, methods and their settings, as in `results.resolve.resolve`.

    Returns:
        the run, which is saved; its missing results are not computed.

    Raises:
        StitchLabError: something does not exist or does not fit; the message says what to do.
    """
    store = store_or_default(store)
    trail.max_points_setting()  # an invalid setting is refused before anything is written
    end_network = networks.find(store, end)
    if data is None or data_sets.is_fingerprint(data):
        images = datasets.load_by_fingerprint(data or end_network.data_fingerprint, store)
    else:
        images = datasets.load(data, store, report=report)
    cut_points_of_any(store, end_network)
    settings |= {"data": images.fingerprint, "seed": seed}
    cuts = controls.cut_points_of(store, front, end_network, checked_seed(seed))
    run = resolve(store, front, end_network.id, front_cuts=cuts, **settings)
    if run.draft:  # the request is valid, so the control can be made
        run = resolve(store, controls.front(store, front, end_network, seed).id, end_network.id, **settings)
    return run.save()


def compare(
    front: str,
    end: str,
    store: Store | None = None,
    *,
    device: str | torch.device = "auto",
    report: Report = no_report,
    **settings: Any,
) -> Run:
    """Stitch a grid of layers: compute the results that the store lacks, and return the run.

    Args:
        front, end: names or ids of networks in the store; the front may also be a control (`results.controls`).
        store: default is `Store()`.
        device: where to compute: auto, cpu, cuda, mps, or a device of PyTorch.
        report: receives what is being done; if it raises Cancelled, finished results are kept.
        settings: data, layers, methods and their settings, as in `ask`.

    Raises:
        StitchLabError: something does not exist or does not fit; the message says what to do.
    """
    torch_device = pick_device(device)  # an invalid device is refused before anything is made
    run = ask(front, end, store, report=report, **settings)
    return compute(run.store, run, torch_device, report)

"""Train the networks of the demo (`stitchlab.results.demo`)."""

from __future__ import annotations

import time
from collections.abc import Sequence

from stitchlab.data import registry as datasets
from stitchlab.models import create
from stitchlab.request import Report, no_report, portion
from stitchlab.results.demo import ARCHITECTURE, DATA, NAMES, SEEDS, untrained
from stitchlab.store import Store
from stitchlab.store.claims import claimed

POLL_INTERVAL_S = 0.3  # between checks of a network that another process trains


def train(store: Store, report: Report = no_report, seeds: Sequence[int] = range(len(NAMES))) -> None:
    """Train those of the demo's networks that the store lacks; each is trained by one process only.

    Args:
        store: where networks are kept.
        report: receives what is trained or waited for; if it raises Cancelled, finished networks are kept.
        seeds: keys of `SEEDS`; default is the networks of `NAMES`.

    Raises:
        StitchLabError: the data cannot be loaded, or a network cannot be kept.
    """
    digits = datasets.load(DATA, store)
    for k, seed in enumerate(seeds):
        name = SEEDS[seed]
        report_network = portion(report, k / len(seeds), 1 / len(seeds))
        while untrained(store, [name]):
            with claimed(store, [f"training-{name}"]) as claims:
                if claims and untrained(store, [name]):
                    create.train(ARCHITECTURE, digits, store, name=name, seed=seed, report=report_network, device="cpu")
                    continue
            report_network(f"waiting for {name} to be trained", 0.0)
            time.sleep(POLL_INTERVAL_S)

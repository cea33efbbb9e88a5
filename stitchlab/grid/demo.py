"""Trains the networks of the demo (`stitchlab.results.demo`)."""

from __future__ import annotations

import time
from collections.abc import Sequence

from stitchlab.data import registry as datasets
from stitchlab.models import create
from stitchlab.request import Report, no_report, portion
from stitchlab.results.demo import ARCHITECTURE, DATA, NAMES, SEEDS, untrained
from stitchlab.store import Store
from stitchlab.store.claims import claimed

WAIT = 0.3  # seconds between looks at a network that another process trains


def train(store: Store, report: Report = no_report, seeds: Sequence[int] = range(len(NAMES))) -> None:
    """Train the demo's networks of these seeds, as far as the store has not got them; each by one process.

    Args:
        store: where they are kept.
        report: told what is trained or waited for; if it raises Cancelled, finished networks are kept.
        seeds: places in `SEEDS`; default is those of `NAMES`.

    Raises:
        StitchLabError: the data cannot be loaded, or a network cannot be kept.
    """
    digits = datasets.load(DATA, store)
    for k, seed in enumerate(seeds):
        name = SEEDS[seed]
        part = portion(report, k / len(seeds), 1 / len(seeds))
        while untrained(store, [name]):
            with claimed(store, [f"training-{name}"]) as mine:
                if mine and untrained(store, [name]):
                    create.train(ARCHITECTURE, digits, store, name=name, seed=seed, report=part, device="cpu")
                    continue
            part(f"waiting for {name} to be trained", 0.0)
            time.sleep(WAIT)

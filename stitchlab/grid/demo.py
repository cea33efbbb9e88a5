"""Training the two networks of the demo (`stitchlab.results.demo`)."""

from __future__ import annotations

from collections.abc import Sequence

from stitchlab.data import registry as datasets
from stitchlab.models import create
from stitchlab.request import Report, no_report, portion
from stitchlab.results import networks
from stitchlab.results.demo import ARCHITECTURE, DATA, NAMES
from stitchlab.store import Store


def train(store: Store, report: Report = no_report, seeds: Sequence[int] = range(len(NAMES))) -> None:
    """Train the demo's networks of these seeds, those that the store has not got."""
    digits = datasets.load(DATA, store)
    there = {network.name for network in networks.list_networks(store)}
    for k, seed in enumerate(seeds):
        if NAMES[seed] not in there:
            part = portion(report, k / len(seeds), 1 / len(seeds))
            create.train(ARCHITECTURE, digits, store, name=NAMES[seed], seed=seed, report=part, device="cpu")

"""Training the two networks of the demo (`stitchlab.results.demo`)."""

from __future__ import annotations

from stitchlab.data import registry as datasets
from stitchlab.models import create
from stitchlab.request import Report, no_report, portion
from stitchlab.results import networks
from stitchlab.results.demo import ARCHITECTURE, DATA, NAMES
from stitchlab.store import Store


def train(store: Store, report: Report = no_report) -> None:
    """Train the two networks if the store has no networks at all."""
    if networks.list_networks(store):
        return
    digits = datasets.load(DATA, store)
    for seed, name in enumerate(NAMES):
        part = portion(report, seed / len(NAMES), 1 / len(NAMES))
        create.train(store, ARCHITECTURE, digits, name=name, seed=seed, report=part)

"""What a newcomer sees first: two small networks on scikit-learn's digits, and their grid.

ResNet-14, six blocks, 8×8 pixels: seconds to train, and large enough to show the paper's finding.
"""

from __future__ import annotations

from stitchlab.data import registry as data
from stitchlab.grid.compute import ask
from stitchlab.models import create as making
from stitchlab.models import store as networks
from stitchlab.request import Report, no_report, portion
from stitchlab.results.run import Run
from stitchlab.store import Store

DATA, ARCHITECTURE = "digits", "resnet14"
NAMES = ("digits-a", "digits-b")  # seeds 0 and 1


def train(store: Store, report: Report = no_report) -> None:
    """Trains the two networks if the store has no networks at all."""
    if networks.list_networks(store):
        return
    digits = data.load(DATA, store)
    for seed, name in enumerate(NAMES):
        part = portion(report, seed / len(NAMES), 1 / len(NAMES))
        making.train(store, ARCHITECTURE, digits, name=name, seed=seed, report=part)


def run(store: Store) -> Run | None:
    """The demo's grid with the paper's recipe, as much as there is of it; None where its networks are not there."""
    there = {network.name for network in networks.list_networks(store)}
    return ask(store, *NAMES) if set(NAMES) <= there else None

"""Find the demo that newcomers see first: two small networks on scikit-learn's digits, and their grid.

ResNet-14, six blocks, 8×8 pixels: seconds to train, and large enough to show the paper's finding.
"""

from __future__ import annotations

from collections.abc import Sequence

from stitchlab.results import networks
from stitchlab.results.resolve import resolve
from stitchlab.results.run import Run
from stitchlab.store import Store

DATA, ARCHITECTURE = "digits", "resnet14"
NAMES = ("digits-a", "digits-b")  # seeds 0 and 1
SEEDS = (*NAMES, "digits-c", "digits-d")  # seeds 0 to 3: as many as checks of measures take
LAYERS = 6  # that they are cut at


def untrained(store: Store, names: Sequence[str] = SEEDS) -> list[str]:
    """List those of these networks that are the demo's and not trained yet."""
    there = {network.name for network in networks.list_networks(store)}
    return [name for name in names if name in SEEDS and name not in there]


def run(store: Store) -> Run | None:
    """Find the demo's grid with the paper's recipe; None if its networks are not there.

    Raises NotFoundYet where their cut points are not known (a store from before they were kept by network).
    """
    return None if untrained(store, NAMES) else resolve(store, *NAMES)

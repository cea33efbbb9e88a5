"""Find the demo that new users see first: two small networks on scikit-learn's digits, and their grid.

The networks are ResNet-14, with six blocks, on 8×8 pixels. They train in seconds, and their grid shows the paper's
finding.
"""

from __future__ import annotations

from collections.abc import Sequence

from stitchlab.results import networks
from stitchlab.results.resolve import resolve
from stitchlab.results.run import Run
from stitchlab.store import Store

DATA, ARCHITECTURE = "digits", "resnet14"
NAMES = ("digits-a", "digits-b")  # seeds 0 and 1
SEEDS = (*NAMES, "digits-c", "digits-d")  # seeds 0 to 3: the networks on which measures are checked
LAYERS = 6  # cut points in a grid


def untrained(store: Store, names: Sequence[str] = SEEDS) -> list[str]:
    """List those of these names that are the demo's networks and not trained yet."""
    trained = {network.name for network in networks.list_networks(store)}
    return [name for name in names if name in SEEDS and name not in trained]


def run(store: Store) -> Run | None:
    """Find the demo's grid with the paper's recipe; None if its networks are not trained yet.

    Raises NotFoundYet where their cut points are not known, as in stores of early versions.
    """
    return None if untrained(store, NAMES) else resolve(store, *NAMES)

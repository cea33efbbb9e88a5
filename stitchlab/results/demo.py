"""What a newcomer sees first: two small networks on scikit-learn's digits, and their grid.

ResNet-14, six blocks, 8×8 pixels: seconds to train, and large enough to show the paper's finding.
"""

from __future__ import annotations

from stitchlab.results import networks
from stitchlab.results.resolve import resolve
from stitchlab.results.run import Run
from stitchlab.store import Store

DATA, ARCHITECTURE = "digits", "resnet14"
NAMES = ("digits-a", "digits-b")  # seeds 0 and 1


def run(store: Store) -> Run | None:
    """Find the demo's grid with the paper's recipe; None where its networks are not there.

    Raises NotFoundYet where their cut points are not known (a store from before they were kept by network).
    """
    there = {network.name for network in networks.list_networks(store)}
    return resolve(store, *NAMES) if set(NAMES) <= there else None

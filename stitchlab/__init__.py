"""StitchLab: seeing what makes neural networks' representations similar, and which measures of similarity lie."""

from stitchlab.data import load as load_data
from stitchlab.dataset import DataSet
from stitchlab.distribution import Distribution
from stitchlab.errors import Cancelled, Damaged, StitchLabError, UnknownName
from stitchlab.grid import ask, compare
from stitchlab.indices.statistics import measure
from stitchlab.judge import judge
from stitchlab.layers import CutPoint, Layered
from stitchlab.making import import_weights, train, untrained
from stitchlab.networks import Network, list_networks
from stitchlab.networks import load as load_network
from stitchlab.run import Run, list_runs
from stitchlab.spec import Detection, DirectMatching, Request, TaskLoss, preset
from stitchlab.store import Store

__all__ = [
    "Cancelled",
    "CutPoint",
    "Damaged",
    "DataSet",
    "Detection",
    "DirectMatching",
    "Distribution",
    "Layered",
    "Network",
    "Request",
    "Run",
    "StitchLabError",
    "Store",
    "TaskLoss",
    "UnknownName",
    "ask",
    "compare",
    "import_weights",
    "judge",
    "list_networks",
    "list_runs",
    "load_data",
    "load_network",
    "measure",
    "preset",
    "train",
    "untrained",
]

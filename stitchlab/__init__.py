"""StitchLab: seeing what makes neural networks' representations similar, and which measures of similarity lie."""

from stitchlab.cutting.layered import CutPoint, Layered
from stitchlab.data.registry import load as load_data
from stitchlab.data.splits import DataSet
from stitchlab.errors import Cancelled, Damaged, StitchLabError, UnknownName
from stitchlab.grid.compute import ask, compare
from stitchlab.indices.statistics import measure
from stitchlab.models.create import import_weights, train, untrained
from stitchlab.models.store import Network, list_networks
from stitchlab.models.store import load as load_network
from stitchlab.ood.evaluate import judge
from stitchlab.request import Detection, DirectMatching, Request, TaskLoss, preset
from stitchlab.results.detection import Distribution
from stitchlab.results.run import Run, list_runs
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

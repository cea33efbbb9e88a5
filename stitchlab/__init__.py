"""StitchLab: seeing what makes neural networks' representations similar, and which measures of similarity lie.

Names are loaded when they are used (PEP 562): what only reads never imports PyTorch.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stitchlab.catalog.presets import preset
    from stitchlab.cutting.layered import Layered
    from stitchlab.data.registry import load as load_data
    from stitchlab.data.splits import DataSet
    from stitchlab.errors import Cancelled, Damaged, StitchLabError, UnknownName
    from stitchlab.grid.ask import ask, compare
    from stitchlab.indices.statistics import measure
    from stitchlab.models.create import train, untrained
    from stitchlab.models.importing import import_weights
    from stitchlab.models.store import load as load_network
    from stitchlab.ood.evaluate import judge
    from stitchlab.probes.compute import probe
    from stitchlab.request import Detection, DirectMatching, Request, TaskLoss
    from stitchlab.results.cut_points import CutPoint
    from stitchlab.results.detection import Distribution
    from stitchlab.results.networks import Network, list_networks
    from stitchlab.results.probes import Probes
    from stitchlab.results.run import Run, list_runs
    from stitchlab.results.version import VERSION as __version__  # noqa: F401 - by its usual name, and not for `import *`
    from stitchlab.store import Store

#: Where each name of the public API is defined, and how it is called there.
_PLACES = {
    "Cancelled": "errors:Cancelled", "CutPoint": "results.cut_points:CutPoint", "Damaged": "errors:Damaged",
    "DataSet": "data.splits:DataSet", "Detection": "request:Detection", "DirectMatching": "request:DirectMatching",
    "Distribution": "results.detection:Distribution", "Layered": "cutting.layered:Layered",
    "Network": "results.networks:Network", "Request": "request:Request", "Run": "results.run:Run",
    "StitchLabError": "errors:StitchLabError", "Store": "store:Store", "TaskLoss": "request:TaskLoss",
    "UnknownName": "errors:UnknownName", "ask": "grid.ask:ask", "compare": "grid.ask:compare",
    "import_weights": "models.importing:import_weights", "judge": "ood.evaluate:judge",
    "list_networks": "results.networks:list_networks", "list_runs": "results.run:list_runs",
    "load_data": "data.registry:load", "load_network": "models.store:load", "measure": "indices.statistics:measure",
    "preset": "catalog.presets:preset", "probe": "probes.compute:probe", "Probes": "results.probes:Probes",
    "train": "models.create:train", "untrained": "models.create:untrained",
    "__version__": "results.version:VERSION",
}

#: What runs can besides, whoever made them, once a name of the public API was used: `run.plot("accuracy")`.
_OF_RUNS = {"caption": "export.pictures:caption", "export": "export.files:export", "plot": "export.pictures:plot",
            "to_frame": "export.frames:to_frame"}

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
    "Probes",
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
    "probe",
    "train",
    "untrained",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Load a name of the public API when it is first used."""
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = _load(_PLACES[name])
        globals()[name] = value
        _lend()
        return value


def _load(place: str) -> Any:
    module, _, called = place.partition(":")
    return getattr(import_module(f"{__name__}.{module}"), called)


class _Lent:
    """A method that becomes the function it is defined as when it is first used."""

    def __init__(self, name: str, place: str) -> None:
        self.name, self.place = name, place

    def __get__(self, run: Any, kind: type) -> Any:
        """Load the function, which takes this one's place."""
        function = _load(self.place)
        setattr(kind, self.name, function)
        return getattr(kind if run is None else run, self.name)


def _lend() -> None:
    """Give runs the methods of `_OF_RUNS`, once there are runs: their own room imports nothing from above it."""
    kind = getattr(sys.modules.get(f"{__name__}.results.run"), "Run", None)
    for name, place in _OF_RUNS.items():
        if kind is not None and name not in vars(kind):
            setattr(kind, name, _Lent(name, place))


def __dir__() -> list[str]:
    """List the public API, for editors and notebooks."""
    return sorted({*globals(), *_PLACES})

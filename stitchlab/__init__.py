"""StitchLab shows what makes neural networks' representations similar, and which similarity measures mislead.

Names are loaded when they are first used (PEP 562), so code that only reads results never imports PyTorch.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stitchlab.catalog.presets import preset
    from stitchlab.checks.compute import check
    from stitchlab.cutting.layered import Layered
    from stitchlab.data.registry import load as load_data
    from stitchlab.data.splits import DataSet
    from stitchlab.errors import Cancelled, Damaged, StitchLabError, UnknownName
    from stitchlab.grid.ask import ask, compare
    from stitchlab.indices.two_layers import measure
    from stitchlab.models.create import train, untrained
    from stitchlab.models.importing import import_weights
    from stitchlab.models.store import load as load_network
    from stitchlab.ood.evaluate import detect
    from stitchlab.probes.compute import probe
    from stitchlab.request import Detection, DirectMatching, Request, TaskLoss
    from stitchlab.results.checks.answers import Answers
    from stitchlab.results.cut_points import CutPoint
    from stitchlab.results.detection import DetectionResults
    from stitchlab.results.networks import Network, list_networks
    from stitchlab.results.probes import Probes
    from stitchlab.results.run import Run, list_runs
    from stitchlab.store import Store

__version__: str  # declared, not imported above: for type checkers, an imported name outside __all__ does not exist

#: Where each name of the public API is defined, and how it is called there.
_DEFINED_IN = {
    "Cancelled": "errors:Cancelled",
    "CutPoint": "results.cut_points:CutPoint",
    "Damaged": "errors:Damaged",
    "DataSet": "data.splits:DataSet",
    "Detection": "request:Detection",
    "DirectMatching": "request:DirectMatching",
    "DetectionResults": "results.detection:DetectionResults",
    "Layered": "cutting.layered:Layered",
    "Network": "results.networks:Network",
    "Request": "request:Request",
    "Run": "results.run:Run",
    "StitchLabError": "errors:StitchLabError",
    "Store": "store:Store",
    "TaskLoss": "request:TaskLoss",
    "UnknownName": "errors:UnknownName",
    "Answers": "results.checks.answers:Answers",
    "ask": "grid.ask:ask",
    "check": "checks.compute:check",
    "compare": "grid.ask:compare",
    "import_weights": "models.importing:import_weights",
    "detect": "ood.evaluate:detect",
    "list_networks": "results.networks:list_networks",
    "list_runs": "results.run:list_runs",
    "load_data": "data.registry:load",
    "load_network": "models.store:load",
    "measure": "indices.two_layers:measure",
    "preset": "catalog.presets:preset",
    "probe": "probes.compute:probe",
    "Probes": "results.probes:Probes",
    "train": "models.create:train",
    "untrained": "models.create:untrained",
    "__version__": "results.version:VERSION",
}

#: Methods that `Run` has in addition once a name of the public API was used, such as `run.plot("accuracy")`.
_RUN_METHODS = {
    "caption": "export.pictures:caption",
    "export": "export.files:export",
    "plot": "export.pictures:plot",
    "to_frame": "export.frames:to_frame",
}

__all__ = [
    "Answers",
    "Cancelled",
    "CutPoint",
    "Damaged",
    "DataSet",
    "Detection",
    "DetectionResults",
    "DirectMatching",
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
    "check",
    "compare",
    "detect",
    "import_weights",
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
        if name not in _DEFINED_IN:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = _load(_DEFINED_IN[name])
        globals()[name] = value
        _add_run_methods()
        return value


def _load(definition: str) -> Any:
    """Import what ``module:name`` names."""
    module, _, name = definition.partition(":")
    return getattr(import_module(f"{__name__}.{module}"), name)


class _LazyMethod:
    """Stand in for a method of `Run` until it is first used, and then load the function that implements it."""

    def __init__(self, name: str, definition: str) -> None:
        self.name, self.definition = name, definition

    def __get__(self, run: Any, run_class: type) -> Any:
        """Load the function and replace this object by it."""
        setattr(run_class, self.name, _load(self.definition))
        return getattr(run_class if run is None else run, self.name)


def _add_run_methods() -> None:
    """Add the methods in `_RUN_METHODS` to `Run` if it is imported: it may not import them, they are above it."""
    run_class = getattr(sys.modules.get(f"{__name__}.results.run"), "Run", None)
    for name, definition in _RUN_METHODS.items():
        if run_class is not None and name not in vars(run_class):
            setattr(run_class, name, _LazyMethod(name, definition))


def __dir__() -> list[str]:
    """List the public API, for editors and notebooks."""
    return sorted({*globals(), *_DEFINED_IN})

"""Find checks of similarity measures, one a file; a new one is a file beside this one and an entry in the catalog.

The function of a check gets the runs of a suite (`stitchlab.checks.material`) and the name of the measure. It computes
the statistics that `stitchlab.catalog.checks` names, and evidence for a figure. It does not decide whether the measure
passes: the rules stand in the catalog, and `stitchlab.results.checks.table` applies them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from stitchlab.results.checks.answers import Answer

if TYPE_CHECKING:
    from stitchlab.checks.material import Material


class CheckFunction(Protocol):
    """Describe the function of a check."""

    def __call__(self, material: Material, subject: str) -> Answer:
        """Check one measure, such as ``cka/similarity``, on the runs of a suite."""
        ...


def check_function(name: str) -> CheckFunction:
    """Find the function of a check: the function `check` of the file that has its name, - as _.

    >>> check_function("far-layers").__module__
    'stitchlab.checks.far_layers'
    """
    function: CheckFunction = import_module(f"{__name__}.{name.replace('-', '_')}").check
    return function

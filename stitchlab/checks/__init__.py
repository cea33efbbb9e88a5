"""Finds checks of similarity measures, one a file; a new one is a file beside this one and an entry in the catalog.

A check is a function ``check(material, subject)`` of what a suite of runs has (`stitchlab.checks.material`) and of the
measure that is checked; it gives the statistics that `stitchlab.catalog.checks` names, with the evidence for a figure.
Whether a measure passes is not decided here: the rules stand in the catalog (`stitchlab.results.checks.table`).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from stitchlab.results.checks.answers import Answer


def check_function(name: str) -> Callable[[Any, str], Answer]:
    """Find the function of a check, which is the public one of its file.

    >>> check_function("far-layers").__module__
    'stitchlab.checks.far_layers'
    """
    found: Callable[[Any, str], Answer] = import_module(f"{__name__}.{name.replace('-', '_')}").check
    return found

"""Finds detectors, one a file. A new one is a file beside this one and an entry in `stitchlab.catalog.detectors`.

A detector is fitted on native activations of training images (`stitchlab.ood.inputs.Native`) and gives a score of
batches of any activations (`stitchlab.ood.inputs.Score`), or compares two sets as a whole (`frechet`). None of them
ever sees stitched activations while fitted.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def detector_function(name: str) -> Callable[..., Any]:
    """Find the function of a detector: its name, - as _, names both the file and the function in it.

    Returns:
        from native activations to a score; of a detector that compares: from moments of rows, native and other, to an
        interval.

    >>> detector_function("pca-residual").__name__
    'pca_residual'
    """
    name = name.replace("-", "_")
    function: Callable[..., Any] = getattr(import_module(f"{__name__}.{name}"), name)
    return function

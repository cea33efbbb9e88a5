"""Similarity indices. A new one is a file beside this one and an entry in `stitchlab.catalog.indices`.

An index sees a pair of layers through one of two statistics: two centred (N, N) Gram matrices of flattened features
(`stitchlab.indices.grams`), or the second moments XᵀX, XᵀY, YᵀY of centred rows (`stitchlab.indices.second_moments`).
It gives its value, or, where it is undefined, the reason why.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from stitchlab.catalog.indices import INDICES

Value = float | str  # a number, or the reason why there is none


def index_function(name: str) -> Callable[..., Value]:
    """Finds the function that computes an index: its formula's name, - as _, names both the file and the function.

    >>> index_function("cka").__name__, index_function("opd-positions").__name__
    ('cka', 'opd')
    """
    formula = (INDICES[name].formula or name).replace("-", "_")
    found: Any = getattr(import_module(f"{__name__}.{formula}"), formula)
    function: Callable[..., Value] = found
    return function

"""Similarity indices. A new one is a file beside this one and an entry in `stitchlab.catalog.indices`.

An index sees a pair of layers through one of two statistics (`stitchlab.indices.statistics`): ``grams``, the two
centred (N, N) Gram matrices of flattened features, or ``moments``, the second moments XᵀX, XᵀY, YᵀY of centred rows.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def index_function(name: str) -> Callable[..., float | None]:
    """Finds the function that computes an index: its name, - as _, names both the file and the function in it.

    >>> index_function("cka").__name__
    'cka'
    """
    name = name.replace("-", "_")
    found: Any = getattr(import_module(f"{__name__}.{name}"), name)
    function: Callable[..., float | None] = found
    return function

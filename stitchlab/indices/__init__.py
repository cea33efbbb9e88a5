"""Similarity indices. A new one is a file beside this one and an entry in `stitchlab.catalog.indices`.

An index of images sees each layer alone, by its Gram matrix of flattened features (`stitchlab.indices.grams`): of that
it makes an (N, N) matrix of norm 1, and the inner product of two layers' matrices is its value. An index of channels
sees a pair of layers by the second moments XᵀX, XᵀY, YᵀY of centred rows (`stitchlab.indices.second_moments`). Where an
index is undefined, its function gives the reason why. `stitchlab.indices.null` says what an index is by chance.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from stitchlab.catalog.indices import INDICES

Value = float | str  # a number, or the reason why there is none


def index_function(name: str) -> Callable[..., Any]:
    """Find the function that computes an index: its formula's name, - as _, names both the file and the function.

    >>> index_function("cka").__name__, index_function("opd-positions").__name__
    ('cka', 'opd')
    """
    formula = (INDICES[name].formula or name).replace("-", "_")
    found: Any = getattr(import_module(f"{__name__}.{formula}"), formula)
    function: Callable[..., Any] = found
    return function

"""Compute similarity indices. A new one is a file in this folder and an entry in `stitchlab.catalog.indices`.

There are two kinds. An index of images turns the Gram matrix of one layer's flattened features
(`stitchlab.indices.grams`) into an (N, N) matrix of norm 1; the inner product of two layers' matrices is its value. An
index of channels is computed from the second moments XᵀX, XᵀY, YᵀY of two layers' centred rows
(`stitchlab.indices.second_moments`). Where an index is undefined, its function returns the reason.
`stitchlab.indices.null` computes the values of an index by chance.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Literal

from stitchlab.catalog.indices import INDICES
from stitchlab.request import Cell

Value = float | str  # an index's value, or the reason why it is undefined
IndexCell = tuple[str, Cell]  # an index's name, and a cell
Side = Literal["front", "end"]
SIDES: tuple[Side, Side] = ("front", "end")


def index_function(name: str) -> Callable[..., Any]:
    """Return the function that computes an index; the name of its formula, with _ for -, names its file and itself.

    >>> index_function("cka").__name__, index_function("opd-positions").__name__
    ('cka', 'opd')
    """
    formula = (INDICES[name].formula or name).replace("-", "_")
    function: Callable[..., Any] = getattr(import_module(f"{__name__}.{formula}"), formula)
    return function

"""Describe how a layer's activations are laid out, given their shape, and check whether a stitch between two exists."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from stitchlab.errors import StitchLabError

Kind = Literal["map", "map-last", "tokens", "vector"]


@dataclass(frozen=True)
class Layout:
    """Describe one image's activation: its kind, its channels (or features), its positions.

    ``kind`` is map (C, H, W), map-last (H, W, C), tokens (T, D) or vector (D,). A vector is a 1×1 map.
    ``tokens`` includes the class token. Height and width are those of the map, 0 for tokens that form no square map.
    """

    kind: Kind
    channels: int
    height: int = 1
    width: int = 1
    tokens: int = 0

    @property
    def class_token(self) -> bool:
        """Tell whether there is a class token beside the square map: T - 1 is a square."""
        return self.tokens > 1 and self.height * self.width == self.tokens - 1


def layout_of(shape: tuple[int, ...]) -> Layout:
    """Return the layout of activations of this shape (without N). Raises StitchLabError for any other shape.

    A three-dimensional shape is read as (C, H, W), unless the map is square only if it is read as (H, W, C).

    >>> layout_of((65, 192)).class_token, layout_of((8, 8, 96)).kind
    (True, 'map-last')
    """
    if len(shape) == 1:
        return Layout("vector", shape[0])
    if len(shape) == 2:
        tokens, side = shape[0], math.isqrt(shape[0])
        if side * side != tokens:
            side = math.isqrt(tokens - 1)
        square = side if side * side in (tokens, tokens - 1) else 0
        return Layout("tokens", shape[1], square, square, tokens)
    if len(shape) == 3:
        if shape[0] == shape[1] != shape[2]:
            return Layout("map-last", shape[2], shape[0], shape[1])
        return Layout("map", *shape)
    raise StitchLabError(f"an activation of shape {shape} is neither a map, tokens nor a vector: it cannot be stitched")


def check(source: Layout, target: Layout) -> None:
    """Check that a stitch from source to target exists. Raises StitchLabError for tokens that form no square map."""
    if target.kind == "vector" or source.tokens == target.tokens:
        return
    for side in (source, target):
        if side.kind == "tokens" and not side.height:
            raise StitchLabError(
                f"{side.tokens} tokens do not form a square map, with or without a class token: they can be stitched "
                "only to as many tokens or to a vector; choose another layer"
            )

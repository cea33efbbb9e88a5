"""Shorten names of layers for figures that have no room for module paths; different names stay different.

``features.denseblock1.denselayer2`` becomes ``f.d1.denselayer2``, as Java's loggers shorten packages. If the names of
an axis are long and begin alike, their common beginning becomes ``…``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

LIMIT = 18  # letters that an axis has room for


class ShortNames(NamedTuple):
    """Hold the labels of some names, in their order, and the beginning that ``…`` stands for; empty if none is cut."""

    labels: tuple[str, ...]
    elided: str


def shorten(names: Sequence[str], limit: int = LIMIT) -> ShortNames:
    """Return a label for each name, of at most `limit` letters unless that would make two labels equal.

    >>> shorten(["features.0", "features.12"])
    ShortNames(labels=('f.0', 'f.12'), elided='')
    >>> shorten(["conv1", "features.denseblock1.denselayer2"]).labels
    ('conv1', 'f.d1.denselayer2')
    >>> shorten(["encoder.layers.encoder_layer_0", "encoder.layers.encoder_layer_11"])
    ShortNames(labels=('…0', '…11'), elided='encoder.layers.encoder_layer_')
    """
    labels, elided = _each(names, names, lambda name: re.sub(r"^features\.", "f.", name)), ""
    beginning = _common_beginning(names)
    if max(map(len, labels), default=0) > limit and beginning not in ("", "features."):
        labels, elided = tuple("…" + name[len(beginning) :] for name in names), beginning
    for step in (_initials, _without_middle):
        labels = _each(labels, names, partial(step, limit=limit))
    return ShortNames(labels, elided)


def _each(labels: Sequence[str], names: Sequence[str], change: Callable[[str], str]) -> tuple[str, ...]:
    """Change all labels, or none if different names would get the same label."""
    changed = tuple(map(change, labels))
    return changed if len(set(changed)) == len(set(names)) else tuple(labels)


def _common_beginning(names: Sequence[str]) -> str:
    """Return the common beginning of several names, up to a point or an underscore."""
    first, last = min(names), max(names)
    equal_letters = [a == b for a, b in zip(first, last, strict=False)]
    common = first[: [*equal_letters, False].index(False)] if first != last else ""
    return common[: max(common.rfind("."), common.rfind("_")) + 1]


def _initials(label: str, limit: int) -> str:
    """Shorten all parts but the last to their first letter and number."""
    if len(label) <= limit:
        return label
    *path, last = label.split(".")
    return ".".join([*(re.sub(r"^(…?[^\W\d])[^\W\d]*", r"\1", part) for part in path), last])


def _without_middle(label: str, limit: int) -> str:
    """Replace the middle of a label that is too long by ``…``."""
    tail = limit // 2
    return label if len(label) <= limit else label[: limit - tail - 1] + "…" + label[-tail:]

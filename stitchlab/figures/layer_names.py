"""Shortens names of layers, where a figure has no room for module paths; no two names become one.

``features.denseblock1.denselayer2`` becomes ``f.d1.denselayer2``, as Java's loggers shorten packages; where all names
of an axis begin alike and are long, that becomes ``…``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

LIMIT = 18  # letters that an axis has room for


class ShortNames(NamedTuple):
    """Holds labels in the order of the names that were given, and what ``…`` in them stands for, empty without one."""

    labels: tuple[str, ...]
    elided: str


def shorten(names: Sequence[str], limit: int = LIMIT) -> ShortNames:
    """Return a label for each name, of at most `limit` letters where that leaves them different.

    >>> shorten(["features.0", "features.12"])
    ShortNames(labels=('f.0', 'f.12'), elided='')
    >>> shorten(["conv1", "features.denseblock1.denselayer2"]).labels
    ('conv1', 'f.d1.denselayer2')
    >>> shorten(["encoder.layers.encoder_layer_0", "encoder.layers.encoder_layer_11"])
    ShortNames(labels=('…0', '…11'), elided='encoder.layers.encoder_layer_')
    """
    labels, elided = _each(names, names, lambda name: re.sub(r"^features\.", "f.", name)), ""
    begin = _common_beginning(names)
    if max(map(len, labels), default=0) > limit and begin not in ("", "features."):
        labels, elided = tuple("…" + name[len(begin) :] for name in names), begin
    for step in (_initials, _without_middle):
        labels = _each(labels, names, lambda label, step=step: step(label, limit))  # type: ignore[misc]
    return ShortNames(labels, elided)


def _each(labels: Sequence[str], names: Sequence[str], change: Callable[[str], str]) -> tuple[str, ...]:
    """Change all labels, or none where two names would become one."""
    changed = tuple(map(change, labels))
    return changed if len(set(changed)) == len(set(names)) else tuple(labels)


def _common_beginning(names: Sequence[str]) -> str:
    """Return what several names begin with, up to a point or an underscore."""
    first, last = min(names), max(names)
    same = [one == other for one, other in zip(first, last, strict=False)]
    common = first[: [*same, False].index(False)] if first != last else ""
    return common[: max(common.rfind("."), common.rfind("_")) + 1]


def _initials(label: str, limit: int) -> str:
    """Shorten all parts but the last to their first letter and number."""
    if len(label) <= limit:
        return label
    *path, last = label.split(".")
    return ".".join([*(re.sub(r"^(…?[^\W\d])[^\W\d]*", r"\1", part) for part in path), last])


def _without_middle(label: str, limit: int) -> str:
    tail = limit // 2
    return label if len(label) <= limit else label[: limit - tail - 1] + "…" + label[-tail:]

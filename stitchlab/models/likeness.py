"""Tells which architecture the tensors of a file belong to, by their names and shapes."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import lru_cache

from stitchlab.catalog.architectures import TORCHVISION
from stitchlab.errors import StitchLabError
from stitchlab.models import zoo
from stitchlab.models.weights import COUNTERS, Tensors, used
from stitchlab.models.zoo import Architecture

LIKE = 0.5  # how much of the tensors must be the same before an architecture is named

Shapes = Mapping[str, tuple[int, ...]]


def architecture_of(tensors: Tensors, classes: int = 10, channels: int = 3, size: int = 32) -> str:
    """Name the architecture whose tensors have exactly these names; empty where none that is known by name has.

    Of several it is the one that has most of their shapes.

    Args:
        tensors: of a file, by name.
        classes, channels, size: what the architectures are built for: outputs, 1 or 3 channels, pixels a side.
    """
    return exact(tensors, _candidates(tensors, classes, channels, size))


def advice(tensors: Tensors, refused: Architecture, expected: Tensors, classes: int, channels: int, size: int) -> str:
    """Say what to do with tensors that do not fit the architecture that was chosen, which is never proposed itself.

    Args:
        tensors: of a file, by name.
        refused: the architecture that was chosen.
        expected: the tensors that it has itself.
        classes, channels, size: what it was built for: outputs, channels, pixels a side.
    """
    known = _candidates(tensors, classes, channels, size)
    found = exact(tensors, {name: shapes for name, shapes in known.items() if name != refused.name})
    wrong = _different(tensors, {name: tuple(tensor.shape) for name, tensor in expected.items()})
    if found and (_names(tensors) != _names(expected) or _different(tensors, known[found]) < wrong):
        return f"They look like {found}: choose that"
    if _names(tensors) == _names(expected):
        options = f"with other options ({', '.join(refused.options)}), or " if refused.options else ""
        return (
            f"They have the names of {refused.name}, {options}for other images (size, colour) or classes: give "
            "those, or the class that they were saved from, --arch FILE.py:CALLABLE"
        )
    near = nearest(tensors, known)
    also = f", not even {near}, which comes closest" if near not in ("", refused.name) else ""
    return (
        f"They fit no architecture that is known by name{also}: give the class that they were saved from, "
        "--arch FILE.py:CALLABLE"
    )


def exact(tensors: Tensors, shapes: Mapping[str, Shapes]) -> str:
    """Name the architecture, of some given by the shapes of their tensors, that has exactly these names; empty if none.

    Of several it is the one that has most of these shapes.
    """
    there = [name for name in shapes if _names(_used(tensors, name)) == _names(shapes[name])]
    return min(there, key=lambda name: _different(tensors, shapes[name]), default="")


def nearest(tensors: Tensors, shapes: Mapping[str, Shapes]) -> str:
    """Name the architecture, of some given by the shapes of their tensors, that these are most like; empty if none.

    A tensor counts for one where name and shape are the same, and for half where the name is; likeness is that over
    all names of both.
    """

    def likeness(theirs: Shapes) -> float:
        both = [name for name in tensors if name in theirs]
        same = sum(tuple(tensors[name].shape) == theirs[name] for name in both)
        return (same + len(both)) / 2 / max(1, len(_names(tensors) | _names(theirs)))

    best = max(shapes, key=lambda name: likeness(shapes[name]), default="")
    return best if best and likeness(shapes[best]) > LIKE else ""


def _candidates(tensors: Tensors, classes: int, channels: int, size: int) -> Mapping[str, Shapes]:
    """List the shapes of our architectures, and of torchvision's, which take seconds, if ours do not decide.

    Names alone decide, whatever the shapes, except where torchvision has a namesake: no other shares ours.
    """
    ours = _shapes(True, classes, channels, size)
    if found := exact(tensors, ours):
        told = TORCHVISION + found not in zoo.known() or not _different(tensors, ours[found])
    else:
        told = bool(nearest(tensors, ours))
    return ours if told else ours | _shapes(False, classes, channels, size)


def _different(tensors: Tensors, shapes: Shapes) -> int:
    """Count the tensors that have other shapes than an architecture gives them."""
    return sum(tuple(tensors[name].shape) != shape for name, shape in shapes.items() if name in tensors)


def _used(tensors: Tensors, name: str) -> Tensors:
    return used(tensors, zoo.architecture(name).unused) if name in zoo.known() else tensors


def _names(tensors: Mapping[str, object]) -> set[str]:
    """List the tensors' names, without those that decide nothing."""
    return {name for name in tensors if not name.endswith(COUNTERS)}


@lru_cache(maxsize=8)
def _shapes(ours: bool, classes: int, channels: int, size: int) -> dict[str, dict[str, tuple[int, ...]]]:
    """Give the shapes of tensors of our architectures, or torchvision's; for their own images if these do not fit."""
    shapes = {}
    for name in zoo.known():
        found = zoo.architecture(name)
        for side in (size, found.size) if ours else (found.size,):
            if (name in zoo.REGISTRY) == ours and name not in shapes:
                with contextlib.suppress(StitchLabError):  # where images of that size do not fit
                    module = zoo.sketch(found, classes=classes, channels=channels, size=side)
                    shapes[name] = {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
    return shapes

"""Recognises the architecture of a file of weights by the names and shapes of its tensors."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import lru_cache

from stitchlab.catalog.architectures import TORCHVISION
from stitchlab.errors import StitchLabError
from stitchlab.models import zoo
from stitchlab.models.weights import BATCH_COUNTER, Tensors, without
from stitchlab.models.zoo import Architecture

MIN_LIKENESS = 0.5  # from which on an architecture is named as the nearest

Shapes = Mapping[str, tuple[int, ...]]


def architecture_of(tensors: Tensors, classes: int = 10, channels: int = 3, size: int = 32) -> str:
    """Name the known architecture whose tensors have exactly these names; empty if there is none.

    Where several have, it is the one with the most equal shapes.

    Args:
        tensors: of a file, by name.
        classes, channels, size: what to build the architectures for: outputs, 1 or 3 channels, pixels a side.
    """
    return exact(tensors, _candidates(tensors, classes, channels, size))


def advice(tensors: Tensors, refused: Architecture, expected: Tensors, classes: int, channels: int, size: int) -> str:
    """Write advice about tensors that do not fit the chosen architecture; another one is suggested where it fits.

    Args:
        tensors: of a file, by name.
        refused: the chosen architecture.
        expected: the tensors of that architecture.
        classes, channels, size: what it was built for: outputs, channels, pixels a side.
    """
    candidates = _candidates(tensors, classes, channels, size)
    match = exact(tensors, {name: shapes for name, shapes in candidates.items() if name != refused.name})
    misshapen = _misshapen(tensors, {name: tuple(tensor.shape) for name, tensor in expected.items()})
    if match and (_names(tensors) != _names(expected) or _misshapen(tensors, candidates[match]) < misshapen):
        return f"They look like {match}: choose that"
    if _names(tensors) == _names(expected):
        options = f"with other options ({', '.join(refused.options)}), or " if refused.options else ""
        return (
            f"They have the names of {refused.name}, {options}for other images (size, colour) or classes: give "
            "those, or the class that they were saved from, --arch FILE.py:CALLABLE"
        )
    near = nearest(tensors, candidates)
    not_even = f", not even {near}, which comes closest" if near not in ("", refused.name) else ""
    return (
        f"They fit no architecture that is known by name{not_even}: give the class that they were saved from, "
        "--arch FILE.py:CALLABLE"
    )


def exact(tensors: Tensors, shapes: Mapping[str, Shapes]) -> str:
    """Name the architecture whose tensors have exactly these names; empty if there is none.

    Where several have, it is the one with the most equal shapes.

    Args:
        tensors: of a file, by name.
        shapes: of the tensors of each architecture to consider.
    """
    matching = [name for name in shapes if _names(_used(tensors, name)) == _names(shapes[name])]
    return min(matching, key=lambda name: _misshapen(tensors, shapes[name]), default="")


def nearest(tensors: Tensors, shapes: Mapping[str, Shapes]) -> str:
    """Name the architecture whose tensors are most like these; empty if all are too different.

    A tensor counts 1 where name and shape are equal, and ½ where only the name is. Likeness is the sum divided by the
    number of all names.

    Args:
        tensors: of a file, by name.
        shapes: of the tensors of each architecture to consider.
    """

    def likeness(expected: Shapes) -> float:
        same_name = [name for name in tensors if name in expected]
        same_shape = sum(tuple(tensors[name].shape) == expected[name] for name in same_name)
        return (same_shape + len(same_name)) / 2 / max(1, len(_names(tensors) | _names(expected)))

    best = max(shapes, key=lambda name: likeness(shapes[name]), default="")
    return best if best and likeness(shapes[best]) > MIN_LIKENESS else ""


def _candidates(tensors: Tensors, classes: int, channels: int, size: int) -> Mapping[str, Shapes]:
    """Return the tensor shapes of our own architectures; of torchvision's too, which take seconds, if needed.

    Equal tensor names decide, whatever the shapes, except where torchvision has an architecture of the same name: no
    other one of torchvision's has the same tensor names.
    """
    own = _shapes(True, classes, channels, size)
    if match := exact(tensors, own):
        decided = TORCHVISION + match not in zoo.known_names() or not _misshapen(tensors, own[match])
    else:
        decided = bool(nearest(tensors, own))
    return own if decided else own | _shapes(False, classes, channels, size)


def _misshapen(tensors: Tensors, shapes: Shapes) -> int:
    """Count the tensors whose shapes differ from those of an architecture."""
    return sum(tuple(tensors[name].shape) != shape for name, shape in shapes.items() if name in tensors)


def _used(tensors: Tensors, name: str) -> Tensors:
    return without(tensors, zoo.architecture(name).unused) if name in zoo.known_names() else tensors


def _names(tensors: Mapping[str, object]) -> set[str]:
    """Return the names of tensors, without those that have no effect on the outputs."""
    return {name for name in tensors if not name.endswith(BATCH_COUNTER)}


@lru_cache(maxsize=8)
def _shapes(own: bool, classes: int, channels: int, size: int) -> dict[str, dict[str, tuple[int, ...]]]:
    """Return tensor shapes of our own architectures, at their own size where this does not fit, or torchvision's."""
    shapes = {}
    for name in zoo.known_names():
        architecture = zoo.architecture(name)
        for side in (size, architecture.size) if own else (architecture.size,):
            if (name in zoo.REGISTRY) == own and name not in shapes:
                with contextlib.suppress(StitchLabError):  # images of that size do not fit
                    module = zoo.sketch(architecture, classes=classes, channels=channels, size=side)
                    shapes[name] = {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
    return shapes

"""Define the lesson's two-dimensional toy: the activations of 16 images at a layer of two features, in four situations.

The first 8 images are of class 0 and drawn as circles; the others are of class 1 and drawn as triangles. Coordinates
are multiples of 0.05 between −3 and 3, the range in which points can be moved.
"""

from __future__ import annotations

from dataclasses import dataclass

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Situation:
    """Describe one set of the front network's activations, and what the figure shows for it.

    Attributes:
        has: a sentence on what the front network knows of the images.
        see: a sentence on what the figure shows before the reader changes anything.
        front: the front network's activations, image by image.
        swapped: whether labels are exchanged, both for training task loss matching and for counting accuracy.
    """

    label: str
    has: str
    see: str
    front: Points
    swapped: bool = False


#: The rest of the end network, which is never trained here: (u₁, u₂, v) of its logit u · x + v for class 1.
TAIL = (2.0, 0.8, 0.3)

#: The end network's native activations of the same images.
NATIVE: Points = (
    (-1.05, -0.7),
    (-1.2, -1.25),
    (-1.4, -0.35),
    (-0.65, -0.6),
    (-1.3, -0.8),
    (-0.8, -0.15),
    (-1.05, 0.2),
    (-0.85, -1.0),
    (0.7, -0.25),
    (0.9, 0.75),
    (1.5, 0.3),
    (1.55, 1.15),
    (2.1, 0.5),
    (2.2, 1.55),
    (2.3, 2.3),
    (2.75, 1.4),
)

LABELS = (0,) * 8 + (1,) * 8

_TURNED: Points = (
    (0.55, -1.9),
    (0.95, -2.1),
    (0.1, -1.8),
    (0.7, -1.25),
    (0.75, -2.1),
    (0.45, -1.5),
    (0.0, -1.4),
    (1.0, -1.55),
    (1.1, 0.0),
    (-0.2, 0.25),
    (0.75, 0.9),
    (-0.1, 1.15),
    (0.4, 1.25),
    (-0.2, 2.0),
    (-1.2, 1.75),
    (-0.2, 2.2),
)

SITUATIONS: dict[str, Situation] = {
    "correspond": Situation(
        "Layers correspond",
        "The front network has the same cloud of points, rotated and sheared, with a little noise.",
        "Both maps get every image right, but only direct matching lands on the native cloud.",
        _TURNED,
    ),
    "line": Situation(
        "A direction is lost",
        "All activations of the front network lie on a line.",
        "Direct matching comes as close as a line can, so its points shrink and some images are wrong; task loss "
        "matching gets every image right, with points that lie on a line and do not look like native ones.",
        (
            (-2.4, -1.0),
            (-0.6, -0.1),
            (-2.0, -0.8),
            (-0.3, 0.05),
            (-2.2, -0.9),
            (-0.4, 0.0),
            (-0.2, 0.1),
            (-1.6, -0.6),
            (1.4, 0.9),
            (1.2, 0.8),
            (1.0, 0.7),
            (0.8, 0.6),
            (0.7, 0.55),
            (0.5, 0.45),
            (0.4, 0.4),
            (0.2, 0.3),
        ),
    ),
    "class": Situation(
        "Only the class is shared",
        "The front network knows the class of an image, and nothing else that the end network knows.",
        "The accuracy of both maps does not show this; the distance of direct matching does.",
        (
            (-1.0, 0.4),
            (-1.3, 1.55),
            (-1.05, 0.35),
            (-1.0, -0.05),
            (-0.6, 0.5),
            (-1.1, 1.7),
            (-1.15, -1.25),
            (-0.7, -0.6),
            (1.35, -0.55),
            (1.35, -0.4),
            (1.2, 0.5),
            (0.55, -0.75),
            (1.1, -0.05),
            (1.05, -0.95),
            (1.15, -0.65),
            (0.6, 0.2),
        ),
    ),
    "swapped": Situation(
        "Labels are swapped",
        "The activations are as in the first situation, but every image has the label of the other class.",
        "Direct matching lands on the native activations, and is as wrong as they are; task loss matching is trained "
        "on these labels, so it flips the cloud and gets every image right.",
        _TURNED,
        swapped=True,
    ),
}

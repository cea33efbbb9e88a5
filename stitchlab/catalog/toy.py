"""Define the lesson's two-dimensional toy: 16 images' activations at a layer of two features, and situations.

The first 8 images are of class 0, drawn as circles, the others of class 1, drawn as triangles. Coordinates are
multiples of 0.05 between −3 and 3, as far as points can be moved.
"""

from __future__ import annotations

from dataclasses import dataclass

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Situation:
    """Describe what the front network knows of the 16 images, and what there is to see.

    Attributes:
        has: one sentence for what the front network has of the images.
        see: one sentence for what the figure shows of it, before anything is changed.
        front: the front network's activations, image by image.
        swapped: whether task loss matching is trained, and accuracy counted, on labels that are exchanged.
    """

    label: str
    has: str
    see: str
    front: Points
    swapped: bool = False


#: The frozen rest of the end network: (u₁, u₂, v) of its logit u · x + v for class 1.
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
        "The front network has the same cloud, turned and sheared, with a little noise.",
        "Both maps get every image right, but only direct matching lands on the native cloud.",
        _TURNED,
    ),
    "line": Situation(
        "A direction is lost",
        "All activations of the front network lie on a line.",
        "Direct matching does what is possible, shrinks, and gets images wrong; task loss matching gets every image "
        "right with a line of points that look like no native ones.",
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
        "The front network knows an image's class and nothing else that the end network knows.",
        "Accuracy does not notice it, with either map; the distance of direct matching does.",
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
        "The same activations, but every image has the other label.",
        "Direct matching lands where the native activations are, and is as wrong as they are; task loss matching is "
        "trained on these labels, turns the cloud over, and gets every image right.",
        _TURNED,
        swapped=True,
    ),
}

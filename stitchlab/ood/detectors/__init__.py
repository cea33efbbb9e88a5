"""Find detectors, one a file. A new one is a file beside this one and an entry in `stitchlab.catalog.detectors`.

There are two kinds. A `ScoringDetector` is fitted on native activations of training images, and then scores every image
of any batch of activations. A `ComparingDetector` compares two sets as a whole. Neither ever sees stitched activations
while it is fitted.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from stitchlab.ood.inputs import Native, Score
from stitchlab.results.interval import Interval

if TYPE_CHECKING:
    from stitchlab.ood.detectors.frechet import RowMoments


class ScoringDetector(Protocol):
    """Describe the function of a detector that scores every image."""

    def __call__(self, native: Native) -> Score:
        """Fit it on native activations. Raises CannotFit where that is impossible."""
        ...


class ComparingDetector(Protocol):
    """Describe the function of a detector that compares two sets as a whole."""

    def __call__(self, native: RowMoments, other: RowMoments, *, paired: bool, bounds: bool = True) -> Interval:
        """Compare two sets by the moments of their rows.

        Args:
            native, other: moments of both sets.
            paired: whether both come from the same images.
            bounds: whether the interval is wanted.
        """
        ...


def detector_function(name: str) -> Callable[..., Any]:
    """Find the function of a detector: its name, - as _, names both the file and the function in it.

    `scoring_detector` and `comparing_detector` say which kind it is.

    >>> detector_function("pca-residual").__name__
    'pca_residual'
    """
    name = name.replace("-", "_")
    function: Callable[..., Any] = getattr(import_module(f"{__name__}.{name}"), name)
    return function


def scoring_detector(name: str) -> ScoringDetector:
    """Find the function of a detector that scores every image: from native activations to a score."""
    return detector_function(name)


def comparing_detector(name: str) -> ComparingDetector:
    """Find the function of a detector that compares two sets: from moments of both to a number with its interval."""
    return detector_function(name)

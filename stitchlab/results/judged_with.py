"""Choose the settings of detectors that a file or a figure of a run shows, where nobody chooses them."""

from __future__ import annotations

from stitchlab.request import Detection
from stitchlab.results.bundle.judged import settings
from stitchlab.results.run import Run


def judged_with(run: Run) -> Detection:
    """Return the settings with most results of detectors for a run; the default ones if there are none."""
    return next(iter(settings(run)), Detection())

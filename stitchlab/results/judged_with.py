"""With which settings a run's detectors said most: what a file or a figure of it shows, since nobody chooses there."""

from __future__ import annotations

from stitchlab.request import Detection
from stitchlab.results.bundle.judged import settings
from stitchlab.results.run import Run


def judged_with(run: Run) -> Detection:
    """Find the settings with which a run was judged most; the usual ones where it was not."""
    return next(iter(settings(run)), Detection())

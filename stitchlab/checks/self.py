"""Check a network against itself: is a layer most similar to itself? (Balogh & Jelasity 2025, the third anomaly.)"""

from __future__ import annotations

from stitchlab.checks.best_layer import answer
from stitchlab.checks.material import Material
from stitchlab.results.checks.answers import Answer


def check(material: Material, subject: str) -> Answer:
    """Count, over networks, how often the best cell of a column and of a row is on the diagonal.

    Args:
        material: of the suite, with its runs `within` networks.
        subject: the measure, such as ``tlm/accuracy``.

    Returns:
        ``columns`` and ``rows`` in 0..1, and ``symmetrised`` of a measure that is not symmetric.
    """
    return answer(material, subject, "self", material.checking.within)

"""Check correspondence: is another network's most similar layer the corresponding one? (Kornblith et al. 2019.)"""

from __future__ import annotations

from stitchlab.checks.best_layer import answer
from stitchlab.checks.material import Material
from stitchlab.results.checks.answers import Answer


def check(material: Material, subject: str) -> Answer:
    """Count, over ordered pairs of networks with the same layers, how often the best cell is on the diagonal.

    Args:
        material: of the suite, with its runs `across` networks.
        subject: the measure, such as ``cka/similarity``.

    Returns:
        ``columns`` and ``rows`` in 0..1, and ``symmetrised`` of a measure that is not symmetric.
    """
    return answer(material, subject, "correspondence", material.checking.same_layers)

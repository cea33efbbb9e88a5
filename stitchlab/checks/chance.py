"""Checks chance: is the best of a column beyond what permuted images give? (arXiv 2602.14486; Holm 1979.)"""

from __future__ import annotations

from stitchlab.checks import evidence
from stitchlab.checks.material import Material
from stitchlab.checks.statistics import share
from stitchlab.results import chance
from stitchlab.results.checks.answers import Answer
from stitchlab.results.checks.suite import Ends
from stitchlab.results.quantity import Quantity
from stitchlab.results.why_empty import why_empty


def check(material: Material, subject: str) -> Answer:
    """Give the share of columns whose best is beyond chance, by the corrected p-values of each grid.

    Args:
        material: of the suite, with the nulls of each network into the `next`.
        subject: an index.

    Returns:
        ``columns`` in 0..1, and the largest corrected p-value.
    """
    measure = Quantity.of(subject)
    parts: dict[Ends, tuple[float, float]] = {}
    tests = {}
    for ends, run in material.checking.nulls.items():
        known = chance.columns(run, measure.name)
        parts[ends] = (
            float(sum(test.decided and not test.by_chance for test in known)),
            float(sum(test.decided for test in known)),
        )
        tests[ends] = known
    few = "too few permutations for so many columns" if any(tests.values()) else _why(material, measure)
    number = share(parts, "chance", "columns", none=few)
    every = [test.adjusted for known in tests.values() for test in known if test.decided]
    return Answer(
        {"columns": number._replace(p=max(every, default=None))},
        {
            "figures": [
                evidence.points(
                    "The best of each column against permuted images",
                    measure.label,
                    "95 % bound of the best by chance",
                    "the best",
                    {
                        material.title(ends): [(test.null95, test.value, test.end_layer) for test in known]
                        for ends, known in tests.items()
                    },
                    line=True,
                )
            ],
            "runs": evidence.runs(material, evidence.each(parts), material.checking.nulls),
        },
    )


def _why(material: Material, measure: Quantity) -> str:
    """Say why no column could be tested."""
    run = next(iter(material.checking.nulls.values()), None)
    if run is None:
        return "no permutations were asked for"
    i, j = run.request.cells[0]
    there = run.value(measure.name, measure.metric, i, j) is not None
    return (
        chance.why_none(run, measure.name, i, j) if there else why_empty(run, measure.name, measure.metric, i, j)
    ) or "no column has a value with its null"

"""Check chance: is the best of a column better than with permuted images? (arXiv 2602.14486; Holm 1979.)"""

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
    """Compute the share of columns whose best is beyond chance, by the corrected p-values of each grid.

    Args:
        material: of the suite, with the nulls of each network into the `next`.
        subject: an index.

    Returns:
        ``columns`` in 0..1, and the largest corrected p-value.
    """
    measure = Quantity.of(subject)
    parts: dict[Ends, tuple[float, float]] = {}
    tests: dict[Ends, list[chance.Test]] = {}
    for ends, run in material.checking.nulls.items():
        tests[ends] = chance.columns(run, measure.name)
        parts[ends] = (
            float(sum(test.decided and not test.by_chance for test in tests[ends])),
            float(sum(test.decided for test in tests[ends])),
        )
    none = "too few permutations for so many columns" if any(tests.values()) else _why_untested(material, measure)
    number = share(parts, "chance", "columns", none=none)
    p_values = [test.adjusted for of_run in tests.values() for test in of_run if test.decided]
    return Answer(
        {"columns": number._replace(p=max(p_values, default=None))},
        {
            "figures": [
                evidence.points(
                    "The best of each column against permuted images",
                    measure.label,
                    "95 % bound of the best by chance",
                    "the best",
                    {
                        material.title(ends): [(test.null95, test.value, test.end_layer) for test in of_run]
                        for ends, of_run in tests.items()
                    },
                    line=True,
                )
            ],
            "runs": evidence.runs(material, evidence.quotients(parts), material.checking.nulls),
        },
    )


def _why_untested(material: Material, measure: Quantity) -> str:
    """Say why no column could be tested."""
    run = next(iter(material.checking.nulls.values()), None)
    if run is None:
        return "no permutations were asked for"
    i, j = run.request.cells[0]
    has_value = run.value(measure.name, measure.metric, i, j) is not None
    return (
        chance.why_none(run, measure.name, i, j) if has_value else why_empty(run, measure.name, measure.metric, i, j)
    ) or "no column has a value with its null"

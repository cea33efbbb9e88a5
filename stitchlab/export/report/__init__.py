"""Makes the report: one HTML file with a run's heatmaps, the numbers and verdicts of every cell, and its provenance.

The file needs no server, no network and no Python: it contains a small script (the .js files in this folder), SVG, and
the numbers as JSON. The numbers of cells.csv are copied digit by digit; ends of intervals are rounded to five digits,
and scores are counted in bins, so that the file is small enough to mail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from stitchlab.errors import StitchLabError
from stitchlab.export.report import about, grids, page, verdicts
from stitchlab.figures.layer_names import shorten
from stitchlab.figures.story import story
from stitchlab.results import recipe
from stitchlab.results.detection import DetectionResults
from stitchlab.results.detection_settings import fullest_settings
from stitchlab.results.run import Run
from stitchlab.results.similarity import telling_cell


def report(runs: Sequence[Run], title: str = "") -> bytes:
    """Make the report of one or more runs as one HTML file. Raises StitchLabError if ``runs`` is empty.

    Args:
        runs: in the order of the report; duplicates are dropped.
        title: of the report; empty: the title of the only run, or the number of runs.
    """
    if not runs:
        raise StitchLabError("a report: expected one or more runs, got none")
    distinct = list({run.id or run.title: run for run in runs}.values())
    title = title or (distinct[0].title if len(distinct) == 1 else f"{len(distinct)} runs")
    return page.html(
        title,
        {
            "title": title,
            **about.catalog(),
            "runs": [_run(run, label) for run, label in zip(distinct, labels(distinct), strict=True)],
        },
    )


def labels(runs: Sequence[Run]) -> list[str]:
    """Name each run by the title of its file or its own; equal names get the recipe, the seed or the id added."""
    names = [(run.source and run.source.title) or run.title for run in runs]
    for detail in (
        lambda run: f"{recipe.name(run)} recipe",
        lambda run: f"seed {run.request.seed}",
        lambda run: run.id,
    ):
        by_name, by_name_and_detail = Counter(names), Counter(zip(names, map(detail, runs), strict=True))
        names = [
            f"{name}, {detail(run)}" if by_name[name] > by_name_and_detail[name, detail(run)] else name
            for name, run in zip(names, runs, strict=True)
        ]
    return names


def _run(run: Run, label: str) -> dict[str, Any]:
    """Return all that the report says about a run, as JSON."""
    results = DetectionResults(run, fullest_settings(run))
    request, cell = run.request, telling_cell(results)
    return {
        "id": run.id or "draft",
        "title": run.title,
        "label": label,
        "sentence": sentence(run, results),
        "facts": about.facts(run),
        "front": run.record["front"]["name"],
        "end": run.record["end"]["name"],
        "cell": list(cell),
        "frontLayers": request.front_layers,
        "endLayers": request.end_layers,
        "frontNames": shorten(request.front_layers)._asdict(),
        "endNames": shorten(request.end_layers)._asdict(),
        "own": run.own_accuracy,
        "methods": request.methods,
        "indices": request.indices,
        "quantities": run.quantities(),
        "story": [chapter._asdict() for chapter in story(results)],
        "values": grids.values(results),
        "shows": grids.shows(results),
        "undefined": grids.undefined(run),
        "judged": verdicts.by_detector(results),
        "said": verdicts.sentences(results),
        "walks": verdicts.trajectories(run),
        "recipe": about.recipe(run),
        "provenance": about.provenance(run, results),
    }


def sentence(run: Run, results: DetectionResults) -> str:
    """Summarise a run in one sentence, for a card."""
    if chapters := story(results):
        return chapters[-1].text.split(". ")[0].replace("**", "").rstrip(".") + "."
    return f"{len(run.cells)} of {run.total} results are computed."

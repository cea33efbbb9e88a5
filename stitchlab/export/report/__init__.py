"""Makes the report: one HTML file with a run's heatmaps, every cell's numbers and verdicts, and how all was computed.

It needs no server, no network and no Python: a small script of its own (the .js files beside this one), SVG, and the
numbers as JSON. Those of cells.csv stand in it as they are, digit by digit; ends of intervals are rounded to five
digits and scores are counted in bins, so that it can be mailed.
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
from stitchlab.results.detection_settings import judged_with
from stitchlab.results.run import Run
from stitchlab.results.similarity import telling_cell


def report(runs: Sequence[Run], title: str = "") -> bytes:
    """Make the report of a run or of several as one HTML file. Raises StitchLabError where no run came.

    Args:
        runs: in the order of the report; one that comes twice stands in it once.
        title: of the whole; empty: the first run's, or how many there are.
    """
    if not runs:
        raise StitchLabError("a report: expected one or more runs, got none")
    told = list({run.id or run.title: run for run in runs}.values())
    title = title or (told[0].title if len(told) == 1 else f"{len(told)} runs")
    return page.html(
        title,
        {
            "title": title,
            **about.catalog(),
            "runs": [_run(run, label) for run, label in zip(told, labels(told), strict=True)],
        },
    )


def labels(runs: Sequence[Run]) -> list[str]:
    """Name each run by its file's title or its own, and by what tells it apart where two would have the same name."""
    made = [(run.source and run.source.title) or run.title for run in runs]
    for more in (lambda run: f"{recipe.name(run)} recipe", lambda run: f"seed {run.request.seed}", lambda run: run.id):
        told, said = Counter(made), Counter(zip(made, map(more, runs), strict=True))
        made = [
            f"{name}, {more(run)}" if told[name] > said[name, more(run)] else name
            for name, run in zip(made, runs, strict=True)
        ]
    return made


def _run(run: Run, label: str) -> dict[str, Any]:
    """Describe all that the report says about a run, as JSON."""
    found = DetectionResults(run, judged_with(run))
    request, cell = run.request, telling_cell(found)
    return {
        "id": run.id or "draft",
        "title": run.title,
        "label": label,
        "sentence": sentence(run, found),
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
        "story": [chapter._asdict() for chapter in story(found)],
        "values": grids.values(found),
        "shows": grids.shows(found),
        "undefined": grids.undefined(run),
        "judged": verdicts.judged(found),
        "said": verdicts.said(found),
        "walks": verdicts.walks(run),
        "recipe": about.recipe(run),
        "provenance": about.provenance(run, found),
    }


def sentence(run: Run, found: DetectionResults) -> str:
    """Say what a run shows in one sentence from its numbers, for a card."""
    if chapters := story(found):
        return chapters[-1].text.split(". ")[0].replace("**", "").rstrip(".") + "."
    return f"{len(run.cells)} of {run.total} results are computed."

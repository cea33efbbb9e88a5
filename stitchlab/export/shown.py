"""What stands in an exported figure: from the names in its options to panels, which know nothing of how they look."""

from __future__ import annotations

from collections.abc import Iterator

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.methods import METHOD_LABELS, METRICS
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.export.options import Options
from stitchlab.figures import grids
from stitchlab.figures.heatmap import Grid
from stitchlab.results.detection import Distribution
from stitchlab.results.run import Run

Panel = Grid
DIFFERENCE = "difference"


def panels(run: Run, options: Options) -> list[Panel]:
    """Give all panels of a figure, in order. Raises UnknownName for what this run has not, naming what it has."""
    found = Distribution(run)
    known = list(names(run))
    if options.cell is not None and options.cell not in run.request.cells:
        raise UnknownName("cell of this run", ":".join(options.cell), (f"{i}:{j}" for i, j in run.request.cells))
    made: list[Panel] = []
    for item in options.show:
        if item not in known:
            raise UnknownName("figure of this run", item, known, f"It has {', '.join(_in_short(run))}")
        made += _grids(run, found, item)
    if not made:
        raise StitchLabError(f"run {run.id} has nothing of {', '.join(options.show)} to draw")
    return made


def names(run: Run) -> Iterator[str]:
    """Name all that a figure of this run may show."""
    methods = run.request.methods
    for metric in METRICS if methods else ():
        yield from (metric, *(f"{method}/{metric}" for method in methods))
        if set(methods) == set(METHOD_LABELS):
            yield f"{DIFFERENCE}/{metric}"
    if run.request.indices:
        yield from (grids.SHOWN_INDICES, *run.request.indices)
    for detector in _judged(run):
        for metric in DETECTORS[detector].metrics:
            yield from (f"{detector}/{metric}", *(f"{method}/{detector}/{metric}" for method in methods))


def _in_short(run: Run) -> list[str]:
    """What `names` lists, without each method's own."""
    return [name for name in names(run) if not name.startswith(tuple(f"{method}/" for method in METHOD_LABELS))]


def _judged(run: Run) -> list[str]:
    """Detectors that have said something of a cell of this run."""
    found = Distribution(run)
    return [name for name in DETECTORS if any(found.entry(name, *cell) is not None for cell in found.cells)]


def _grids(run: Run, found: Distribution, item: str) -> list[Grid]:
    """Give the heatmaps of one name that is known."""
    if item == grids.SHOWN_INDICES:
        return grids.indices(run)
    if item in run.request.indices:
        return [grids.indices(run)[run.request.indices.index(item)]]
    first, _, rest = item.partition("/")
    if first == DIFFERENCE:
        return grids.difference(run, rest)
    if first in METHOD_LABELS:
        return [_grids(run, found, rest)[run.request.methods.index(first)]]
    if first in DETECTORS:
        return grids.judged(found, first, rest)
    return grids.stitched(run, item)

"""The files that a run can become: one entry a suffix. Adding one touches nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stitchlab.errors import UnknownName
from stitchlab.export.options import Options
from stitchlab.export.tables import cells_csv, run_json
from stitchlab.results.run import Run


@dataclass(frozen=True)
class Format:
    """A kind of file: its suffix without the dot, what people call it, its media type, and how it is made of a run.

    ``drawn`` says whether it is a picture, so that options of figures have a say.
    """

    suffix: str
    label: str
    media_type: str
    make: Callable[[Run, Options], bytes]
    drawn: bool = False


def _report(run: Run, options: Options) -> bytes:
    """Give the report; what draws is imported when one is made."""
    from stitchlab.export.report import report

    return report([run], options.title or "")


FORMATS = {made.suffix: made for made in (
    Format("csv", "Cells (CSV)", "text/csv", lambda run, _: cells_csv(run).encode()),
    Format("json", "How it was computed (run.json)", "application/json", lambda run, _: run_json(run).encode()),
    Format("html", "Report (HTML)", "text/html", _report),
)}


def make(run: Run, suffix: str, options: Options | None = None) -> bytes:
    """Make the file of a run that has this suffix (without its dot). Raises UnknownName; StitchLabError."""
    if suffix not in FORMATS:
        raise UnknownName("kind of file", suffix, FORMATS)
    return FORMATS[suffix].make(run, options or Options())

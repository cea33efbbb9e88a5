"""Lists the kinds of files that a run can be exported as, one entry for each suffix.

Modules that draw are imported only when something is drawn: the command line reads this list at every start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stitchlab.errors import UnknownName
from stitchlab.export.frames import parquet
from stitchlab.export.options import ImageSuffix, Options
from stitchlab.export.tables import cells_csv, run_json
from stitchlab.results.bundle import pack
from stitchlab.results.run import Run


@dataclass(frozen=True)
class Format:
    """Describes a kind of file: its suffix without the dot, its label, its media type, and how it is made.

    ``drawn`` says whether it is a figure, or a table of the same panels: these follow the options.
    """

    suffix: str
    label: str
    media_type: str
    make: Callable[[Run, Options], bytes]
    drawn: bool = False


def _report(run: Run, options: Options) -> bytes:
    """Make the report; of the options it takes the title alone."""
    from stitchlab.export.report import report

    return report([run], options.title or "")


def _figure(suffix: ImageSuffix) -> Callable[[Run, Options], bytes]:
    """Return the function that draws a figure as a file with this suffix."""

    def make(run: Run, options: Options) -> bytes:
        from stitchlab.export.vector.page import figure_file

        return figure_file(run, suffix, options)

    return make


def _tex(run: Run, options: Options) -> bytes:
    from stitchlab.export.latex import tex

    return tex(run, options).encode()


FORMATS = {
    kind.suffix: kind
    for kind in (
        Format("svg", "Figure (SVG)", "image/svg+xml", _figure("svg"), drawn=True),
        Format("pdf", "Figure (PDF)", "application/pdf", _figure("pdf"), drawn=True),
        Format("png", "Picture (PNG)", "image/png", _figure("png"), drawn=True),
        Format("tex", "Table (LaTeX)", "application/x-tex", _tex, drawn=True),
        Format("csv", "Cells (CSV)", "text/csv", lambda run, _: cells_csv(run).encode()),
        Format("json", "How it was computed (run.json)", "application/json", lambda run, _: run_json(run).encode()),
        Format("parquet", "Cells (Parquet)", "application/vnd.apache.parquet", lambda run, _: parquet(run)),
        Format("html", "Report (HTML)", "text/html", _report),
        Format("stitch", "Everything, to be opened in StitchLab", "application/zip", lambda run, _: pack(run)),
    )
}


def make(run: Run, suffix: str, options: Options | None = None) -> bytes:
    """Make a file of a run.

    Args:
        run: the run to export.
        suffix: without its dot: a key of `FORMATS`.
        options: what a figure shows, and how; None: the defaults.

    Raises UnknownName for an unknown suffix, and if the run lacks something that is shown; StitchLabError if that is
    not computed.
    """
    return format_of(suffix).make(run, options or Options())


def format_of(suffix: str) -> Format:
    """Return the kind of file that has this suffix (without its dot). Raises UnknownName."""
    if suffix not in FORMATS:
        raise UnknownName("kind of file", suffix, FORMATS)
    return FORMATS[suffix]


def file_name(run: Run, suffix: str, options: Options | None = None) -> str:
    """Name a file of a run.

    Args:
        run: the run to export.
        suffix: without its dot: a key of `FORMATS`.
        options: what a figure shows, and how; None: the defaults.

    Raises UnknownName for an unknown suffix, and if the run lacks something that is shown.
    """
    from stitchlab.export import file_names

    return file_names.file_name(run, suffix, options, drawn=format_of(suffix).drawn)

"""Makes files of a table of checks, or of the evidence for one of its cells, one kind for each suffix."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from stitchlab.catalog.checks import CHECKS
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.export.latex import escaped
from stitchlab.export.options import IMAGE_SUFFIXES, Options
from stitchlab.figures.checks import Figure, first_rows, label, sign
from stitchlab.results import data_sets
from stitchlab.results.checks.answers import Answers
from stitchlab.results.checks.suite import wanted
from stitchlab.results.checks.table import CheckRow, rows, rule
from stitchlab.results.version import VERSION

MEDIA_TYPES = {
    "csv": "text/csv",
    "json": "application/json",
    "tex": "application/x-tex",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
    "png": "image/png",
}
TABLE_LABELS = {
    "csv": "Every statistic (CSV)",
    "json": "All results, with the evidence (JSON)",
    "tex": "Table (LaTeX)",
    "svg": "Figure (SVG)",
    "pdf": "Figure (PDF)",
    "png": "Picture (PNG)",
}
EVIDENCE_LABELS = {"svg": "Figure (SVG)", "pdf": "Figure (PDF)", "png": "Picture (PNG)", "csv": "Plotted values (CSV)"}
TEX_SIGNS = "Bold: passes; $\\times$: fails; ?: not enough data; --: not for this measure."
CheckedMeasure = tuple[str, str]  #: (check, measure): a cell of the table


def kinds(cell: CheckedMeasure | None = None) -> dict[str, str]:
    """Return the label of each kind of file, by suffix: of the table, or of the evidence for one of its cells."""
    return TABLE_LABELS if cell is None else EVIDENCE_LABELS


def make(answers: Answers, suffix: str, options: Options | None = None, cell: CheckedMeasure | None = None) -> bytes:
    """Make a file of the table, or of the evidence for one of its cells.

    Args:
        answers: the results of a suite of checks.
        suffix: of the file, without its dot: a key of `kinds`.
        options: how a figure looks; None: the defaults.
        cell: (check, measure) whose evidence is exported; None: the table.

    Raises UnknownName for any other suffix; StitchLabError if there is no evidence to export.
    """
    if suffix not in kinds(cell):
        raise UnknownName("kind of file of checks", suffix, kinds(cell))
    if suffix in IMAGE_SUFFIXES:
        from stitchlab.export.vector.checks import evidence, table

        options = options or Options()
        sheet = table(answers, options) if cell is None else evidence(figures(answers, cell), options, _data(answers))
        return sheet.file(suffix, dpi=options.dpi, title=_title(cell), description=caption(answers, cell))
    if cell is not None:
        return evidence_csv(figures(answers, cell)).encode()
    writers: dict[str, Callable[[Answers], str]] = {"csv": checks_csv, "json": checks_json, "tex": checks_tex}
    return writers[suffix](answers).encode()


def figures(answers: Answers, cell: CheckedMeasure) -> list[Figure]:
    """Return the figures of the evidence for a cell. Raises StitchLabError if there are none."""
    answer = answers.answer(*cell)
    if answer is None or not answer.evidence.get("figures"):
        raise StitchLabError(
            f"evidence of {cell[0]} for {cell[1]}: expected a check that is computed and has figures, got none; run "
            "the checks first"
        )
    evidence: list[Figure] = answer.evidence["figures"]
    return evidence


def checks_csv(answers: Answers, names: Sequence[str] = tuple(CHECKS)) -> str:
    """Write one line for each statistic: check,subject,statistic,value,low,high,p,verdict,reason; floats in full."""
    return _csv(CheckRow._fields, rows(answers, names))


def checks_json(answers: Answers) -> str:
    """Write the suite as it was requested, every statistic with its verdict, and all evidence."""
    suite = answers.suite
    return json.dumps(
        {
            "suite": suite.id,
            "wanted": wanted(answers.checking),
            "definitions": suite.definitions,
            "version": VERSION,
            "networks": _networks(answers),
            "rows": [row._asdict() for row in rows(answers)],
            "checks": answers.kept,
        },
        indent=1,
    )


def checks_tex(answers: Answers) -> str:
    """Write the table in LaTeX (booktabs), a row for each measure, a column for each check."""
    results = first_rows(answers)
    head = " & ".join(["", *(escaped(check.label) for check in CHECKS.values())])
    lines = []
    for subject in answers.suite.subjects:
        cells = [
            _tex_cell(row, sign(CHECKS[name], subject, row)[0])
            for name in CHECKS
            for row in (results.get((name, subject)),)
        ]
        lines.append(" & ".join([escaped(label(subject)), *cells]) + r" \\")
    return "\n".join(
        [
            "% needs \\usepackage{booktabs} and \\usepackage{graphicx}",
            "\\begin{table}",
            "\\centering",
            "\\small",
            "\\resizebox{\\linewidth}{!}{%",
            f"\\begin{{tabular}}{{l{'r' * len(CHECKS)}}}",
            "\\toprule",
            f"{head} \\\\",
            "\\midrule",
            *lines,
            "\\bottomrule",
            "\\end{tabular}}",
            f"\\caption{{{escaped(caption(answers))} {TEX_SIGNS}}}",
            f"\\label{{tab:checks-{answers.suite.id[:8]}}}",
            "\\end{table}",
            "",
        ]
    )


def evidence_csv(evidence: Sequence[Figure]) -> str:
    """Write the plotted values: figure,series,x,y,label,value,low,high; undefined ones are empty."""
    return _csv(
        ("figure", "series", "x", "y", "label", "value", "low", "high"),
        ((figure["title"], *line) for figure in evidence for line in _plotted(figure)),
    )


def file_name(answers: Answers, suffix: str, cell: CheckedMeasure | None = None) -> str:
    """Name a file of the table, or of the evidence for one of its cells.

    Args:
        answers: the results of a suite of checks.
        suffix: without its dot.
        cell: (check, measure) whose evidence it contains; None: the table.
    """
    content = "checks" if cell is None else "-".join(["check", cell[0], *re.findall(r"[\w-]+", cell[1])])
    return f"{content}-{answers.suite.id[:8]}.{suffix}"


def caption(answers: Answers, cell: CheckedMeasure | None = None) -> str:
    """Write a caption that stands by itself, of the table or of the evidence for one of its cells."""
    suite = answers.suite
    subject = f"{answers.checking.title} on {suite.eval_images:,} test images of {_data(answers)} (seed {suite.seed})"
    if cell is not None:
        check = CHECKS[cell[0]]
        return f"{check.label}, {label(cell[1])}: {check.question} ({check.reference}). {subject}. StitchLab {VERSION}."
    rules = "; ".join(
        f"{check.label} ({check.statistics[0].label}) {rule(check.statistics[0])}"
        for check in CHECKS.values()
        if check.name in answers.kept
    )
    tlm = f" Task loss matching by the recipe {answers.checking.recipe}." if "tlm" in suite.methods else ""
    return (
        f"Checks of similarity measures: {subject}.{tlm} To pass: {rules}. p-values of tests are corrected for the "
        f"number of measures (Holm 1979). StitchLab {VERSION}."
    )


def _networks(answers: Answers) -> list[dict[str, Any]]:
    """Return the networks' records; only their ids and names if the table was opened from a file."""
    if answers.store.source is None:
        return [network.record() for network in answers.checking.networks]
    return [
        {"id": network_id, "name": name}
        for network_id, name in zip(answers.suite.networks, answers.checking.names, strict=True)
    ]


def _data(answers: Answers) -> str:
    data = data_sets.of_fingerprint(answers.store, answers.suite.data)
    return data.label if data else "a data set"


def _title(cell: CheckedMeasure | None) -> str:
    return "Checks of similarity measures" if cell is None else f"{CHECKS[cell[0]].label}: {label(cell[1])}"


def _tex_cell(row: CheckRow | None, mark: str) -> str:
    if row is None or row.value is None:
        return {"–": "--", "…": ""}.get(mark, "?")
    value = escaped(f"{row.value:z.2f}".replace("-", "−"))
    return {"✓": f"\\textbf{{{value}}}", "✗": f"{value}\\,$\\times$"}.get(mark, f"{value}\\,?")


def _plotted(figure: Figure) -> Iterator[tuple[Any, ...]]:
    """Yield (series, x, y, label, value, low, high) of all that a figure plots."""
    kind = figure["kind"]
    if kind == "matrix":
        for front_layer, values in zip(figure["front_layers"], figure["values"], strict=True):
            for end_layer, value in zip(figure["end_layers"], values, strict=True):
                yield "", front_layer, end_layer, "", value, None, None
    elif kind == "lines":
        for line in figure["lines"]:
            for x, y in zip(line["x"], line["y"], strict=True):
                yield line["name"], x, y, "", y, None, None
    elif kind == "points":
        for group in figure["groups"]:
            for x, y, name in group["points"]:
                yield group["name"], x, y, name, None, None, None
    else:
        for row in figure["rows"]:
            yield "", None, None, row["label"], row["value"], row["low"], row["high"]


def _csv(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(
        ["" if value is None else repr(value) if isinstance(value, float) else value for value in line]
        for line in lines
    )
    return out.getvalue()

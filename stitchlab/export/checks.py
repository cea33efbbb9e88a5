"""Makes files of a table of checks, or of the evidence for one cell of it, one entry a suffix."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from stitchlab.catalog.checks import CHECKS
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.export.latex import escaped
from stitchlab.export.options import Options
from stitchlab.figures.checks import first_rows, label, sign
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
LABELS = {
    "csv": "Every statistic (CSV)",
    "json": "All that is known, with the evidence (JSON)",
    "tex": "Table (LaTeX)",
    "svg": "Figure (SVG)",
    "pdf": "Figure (PDF)",
    "png": "Picture (PNG)",
}
OF_EVIDENCE = {"svg": "Figure (SVG)", "pdf": "Figure (PDF)", "png": "Picture (PNG)", "csv": "What is drawn (CSV)"}
DRAWN = ("svg", "pdf", "png")
TEX_SIGNS = "Bold: passes; $\\times$: fails; ?: not enough data; --: not for this measure."
Judgement = tuple[str, str]  #: (check, measure), whose evidence is one figure


def kinds(cell: Judgement | None = None) -> dict[str, str]:
    """Name the kinds of files, by suffix: of the table, or of the evidence for a cell of it."""
    return LABELS if cell is None else OF_EVIDENCE


def make(answers: Answers, suffix: str, options: Options | None = None, cell: Judgement | None = None) -> bytes:
    """Make a file of the table, or of the evidence for one cell of it.

    Args:
        answers: what the checks of a suite found.
        suffix: of the file, without its dot: a key of `kinds`.
        options: how a figure looks; None: the usual.
        cell: (check, measure) whose evidence is wanted; None: the table.

    Raises UnknownName for another suffix; StitchLabError where there is no evidence to draw.
    """
    if suffix not in kinds(cell):
        raise UnknownName("kind of file of checks", suffix, kinds(cell))
    if suffix in DRAWN:
        from stitchlab.export.vector.checks import evidence, table

        options = options or Options()
        sheet = table(answers, options) if cell is None else evidence(figures(answers, cell), options, _data(answers))
        return sheet.file(suffix, dpi=options.dpi, title=_title(cell), description=caption(answers, cell))
    if cell is not None:
        return evidence_csv(figures(answers, cell)).encode()
    return {"csv": checks_csv, "json": checks_json, "tex": checks_tex}[suffix](answers).encode()


def figures(answers: Answers, cell: Judgement) -> list[dict[str, Any]]:
    """Return the figures of the evidence for a (check, measure). Raises StitchLabError where there are none."""
    answer = answers.answer(*cell)
    if answer is None or not answer.evidence.get("figures"):
        raise StitchLabError(
            f"evidence of {cell[0]} for {cell[1]}: expected a check that is computed and has figures, got none; run "
            "the checks first"
        )
    found: list[dict[str, Any]] = answer.evidence["figures"]
    return found


def checks_csv(answers: Answers, names: Sequence[str] = tuple(CHECKS)) -> str:
    """Write a line for each statistic: check,subject,statistic,value,low,high,p,verdict,reason; floats in full."""
    return _csv(CheckRow._fields, rows(answers, names))


def checks_json(answers: Answers) -> str:
    """Write the suite that was asked for, every statistic with its verdict, and all evidence."""
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
    """Write the table in LaTeX, for the package booktabs: measures by checks; what passes is bold, what fails has ×."""
    found = first_rows(answers)
    head = " & ".join(["", *(escaped(check.label) for check in CHECKS.values())])
    lines = []
    for subject in answers.suite.subjects:
        cells = [
            _tex_cell(found.get((name, subject)), sign(CHECKS[name], subject, found.get((name, subject)))[0])
            for name in CHECKS
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


def evidence_csv(drawn: Sequence[dict[str, Any]]) -> str:
    """Write all that figures of evidence draw: figure,series,x,y,label,value,low,high; undefined is empty."""
    return _csv(
        ("figure", "series", "x", "y", "label", "value", "low", "high"),
        ((figure["title"], *line) for figure in drawn for line in _drawn(figure)),
    )


def file_name(answers: Answers, suffix: str, cell: Judgement | None = None) -> str:
    """Name a file of the table, or of the evidence for one cell of it.

    Args:
        answers: what the checks of a suite found.
        suffix: without its dot.
        cell: (check, measure) whose evidence it is; None: the table.
    """
    of = "checks" if cell is None else "-".join(["check", cell[0], *re.findall(r"[\w-]+", cell[1])])
    return f"{of}-{answers.suite.id[:8]}.{suffix}"


def caption(answers: Answers, cell: Judgement | None = None) -> str:
    """Say what the table, or the evidence for a cell of it, shows, so that it can be read by itself."""
    suite = answers.suite
    on = f"{answers.checking.title} on {suite.eval_images:,} test images of {_data(answers)} (seed {suite.seed})"
    if cell is not None:
        check = CHECKS[cell[0]]
        return f"{check.label}, {label(cell[1])}: {check.question} ({check.reference}). {on}. StitchLab {VERSION}."
    ruled = "; ".join(
        f"{check.label} ({check.statistics[0].label}) {rule(check.statistics[0])}"
        for check in CHECKS.values()
        if check.name in answers.kept
    )
    tlm = f" Task loss matching by the recipe {answers.checking.recipe}." if "tlm" in suite.methods else ""
    return (
        f"Checks of similarity measures: {on}.{tlm} To pass: {ruled}. p-values of tests are corrected for the "
        f"number of measures (Holm 1979). StitchLab {VERSION}."
    )


def _networks(answers: Answers) -> list[dict[str, Any]]:
    """Return the networks' records, or only ids and names for a table that was opened from a file."""
    if answers.store.source is None:
        return [network.record() for network in answers.checking.networks]
    return [
        {"id": network, "name": name}
        for network, name in zip(answers.suite.networks, answers.checking.names, strict=True)
    ]


def _data(answers: Answers) -> str:
    data = data_sets.of_fingerprint(answers.store, answers.suite.data)
    return data.label if data else "a data set"


def _title(cell: Judgement | None) -> str:
    return "Checks of similarity measures" if cell is None else f"{CHECKS[cell[0]].label}: {label(cell[1])}"


def _tex_cell(row: CheckRow | None, mark: str) -> str:
    if row is None or row.value is None:
        return {"–": "--", "…": ""}.get(mark, "?")
    value = escaped(f"{row.value:z.2f}".replace("-", "−"))
    return {"✓": f"\\textbf{{{value}}}", "✗": f"{value}\\,$\\times$"}.get(mark, f"{value}\\,?")


def _drawn(figure: dict[str, Any]) -> Iterable[tuple[Any, ...]]:
    kind = figure["kind"]
    if kind == "matrix":
        for layer, values in zip(figure["front_layers"], figure["values"], strict=True):
            for end, value in zip(figure["end_layers"], values, strict=True):
                yield "", layer, end, "", value, None, None
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

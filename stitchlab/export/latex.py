"""Writes a run's heatmaps as LaTeX tables (booktabs): rows are front layers, columns are end layers."""

from __future__ import annotations

import re

import numpy as np

from stitchlab.errors import StitchLabError
from stitchlab.export.captions import caption, letter
from stitchlab.export.options import Options
from stitchlab.export.shown import panels, shown_names
from stitchlab.figures.grid import Grid, best_of_columns, number
from stitchlab.results.run import Run

#: How to write characters that are LaTeX commands, or that pdfLaTeX's usual fonts lack.
ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "→": r"$\rightarrow$",
    "−": "$-$",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "…": r"\dots{}",
    "≤": r"$\leq$",
    "‖": r"$\Vert$",
    "★": r"$\star$",
    "†": r"\dag{}",
    "²": "$^2$",
    "½": "$^{1/2}$",
    "·": r"$\cdot$",
    "₁": "$_1$",
    "₂": "$_2$",
    "“": "``",
    "”": "''",
    "’": "'",
    "–": "--",
    "—": "---",
    "°": r"$^\circ$",
    "σ": r"$\sigma$",
    "μ": r"$\mu$",
    "κ": r"$\kappa$",
}
UNPRINTABLE = "?"  # stands for any other letter that pdfLaTeX's usual fonts lack
MISSING_VALUE = "--"
MAX_UNSCALED_COLUMNS = 8


def escaped(text: str) -> str:
    """Escape a text so that LaTeX prints it as it is.

    >>> escaped("layer_1 & 50% → {x}"), escaped("né\\n網")
    ('layer\\\\_1 \\\\& 50\\\\% $\\\\rightarrow$ \\\\{x\\\\}', 'né ?')
    """
    return "".join(
        ESCAPES.get(char) or (char if char.isascii() or _latin(char) else UNPRINTABLE)
        for char in " ".join(text.split())
        if char.isprintable()
    )


def _latin(char: str) -> bool:
    return "À" <= char <= "ÿ"


def tex(run: Run, options: Options) -> str:
    """Write the heatmaps that the options name as a LaTeX table: a tabular for each, and a caption.

    The most similar cells of a column are bold. Raises StitchLabError for panels of curves; UnknownName.
    """
    shown = panels(run, options)
    grids = [panel.content for panel in shown]
    tabulars = [
        _tabular(f"{letter(options, k)}{grid.title}", grid) for k, grid in enumerate(grids) if isinstance(grid, Grid)
    ]
    if len(tabulars) < len(grids):
        raise StitchLabError("a table: expected heatmaps, got curves of one cell; export them as .svg, .pdf or .png")
    label = re.sub(r"[^a-z0-9:-]+", "-", f"tab:{'-'.join(shown_names(run, options))}-{run.id[:8]}".lower())
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}, and \\usepackage{graphicx} where it is wide",
            "\\begin{table}",
            "\\centering",
            "\\small",
            "\n\\par\\medskip\n".join(tabulars),
            f"\\caption{{{escaped(caption(run, options, table=True))}}}",
            f"\\label{{{label}}}",
            "\\end{table}",
            "",
        ]
    )


def _tabular(title: str, grid: Grid) -> str:
    """Write a heatmap as numbers; a wide table is scaled down to the width of the text."""
    best = set(best_of_columns(grid.values, grid.better)) if grid.better else set()
    columns = len(grid.end_layers)
    head = " & ".join(["", *(_layer(name) + (r"\,\dag" if name in grid.doubtful else "") for name in grid.end_layers)])
    rows = [_row(grid, i, best) for i in range(len(grid.front_layers))]
    wide = columns > MAX_UNSCALED_COLUMNS
    return "\n".join(
        [
            f"\\textbf{{{escaped(title)}}}\\\\[2pt]",
            *(["\\resizebox{\\linewidth}{!}{%"] if wide else []),
            f"\\begin{{tabular}}{{l{'r' * columns}}}",
            "\\toprule",
            f"{head} \\\\",
            "\\midrule",
            *rows,
            "\\bottomrule",
            "\\end{tabular}" + ("}" if wide else ""),
        ]
    )


def _row(grid: Grid, i: int, best: set[tuple[int, int]]) -> str:
    cells = [
        MISSING_VALUE if np.isnan(value) else _number(value, (i, j) in best) for j, value in enumerate(grid.values[i])
    ]
    return " & ".join([_layer(grid.front_layers[i]), *cells]) + r" \\"


def _number(value: float, bold: bool) -> str:
    text = escaped(number(value))
    return f"\\textbf{{{text}}}" if bold else text


def _layer(name: str) -> str:
    return f"\\texttt{{{escaped(name)}}}"

"""Writes a run's tables in LaTeX, for the package booktabs: rows are front layers, columns end layers."""

from __future__ import annotations

import re

import numpy as np

from stitchlab.errors import StitchLabError
from stitchlab.export.captions import caption, letter
from stitchlab.export.options import Options
from stitchlab.export.shown import panels
from stitchlab.export.shown import shown as names
from stitchlab.figures.grid import Grid, best_of_columns, number
from stitchlab.results.run import Run

#: What LaTeX takes for commands, and letters that pdfLaTeX's usual fonts lack.
ESCAPED = {
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
OTHER = "?"  # stands for any letter that pdfLaTeX's usual fonts lack
MISSING = "--"


def escaped(text: str) -> str:
    """Write a text so that LaTeX prints it as it is.

    >>> escaped("layer_1 & 50% → {x}"), escaped("né\\n網")
    ('layer\\\\_1 \\\\& 50\\\\% $\\\\rightarrow$ \\\\{x\\\\}', 'né ?')
    """
    return "".join(
        ESCAPED.get(char) or (char if char.isascii() or _latin(char) else OTHER)
        for char in " ".join(text.split())
        if char.isprintable()
    )


def _latin(char: str) -> bool:
    return "À" <= char <= "ÿ"


def tex(run: Run, options: Options) -> str:
    """Write what the options show as LaTeX: a table with a tabular for each heatmap, and its caption.

    The most similar cells of a column are bold. Raises StitchLabError for what is no heatmap; UnknownName.
    """
    shown = panels(run, options)
    grids = [panel.draws for panel in shown]
    tabulars = [
        _tabular(f"{letter(options, k)}{grid.title}", grid) for k, grid in enumerate(grids) if isinstance(grid, Grid)
    ]
    if len(tabulars) < len(grids):
        raise StitchLabError("a table: expected heatmaps, got curves of one cell; export them as .svg, .pdf or .png")
    said = caption(run, options, table=True)
    label = re.sub(r"[^a-z0-9:-]+", "-", f"tab:{'-'.join(names(run, options))}-{run.id[:8]}".lower())
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}, and \\usepackage{graphicx} where it is wide",
            "\\begin{table}",
            "\\centering",
            "\\small",
            "\n\\par\\medskip\n".join(tabulars),
            f"\\caption{{{escaped(said)}}}",
            f"\\label{{{label}}}",
            "\\end{table}",
            "",
        ]
    )


def _tabular(title: str, grid: Grid) -> str:
    """Write a heatmap as numbers, as narrow as the text where it would be wider."""
    best = set(best_of_columns(grid.values, grid.better)) if grid.better else set()
    columns = len(grid.end_layers)
    head = " & ".join(["", *(_layer(name) + (r"\,\dag" if name in grid.doubtful else "") for name in grid.end_layers)])
    rows = [_row(grid, i, best) for i in range(len(grid.front_layers))]
    wide = columns > 8
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
    cells = [MISSING if np.isnan(value) else _number(value, (i, j) in best) for j, value in enumerate(grid.values[i])]
    return " & ".join([_layer(grid.front_layers[i]), *cells]) + r" \\"


def _number(value: float, bold: bool) -> str:
    text = escaped(number(value))
    return f"\\textbf{{{text}}}" if bold else text


def _layer(name: str) -> str:
    return f"\\texttt{{{escaped(name)}}}"

"""Colours are named once, by what they are for; what stands elsewhere has a reason, and lines differ in grey too."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from stitchlab.export.vector.curves import DASHES, SYMBOLS
from stitchlab.figures import template
from stitchlab.figures.checks import describe
from stitchlab.figures.checks_evidence import draw
from stitchlab.figures.colours import contrast, mixed, rgb
from stitchlab.figures.curves import Curves, scores
from unit.test_figures_checks import INTERVALS, LINES, POINTS

HOUSE = Path(__file__).resolve().parents[2]
LITERAL = re.compile(r"#[0-9a-fA-F]{3}(?:[0-9a-fA-F]{3}(?:[0-9a-fA-F]{2})?)?\b|(?:rgb|hsl)a?\(\s*\d")
#: Where colours may stand, and why there.
NAMED = {
    "figures/template.py": "they are named here",
    "figures/colours.py": "black and white, and what is computed with them",
    "export/report/report.css": "a file that stands alone: its colours are variables at its top, held below",
    "export/report/base.js": "black and white letters, whichever reads better",
    "ui/logo.py": "a picture",
    "ui/logo.svg": "a picture",
    "ui/toy/toy.css": "the methods' colours, held below",
}


def test_colours_stand_where_they_are_named() -> None:
    files = [path for path in HOUSE.glob("stitchlab/**/*") if path.suffix in (".py", ".css", ".js", ".svg", ".html")]
    assert len(files) > 150
    found = {
        str(path.relative_to(HOUSE / "stitchlab"))
        for path in files
        if LITERAL.search(re.sub(r"this\.#\w+", "", path.read_text()))
    }
    assert found - NAMED.keys() == set()


@pytest.mark.parametrize("name", ["export/report/report.css", "ui/toy/toy.css"])
def test_stylesheets_have_the_colours_of_the_figures(name: str) -> None:
    path = HOUSE / "stitchlab" / name
    if not path.exists():
        pytest.skip("not in this house")
    said = dict(reversed(re.findall(r"--(\w+): [^;]*?(#\w+)", path.read_text())))  # the first of each is light
    wanted = {
        **template.COLOURS,
        "missing": template.MUTED[False],
        "frame": template.ACCENT[False],
        "middled": template.ACCENT[True],
        "ink": template.INK[False],
        "ground": template.GROUND[False],
    }
    assert {key: value for key, value in said.items() if key in wanted} == {
        key: value for key, value in wanted.items() if key in said
    }
    assert {"tlm", "dm"} <= said.keys()


@pytest.mark.parametrize("dark", [False, True])
def test_letters_can_be_read_on_what_they_stand_on(dark: bool) -> None:
    ink, ground = template.INK[dark], template.GROUND[dark]
    assert contrast(rgb(ink), rgb(ground)) >= 7
    assert contrast(rgb(template.FADED[dark]), rgb(ground)) >= 4.5
    for colour, share in template.VERDICTS.values():
        assert contrast(rgb(ink), rgb(mixed(colour, ground, share))) >= 4.5
    for accent in template.ACCENT.values():
        assert contrast(rgb(accent), rgb(template.HALO)) >= 3, "the frame's two parts differ in grey too"


@pytest.mark.parametrize("figure", [LINES, POINTS, INTERVALS], ids=lambda figure: figure["kind"])
def test_lines_differ_by_more_than_colour(figure: dict[str, object]) -> None:
    shown = describe(figure)
    assert isinstance(shown, Curves)
    looks = [(curve.dash, curve.marked and curve.symbol) for curve in shown.curves]
    assert len(set(looks)) == len(looks)
    drawn = [
        (trace.mode, trace.line.dash, "markers" in trace.mode and trace.marker.symbol) for trace in draw(figure).data
    ]
    assert len(set(drawn)) == len(drawn)


def test_histograms_differ_by_more_than_colour() -> None:
    sets = {name: np.arange(9.0) for name in template.DASHES}
    assert len({curve.dash for curve in scores(sets, "x", "y").curves}) == len(sets)


def test_files_know_every_mark_and_dash() -> None:
    assert {*template.MARKS, *template.SYMBOLS.values()} == SYMBOLS.keys()
    assert {*template.DASHES.values(), "dash", "dot", "solid"} <= DASHES.keys()
    assert all(np.isfinite(corners).all() and corners.shape[1] == 2 for corners in SYMBOLS.values())

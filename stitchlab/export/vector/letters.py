"""Measures texts of exported figures, and breaks or cuts them to fit. Sizes are points (1/72 inch).

The font is DejaVu Sans, which comes with Matplotlib, so that a figure is the same on every machine.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

import matplotlib
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font

LINE = 1.22  # from one line to the next, in font sizes
CAPITAL, BELOW = 0.73, 0.24  # of a letter, above its line and below it, in font sizes
ABSENT = "\u25a1"  # stands for a letter that the font does not have
_EM = 1000
_FILES = {
    bold: Path(matplotlib.get_data_path(), "fonts", "ttf", f"DejaVuSans{'-Bold' * bold}.ttf") for bold in (False, True)
}


def font(size: float, bold: bool = False) -> FontProperties:
    """Return the font of this size, for Matplotlib."""
    return FontProperties(family="sans-serif", weight="bold" if bold else "normal", size=size, fname=_FILES[bold])


@cache
def _advances(bold: bool) -> tuple[FT2Font, dict[str, float]]:
    face = FT2Font(str(_FILES[bold]))
    face.set_size(_EM, 72)
    return face, {}


def _advance(letter: str, bold: bool) -> float:
    face, known = _advances(bold)
    if letter not in known:
        known[letter] = face.load_char(ord(letter)).linearHoriAdvance / 65536 / _EM
    return known[letter]


@cache
def _printed(letter: str) -> bool:
    return letter.isprintable() and _advances(False)[0].get_char_index(ord(letter)) != 0


def printable(text: str) -> str:
    """Write a text with letters that the font has, on one line.

    >>> printable("ré\\nseau 網")
    'ré seau □'
    """
    return "".join(letter if _printed(letter) else ABSENT for letter in " ".join(text.split()))


@lru_cache(maxsize=4096)
def width(text: str, size: float, bold: bool = False) -> float:
    """Measure how wide a text is, in points.

    Args:
        text: one line.
        size: of the letters, points.
        bold: whether they are bold.

    >>> round(width("StitchLab", 10), 1) < round(width("StitchLab", 10, bold=True), 1)
    True
    """
    return size * sum(_advance(letter, bold) for letter in text)


def cut(text: str, room: float, size: float, bold: bool = False) -> str:
    """Cut a text in its middle, so that it fits.

    Args:
        text: one line.
        room: width that there is, points.
        size: of the letters, points.
        bold: whether they are bold.

    >>> cut("a-very-long-name-of-a-network", 80, 10)
    'a-very-…etwork'
    """
    if width(text, size, bold) <= room:
        return text
    keep = len(text) - 1
    while keep > 1 and width(short := _without_middle(text, keep), size, bold) > room:
        keep -= 1
    return short if keep > 1 else "…"


def _without_middle(text: str, keep: int) -> str:
    return text[: (keep + 1) // 2] + "…" + text[len(text) - keep // 2 :]


def lines(text: str, room: float, size: float, *, most: int = 1000, bold: bool = False) -> list[str]:
    """Break a text at its spaces into lines that fit; what is too long for a line, or for the last one, is cut.

    Args:
        text: line breaks in it are spaces.
        room: width that there is, points.
        size: of the letters, points.
        most: how many lines at most.
        bold: whether letters are bold.

    >>> lines("End layer of a network", 60, 10), lines("End layer of a network", 60, 10, most=2)
    (['End layer', 'of a', 'network'], ['End layer', 'of a …work'])
    """
    words, found = printable(text).split(" "), [""]
    for k, word in enumerate(words):
        longer = f"{found[-1]} {word}".lstrip()
        if not found[-1] or width(longer, size, bold) <= room:
            found[-1] = longer
        elif len(found) < most:
            found.append(word)
        else:
            found[-1] = " ".join([found[-1], *words[k:]])
            break
    return [cut(line, room, size, bold) for line in found]

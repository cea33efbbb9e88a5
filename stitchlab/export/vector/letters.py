"""Measures the texts of exported figures, and breaks or cuts them to fit. Sizes are in points (1/72 inch).

The font is DejaVu Sans, which comes with Matplotlib, so that a figure is the same on every machine.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

import matplotlib
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font

# In font sizes.
LINE = 1.22  # from one line to the next
CAPITAL = 0.73  # height of a capital letter

UNPRINTABLE = "\u25a1"  # stands for a letter that the font does not have
_EM = 1000
_FILES = {
    bold: Path(matplotlib.get_data_path(), "fonts", "ttf", f"DejaVuSans{'-Bold' * bold}.ttf") for bold in (False, True)
}


def font(size: float, bold: bool = False) -> FontProperties:
    """Return the font of this size, for Matplotlib."""
    return FontProperties(family="sans-serif", weight="bold" if bold else "normal", size=size, fname=_FILES[bold])


@cache
def _face(bold: bool) -> tuple[FT2Font, dict[str, float]]:
    """Return the font, and the widths of its letters that were measured so far."""
    face = FT2Font(str(_FILES[bold]))
    face.set_size(_EM, 72)
    return face, {}


def _advance(letter: str, bold: bool) -> float:
    face, widths = _face(bold)
    if letter not in widths:
        widths[letter] = face.load_char(ord(letter)).linearHoriAdvance / 65536 / _EM
    return widths[letter]


@cache
def _printed(letter: str) -> bool:
    return letter.isprintable() and _face(False)[0].get_char_index(ord(letter)) != 0


def printable(text: str) -> str:
    """Write a text on one line, with the letters that the font has.

    >>> printable("ré\\nseau 網")
    'ré seau □'
    """
    return "".join(letter if _printed(letter) else UNPRINTABLE for letter in " ".join(text.split()))


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
        room: the available width, points.
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


def lines(text: str, room: float, size: float, *, max_lines: int = 1000, bold: bool = False) -> list[str]:
    """Break a text at its spaces into lines that fit; a word or a last line that is too long is cut.

    Args:
        text: its line breaks count as spaces.
        room: the available width, points.
        size: of the letters, points.
        max_lines: the maximum number of lines.
        bold: whether letters are bold.

    >>> lines("End layer of a network", 60, 10), lines("End layer of a network", 60, 10, max_lines=2)
    (['End layer', 'of a', 'network'], ['End layer', 'of a …work'])
    """
    words, broken = printable(text).split(" "), [""]
    for k, word in enumerate(words):
        longer = f"{broken[-1]} {word}".lstrip()
        if not broken[-1] or width(longer, size, bold) <= room:
            broken[-1] = longer
        elif len(broken) < max_lines:
            broken.append(word)
        else:
            broken[-1] = " ".join([broken[-1], *words[k:]])
            break
    return [cut(line, room, size, bold) for line in broken]

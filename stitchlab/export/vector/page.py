"""An exported figure as a whole: title, panels, notes and caption on a page of the size that was asked for."""

from __future__ import annotations

from stitchlab.export.captions import caption, notes
from stitchlab.export.options import SIZES, SLIDE_HEIGHT, Options
from stitchlab.export.shown import panels
from stitchlab.export.vector.heatmaps import GAP_OF_ROWS, arranged, draw
from stitchlab.export.vector.letters import CAPITAL, LINE, lines
from stitchlab.export.vector.sheet import INCH, Sheet
from stitchlab.export.vector.style import Style
from stitchlab.figures.template import SEQUENTIAL
from stitchlab.results.run import Run

MARGIN = 0.6  # in font sizes
MOST_TITLE = 4  # lines
FADED = {False: "#5a6070", True: "#a9adb8"}  # notes, by dark: 6:1 on their ground


def figure(run: Run, options: Options) -> Sheet:
    """Draw a figure of a run. Raises UnknownName for what the run has not."""
    shown = panels(run, options)
    size = options.points
    style = Style(size=size, dark=options.dark, values=options.values, selected=options.cell,
                  sequential=SEQUENTIAL if options.colours == "viridis" else "Cividis")
    wide, margin = SIZES[options.size] * INCH, MARGIN * size
    high = SLIDE_HEIGHT * INCH if options.size == "slide" else None
    title = run.title if options.title is None else options.title
    above = lines(title, wide - 2 * margin, 1.15 * size, most=MOST_TITLE, bold=True) if title.strip() else []
    said = caption(run, options) if options.caption else notes(run, options, shown)
    said_size = size if options.caption else style.small
    below = lines(said, wide - 2 * margin, said_size) if said else []
    head = margin + len(above) * LINE * 1.15 * size + (0.7 * size if above else 0)
    foot = (0.6 * size if below else 0) + len(below) * LINE * said_size + margin
    letters = [f"({chr(ord('a') + k)}) " if options.letters else "" for k in range(len(shown))]
    rows = arranged(shown, letters, style, run.record["data"]["label"], wide - 2 * margin, high and high - head - foot)
    number = style.number(shown, rows[0].cell)
    content = sum(row.height for row in rows) + GAP_OF_ROWS * size * (len(rows) - 1)
    sheet = Sheet(wide, high or head + content + foot, options.dark)
    for k, words in enumerate(above):
        sheet.text(margin, margin + (k * LINE + CAPITAL) * 1.15 * size, words, 1.15 * size, bold=True)
    left = (wide - max(row.width for row in rows)) / 2
    y = head + ((high - head - foot - content) / 2 if high else 0)
    for k, row in enumerate(rows):
        draw(sheet, row, left, y, number, f"row-{k}")
        y += row.height + GAP_OF_ROWS * size
    for k, words in enumerate(below):
        sheet.text(margin, sheet.height - foot + 0.6 * size + (k * LINE + CAPITAL) * said_size, words, said_size,
                   colour=None if options.caption else FADED[options.dark])
    return sheet


def drawn(run: Run, suffix: str, options: Options) -> bytes:
    """Make a figure of a run as a file: ``svg``, ``pdf`` or ``png``. Raises UnknownName."""
    return figure(run, options).file(suffix, dpi=options.dpi, title=options.title or run.title,
                                     description=caption(run, options))

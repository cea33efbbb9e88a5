"""Provides the logo: layers of two half networks, joined by a cross-stitch. Its only source is logo.svg."""

from __future__ import annotations

from pathlib import Path

#: As text, which Streamlit puts into the page itself; an icon by name would be fetched from a host of Google's. Its
#: colours have a contrast of 3:1 to white and to black, so that it can be seen in light and in dark browser tabs.
MARK = Path(__file__).with_name("logo.svg").read_text(encoding="utf-8")

_LETTERS = {False: "#161514", True: "#edebe8"}  # colours of the letters, by whether the background is dark


def wordmark(*, dark: bool) -> str:
    """Return the logo with the name beside it, as SVG, for a light or a dark background."""
    mark = MARK.replace("<svg ", '<svg width="32" height="32" ', 1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 132 32">{mark}<text x="41" y="23" '
        f'textLength="90" lengthAdjust="spacingAndGlyphs" font-family="system-ui, sans-serif" font-size="20" '
        f'font-weight="600" fill="{_LETTERS[dark]}">StitchLab</text></svg>'
    )

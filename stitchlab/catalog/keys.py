"""List the keyboard shortcuts of the pages, for the help card and for buttons."""

from __future__ import annotations

from typing import NamedTuple

# With a modifier, so that they work within a text field too.
COMPUTE = "Ctrl+Enter"
CANCEL = "Alt+X"
ARROWS = ("←", "→", "↑", "↓")


class Key(NamedTuple):
    """Describe keys that do the same.

    Attributes:
        does: what they do, in a sentence.
        where: the pages on which they do it.
    """

    keys: tuple[str, ...]
    does: str
    where: str


KEYS = (
    Key(
        ARROWS,
        "Select the neighbouring cell of the grid. The browser's Back button returns to a cell on which you paused.",
        "Compare, Activations",
    ),
    Key(ARROWS, "Go to the neighbouring cell of the table; Enter shows its evidence.", "The table of Checks"),
    Key((COMPUTE,), "Compute: start the computation that the page offers.", "Pages with a Compute button"),
    Key((CANCEL,), "Cancel: stop the computation of this page.", "Pages with a Cancel button"),
    Key(("P",), "Present the figures of the page, large and without the rest, as for a lecture.", "Everywhere"),
    Key(("Esc",), "Leave the presenter view; close this card.", "Everywhere"),
    Key(("?",), "Show this card.", "Everywhere"),
    Key(("Tab", "Shift+Tab"), "Go to the next or the previous control.", "Everywhere"),
    Key(("Space", "Page Down", "Page Up"), "Scroll the page.", "Everywhere"),
    Key(("R",), "Draw the page again.", "Everywhere"),
)

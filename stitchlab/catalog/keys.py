"""List the keyboard shortcuts of the pages, for the help card and for buttons."""

from __future__ import annotations

from typing import NamedTuple

COMPUTE, CANCEL = "Ctrl+Enter", "Alt+X"  # with a modifier, so that they can be pressed in a text field too
ARROWS = ("←", "→", "↑", "↓")


class Key(NamedTuple):
    """Describe keys that do the same: what they do, and where."""

    keys: tuple[str, ...]
    does: str
    where: str


KEYS = (
    Key(
        ARROWS,
        "Select the neighbouring cell of the grid. A pause keeps it: Back returns to it.",
        "Compare, Activations",
    ),
    Key(ARROWS, "Go to the neighbouring cell of the table; Enter shows its evidence.", "The table of Checks"),
    Key((COMPUTE,), "Compute: start what the page offers to compute.", "Pages with a Compute button"),
    Key((CANCEL,), "Cancel: stop what the page is computing.", "Pages with a Cancel button"),
    Key(("P",), "Present the page's figures alone and large, for a lecture.", "Everywhere"),
    Key(("Esc",), "Leave the presenter view; close this card.", "Everywhere"),
    Key(("?",), "Show this card.", "Everywhere"),
    Key(("Tab", "Shift+Tab"), "Go to the next or the previous control.", "Everywhere"),
    Key(("Space", "Page Down", "Page Up"), "Scroll the page.", "Everywhere"),
    Key(("R",), "Draw the page again.", "Everywhere"),
)

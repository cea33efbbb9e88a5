"""Draws step 3: two ways to find the map, on a plane."""

from __future__ import annotations

from stitchlab.catalog.lesson import BOTH
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.ui import toy
from stitchlab.ui.learn.lesson import Lesson, Reply, choose


def draw(_: Lesson) -> None:
    """Draw the figure of both ways; it takes no run."""
    toy.draw()


def ask(lesson: Lesson) -> None:
    """Ask the question of step 3."""
    choose(lesson, {**METHOD_LABELS, BOTH: "Both"}, "tlm", _reply, beside=False)


def _reply(said: str) -> Reply:
    if said == "tlm":
        return Reply(True, "Nothing in its loss asks for the native cloud: any place will do where the class is right.")
    return Reply(False, "Direct matching minimises the distance to the targets. Read the column of the other one.")

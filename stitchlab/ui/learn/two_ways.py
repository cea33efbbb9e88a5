"""Draws step 3: two ways to find the map, in two dimensions."""

from __future__ import annotations

from stitchlab.catalog.lesson import BOTH
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.ui import toy
from stitchlab.ui.learn.lesson import Lesson, Reply, choose


def draw(_: Lesson) -> None:
    """Draw the interactive figure of both ways; it needs no run."""
    toy.draw()


def ask(lesson: Lesson) -> None:
    """Ask the question of step 3."""
    choose(lesson, {**METHOD_LABELS, BOTH: "Both"}, "tlm", _reply, beside=False)


def _reply(answer: str) -> Reply:
    if answer == "tlm":
        return Reply(True, "Nothing in its loss asks for the native cloud: any place where the class is right will do.")
    return Reply(
        False, "Direct matching minimises the distance to the targets. Look at the column of the other method."
    )

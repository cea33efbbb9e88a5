"""docs/architecture.md agrees with the code: the rooms, who may import whom, every name."""

from __future__ import annotations

import importlib
import re

import pytest

from unit.test_imports import HOUSE, MAY, ORDER, RANK, WING

PAGE = (HOUSE / "docs" / "architecture.md").read_text()
ROOMS = [(wing, room) for wing, rooms in ORDER for room in rooms]

QUOTED = sorted(set(re.findall(r"`([^`\n]+)`", PAGE)))
PATHS = sorted(
    {path for text in QUOTED for path in re.findall(r"[\w./-]+(?:\.(?:py|md)\b|/)", text) if "NAME" not in path}
)
NAMES = sorted({name for text in QUOTED for name in re.findall(r"\bstitchlab(?:\.\w+)+", text)})


def found(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for k in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:k]))
        except ModuleNotFoundError:
            continue
        for part in parts[k:]:
            if not hasattr(value, part):
                return False
            value = getattr(value, part)
        return True
    return False


def table(head: str) -> list[list[str]]:
    """The cells of the table of the page that has this head."""
    lines = PAGE.partition(f"| {head} |\n")[2].splitlines()[1:]
    rows = lines[: next((k for k, line in enumerate(lines) if not line.startswith("|")), len(lines))]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_the_page_has_every_room_under_its_wing_in_the_order_of_imports() -> None:
    assert [(wing, room.strip("`")) for wing, room, _ in table("wing | room | what it holds")] == ROOMS


def test_every_room_is_told_in_one_sentence() -> None:
    for _, room, text in table("wing | room | what it holds"):
        assert text.endswith("."), room
        assert len(re.findall(r"\.(?: |$)", text)) == 1, room


def test_the_page_says_which_wing_may_import_which() -> None:
    assert {wing: set(theirs.split(", ")) for wing, theirs, _ in table("wing | may import | because")} == MAY


def test_the_picture_of_the_page_has_every_room_of_the_wings() -> None:
    picture = set(re.findall(r"\w+", PAGE.split("```")[1]))
    assert picture >= {room for room in RANK if WING[room] != "top"}


def test_the_page_names_much() -> None:
    assert len(PATHS) > 20
    assert len(NAMES) > 40
    assert not found("stitchlab.stitch.direct.no_such_function")
    assert not found("stitchlab.no_such_room")


@pytest.mark.parametrize("path", PATHS)
def test_every_path_that_the_page_names_is_there(path: str) -> None:
    assert (HOUSE / path).exists()


@pytest.mark.parametrize("name", NAMES)
def test_every_name_that_the_page_names_is_there(name: str) -> None:
    assert found(name)

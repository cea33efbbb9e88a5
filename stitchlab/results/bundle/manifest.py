"""Type the manifest of a .stitch file."""

from __future__ import annotations

from typing import TypedDict


class ListedEntry(TypedDict):
    """State the checksum and the size of an entry."""

    sha256: str
    bytes: int


class Manifest(TypedDict):
    """Describe a .stitch file: its schema, who made it, its texts, its run, and all other entries by name."""

    format: str
    schema: int
    maker: str
    made: str
    title: str
    story: str
    command: str
    run: str
    entries: dict[str, ListedEntry]

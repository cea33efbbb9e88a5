"""Resume points of trainings (`stitchlab.stitch.resume`): which maps they are of, and whether those are there."""

from __future__ import annotations

from stitchlab.store import Store

ROOM = "resume"
VERSION = 1  # of how a training's state is kept: what was kept otherwise is not taken up


def lacking(store: Store, name: str) -> list[str]:
    """List the keys of those maps of a resume point that are not there yet: none where nobody can go on from it.

    Args:
        store: where it lies.
        name: its own, or that of what it has for a cell.
    """
    of = store.intact(ROOM, name.partition("-")[0]) or {}
    return [key for key in of.get("cells", ()) if not store.path("maps", key, ".safetensors").exists()]

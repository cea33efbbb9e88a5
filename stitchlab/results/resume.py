"""Tell which maps the resume points of trainings are of (`stitchlab.stitch.resume`), and which are missing."""

from __future__ import annotations

from stitchlab.store import Store

ROOM = "resume"
VERSION = 1  # of how a training's state is kept: what was kept otherwise is not taken up


def lacking(store: Store, name: str) -> list[str]:
    """List the keys of a resume point's maps that are not there yet; none if nobody can resume from it.

    Args:
        store: where it lies.
        name: its own, or that of what it has for a cell.
    """
    of = store.intact(ROOM, name.partition("-")[0]) or {}
    return [key for key in of.get("cells", ()) if not store.path("maps", key, ".safetensors").exists()]

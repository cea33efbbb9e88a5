"""Read the resume points of trainings (`stitchlab.stitch.resume`): whose maps are they for, and which are missing?"""

from __future__ import annotations

from stitchlab.store import Store

ROOM = "resume"
VERSION = 1  # of the format of resume points; those of another version are ignored


def lacking(store: Store, name: str) -> list[str]:
    """List the keys of a resume point's maps that the store lacks; none if no training can resume from it.

    Args:
        store: where it is.
        name: of the resume point, or of the state of one of its cells, which begins with it.
    """
    record = store.intact(ROOM, name.partition("-")[0]) or {}
    return [key for key in record.get("cells", ()) if not store.path("maps", key, ".safetensors").exists()]

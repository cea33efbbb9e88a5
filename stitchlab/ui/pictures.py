"""Small pictures inside the page itself: the server keeps no file of them that a later look could miss.

`st.image` gives pixels a place in the server's memory until the script has run again; a page that is drawn again and
again while something is computed asks for places that are gone by then.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterable, Sequence

import numpy as np
import streamlit as st

from stitchlab.store import Array


def pictures(pixels: Iterable[Array], captions: Sequence[str], alts: Sequence[str], width: int) -> None:
    """Draw images uint8 (H, W, 3), or grey (H, W), beside each other, with captions and alternative texts."""
    st.image([data_url(image) for image in pixels], caption=list(captions), alt=list(alts), width=width)


def data_url(pixels: Array) -> str:
    """Write an image as a PNG that is its own address (PNG specification, W3C 2003: colour types 0 and 2, no filter).

    Args:
        pixels: uint8 (H, W, 3), or grey (H, W).

    >>> data_url(np.zeros((2, 2), np.uint8))[:32]
    'data:image/png;base64,iVBORw0KGg'
    """
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels, np.uint8).reshape(height, -1)
    head = struct.pack(">2I5B", width, height, 8, 2 if pixels.ndim == 3 else 0, 0, 0, 0)
    filtered = np.pad(rows, ((0, 0), (1, 0))).tobytes()  # each row begins with the number of its filter, 0: none
    png = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(filtered)) + _chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

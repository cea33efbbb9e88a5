"""Writes small pictures into the page itself: the server keeps no file of them that a later look could miss.

`st.image` gives pixels a place in the server's memory until the script has run again; a page that is drawn again and
again while something is computed asks for places that are gone by then.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence

import numpy as np
import streamlit as st
from PIL import Image  # Streamlit brings it

from stitchlab.store import Array


def pictures(pixels: Iterable[Array], captions: Sequence[str], alts: Sequence[str], width: int) -> None:
    """Draw images beside each other, with captions.

    Args:
        pixels: uint8, (H, W, 3) or grey (H, W) each.
        captions, alts: texts below the images, and texts for screen readers, one an image.
        width: of each, in pixels.
    """
    st.image([data_url(image) for image in pixels], caption=list(captions), alt=list(alts), width=width)


def data_url(pixels: Array) -> str:
    """Write an image, uint8 (H, W, 3), grey (H, W) or with a clear ground (H, W, 4), as a PNG that is its own address.

    >>> data_url(np.zeros((2, 2), np.uint8))[:32]
    'data:image/png;base64,iVBORw0KGg'
    """
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels, np.uint8)).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()

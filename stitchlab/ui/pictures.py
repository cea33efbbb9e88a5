"""Draws small pictures as data URLs within the page, so that the server keeps no files of them.

`st.image` keeps pixels in the server's memory only until the script runs again. While something is computed, the page
is drawn again and again, and the browser asks for pictures that are gone by then.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence

import numpy as np
import streamlit as st
from PIL import Image  # Streamlit depends on it

from stitchlab.store import Array


def pictures(pixels: Iterable[Array], captions: Sequence[str], alts: Sequence[str], width: int) -> None:
    """Draw images beside each other, with captions.

    Args:
        pixels: uint8, (H, W, 3) or grey (H, W) each.
        captions: texts below the images, one for each.
        alts: texts for screen readers, one for each image.
        width: of each, in pixels.
    """
    st.image([data_url(image) for image in pixels], caption=list(captions), alt=list(alts), width=width)


def data_url(pixels: Array) -> str:
    """Write an image, uint8 (H, W, 3), grey (H, W) or with transparency (H, W, 4), as the data URL of a PNG.

    >>> data_url(np.zeros((2, 2), np.uint8))[:32]
    'data:image/png;base64,iVBORw0KGg'
    """
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels, np.uint8)).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()

"""Convert images with more than 8 bits a pixel to 8 bits, or refuse them.

Grey images of 16 bits are scaled so that black stays black and white stays white: v → round(v / 257), since 257 · 255 =
65,535 (Pillow's own ``convert("L")`` cuts them off: all above 255 is white). Colour images of 16 bits are read by their
upper 8 bits, which is what Pillow gives. CMYK is converted as Pillow and torchvision do, without a colour profile.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from stitchlab.errors import StitchLabError

WHITE = {16: 2**16 - 1, 12: 2**12 - 1}  # by bits
SCALED = ("PNG", "PPM")  # formats of which Pillow gives 16 bits as mode I, too
_BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # of TIFF


def is_deep(image: Image.Image) -> bool:
    """Tell whether an image is grey with more than 8 bits a pixel, from its header."""
    return image.mode.startswith(("I", "F"))


def shallow(image: Image.Image, path: Path) -> Image.Image:
    """Convert an image to at most 8 bits a pixel and channel. Raises StitchLabError as `white`."""
    if not is_deep(image):
        return image
    top = white(image, path)
    return Image.fromarray(((np.asarray(image).astype(np.int64) * 255 + top // 2) // top).astype(np.uint8))


def white(image: Image.Image, path: Path) -> int:
    """Find the value that is white in a deep image, from its header. Raises StitchLabError if that is ambiguous."""
    tags = getattr(image, "tag_v2", {})
    bits = 16 if image.format in SCALED or image.mode.startswith("I;16") else 32
    if len(told := tags.get(_BITS, ())) == 1 and bits == 16:
        bits = int(told[0])
    if image.mode == "F" or bits not in WHITE or tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        what = "floating point" if image.mode == "F" else f"{bits}-bit" if bits not in WHITE else "white-is-zero"
        raise StitchLabError(
            f"{path} has {what} grey values, for which white is not defined; save it "
            "with 8 or 16 bits per pixel, black as 0"
        )
    return WHITE[bits]

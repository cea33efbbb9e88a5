"""Convert images with more than 8 bits a pixel to 8 bits, or refuse them.

Grey images of 16 bits are scaled so that black stays black and white stays white: v → round(v / 257), since 257 · 255 =
65,535. (Pillow's own ``convert("L")`` makes every value above 255 white.) Colour images of 16 bits are read by their
upper 8 bits, which is what Pillow gives. CMYK is converted as Pillow and torchvision do, without a colour profile.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from stitchlab.errors import StitchLabError

WHITE_BY_BITS = {16: 2**16 - 1, 12: 2**12 - 1}
MODE_I_IS_16_BITS = ("PNG", "PPM")  # formats whose 16-bit images Pillow may open in mode I, which has 32 bits
# Tags of TIFF files, and a value of the second:
_TIFF_BITS_PER_SAMPLE = 258
_TIFF_PHOTOMETRIC = 262
_TIFF_WHITE_IS_ZERO = 0


def is_deep(image: Image.Image) -> bool:
    """Tell whether an image is grey with more than 8 bits a pixel, from its header."""
    return image.mode.startswith(("I", "F"))


def to_8_bits(image: Image.Image, path: Path) -> Image.Image:
    """Convert an image to at most 8 bits a pixel and channel. Raises StitchLabError as `white_value`."""
    if not is_deep(image):
        return image
    white = white_value(image, path)
    return Image.fromarray(((np.asarray(image).astype(np.int64) * 255 + white // 2) // white).astype(np.uint8))


def white_value(image: Image.Image, path: Path) -> int:
    """Find the pixel value that means white in a deep image, from its header.

    Raises StitchLabError where the header leaves that open.
    """
    tags = getattr(image, "tag_v2", {})
    bits = 16 if image.format in MODE_I_IS_16_BITS or image.mode.startswith("I;16") else 32
    if len(bits_per_sample := tags.get(_TIFF_BITS_PER_SAMPLE, ())) == 1 and bits == 16:
        bits = int(bits_per_sample[0])
    if image.mode == "F" or bits not in WHITE_BY_BITS or tags.get(_TIFF_PHOTOMETRIC) == _TIFF_WHITE_IS_ZERO:
        kind = (
            "floating point" if image.mode == "F" else f"{bits}-bit" if bits not in WHITE_BY_BITS else "white-is-zero"
        )
        raise StitchLabError(
            f"{path} has {kind} grey values, for which white is not defined; save it "
            "with 8 or 16 bits per pixel, black as 0"
        )
    return WHITE_BY_BITS[bits]

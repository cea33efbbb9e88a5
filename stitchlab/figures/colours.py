"""Convert numbers to colours, and compute which letters can be read on them: contrast as WCAG 2 defines it.

See https://www.w3.org/TR/WCAG22/.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from plotly.colors import get_colorscale

Values = npt.NDArray[np.float64]
# Against any colour, one of these two has a contrast of 4.58 or more.
BLACK = "#000000"
WHITE = "#ffffff"


def rgb(colour: str) -> Values:
    """Read ``#rrggbb`` or ``rgb(r,g,b)``: return red, green and blue, 0..255.

    >>> rgb("#ff8000").tolist(), rgb("rgb(5,48,97)").tolist()
    ([255.0, 128.0, 0.0], [5.0, 48.0, 97.0])
    """
    if colour.startswith("#"):
        return np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)], dtype=np.float64)
    return np.array([float(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")])


def on_scale(values: Values, low: float, high: float, scale: str) -> Values:
    """Return the colours that a Plotly colour scale gives to numbers.

    Args:
        values: (…) numbers.
        low, high: ends of the scale; numbers beyond an end get its colour.
        scale: Plotly's name of the scale.

    Returns: (…, 3) red, green and blue, 0..255; NaN stays NaN.
    """
    stops = get_colorscale(scale)
    places = [place for place, _ in stops]
    parts = np.array([rgb(colour) for _, colour in stops])
    shares_of_range = np.clip((values - low) / ((high - low) or 1.0), 0, 1)
    return np.stack([np.interp(shares_of_range, places, parts[:, k]) for k in range(3)], axis=-1)


def luminance(colours: Values) -> Values:
    """Return the relative luminance (…) of colours (…, 3): 0 is black, 1 is white."""
    part = colours / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    light: Values = linear @ np.array([0.2126, 0.7152, 0.0722])
    return light


def contrast(first: Values, second: Values) -> Values:
    """Return the contrast ratio (…) of colours (…, 3), 1 to 21; text needs 4.5 or more.

    >>> float(contrast(rgb("#000000"), rgb("#ffffff")))
    21.0
    """
    light, dark = luminance(first) + 0.05, luminance(second) + 0.05
    ratio: Values = np.maximum(light / dark, dark / light)
    return ratio


def white_reads_better(colours: Values) -> npt.NDArray[np.bool_]:
    """Tell on which of the colours (…, 3) white letters have more contrast than black ones."""
    better: npt.NDArray[np.bool_] = contrast(colours, rgb(WHITE)) > contrast(colours, rgb(BLACK))
    return better


def mixed(colour: str, ground: str, share: float) -> str:
    """Mix a colour with the background below it.

    Args:
        colour, ground: the colour and the background, in a form that `rgb` reads.
        share: of the colour in the mixture, 0..1.

    >>> mixed("#ff0000", "#ffffff", 0.5)
    '#ff8080'
    """
    return "#" + "".join(f"{round(part):02x}" for part in share * rgb(colour) + (1 - share) * rgb(ground))

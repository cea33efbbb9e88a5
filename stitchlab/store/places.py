"""Find StitchLab's own files and the folder of results, in a clone and where it is installed.

In a clone, app.py, pages/, .streamlit/, gallery/ and cache/ lie beside the package. Where StitchLab is installed, the
first four lie in the package's folder ``app``, and results are kept in the platform's folder for a user's data.
"""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def app() -> Path:
    """Return the folder that holds app.py, pages/, .streamlit/ and gallery/."""
    installed = PACKAGE / "app"
    return installed if installed.is_dir() else PACKAGE.parent


def gallery() -> Path:
    """Return the folder of the gallery's runs: the one that STITCHLAB_GALLERY names, or StitchLab's own."""
    return Path(os.environ.get("STITCHLAB_GALLERY") or app() / "gallery")


def cache() -> Path:
    """Return the folder in which results are kept: the one that STITCHLAB_CACHE names, if it is set.

    If not, it is cache/ in a clone; where StitchLab is installed, the platform's folder for a user's data, such as
    ~/.local/share/stitchlab.
    """
    if named := os.environ.get("STITCHLAB_CACHE"):
        return Path(named).expanduser().resolve()
    if app() == PACKAGE.parent:
        return PACKAGE.parent / "cache"
    from platformdirs import user_data_path  # imported here, since a clone on a bare GPU machine runs without it

    return user_data_path("stitchlab", appauthor=False)

"""Find StitchLab's own files and the folder of results, in a clone and where it is installed.

In a clone, app.py, pages/, .streamlit/, gallery/ and cache/ lie beside the package. A wheel carries the first four
inside it, in the folder ``app``; results then belong where the platform keeps a user's data.
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
    """Return the folder of the runs that come with StitchLab, or the one that STITCHLAB_GALLERY names."""
    return Path(os.environ.get("STITCHLAB_GALLERY") or app() / "gallery")


def cache() -> Path:
    """Return the folder in which results are kept, which STITCHLAB_CACHE can name.

    Without it: cache/ in a clone; where StitchLab is installed, the platform's place for a user's data, such as
    ~/.local/share/stitchlab.
    """
    if named := os.environ.get("STITCHLAB_CACHE"):
        return Path(named).expanduser().resolve()
    if app() == PACKAGE.parent:
        return PACKAGE.parent / "cache"
    from platformdirs import user_data_path  # a clone needs none of it, so a bare GPU machine runs one as it is

    return user_data_path("stitchlab", appauthor=False)

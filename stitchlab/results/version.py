"""State StitchLab's version, from which pyproject.toml, `stitchlab.__version__` and all results take it."""

VERSION = "0.1.0"

"""StitchLab's version: pyproject.toml, `stitchlab.__version__` and everything that is computed take it from here."""

VERSION = "0.1.0"

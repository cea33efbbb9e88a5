"""Wraps a run's figure so that a notebook shows it: the same figure that is exported."""

from __future__ import annotations

from typing import Any

from stitchlab.export import captions
from stitchlab.export.formats import make
from stitchlab.export.options import Options
from stitchlab.results.run import Run


class Picture:
    """Represents a figure of a run: a notebook shows it, ``svg`` is its text, ``caption`` says what it shows."""

    def __init__(self, run: Run, options: Options) -> None:
        self.run, self.options = run, options
        self.svg, self.caption = make(run, "svg", options).decode(), captions.caption(run, options)

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        """Say what it shows, for a console that shows only text."""
        return f"Picture of {self.caption}"


def plot(run: Run, *show: str, **options: Any) -> Picture:
    """Draw a run for a notebook: ``run.plot("accuracy")``, ``run.plot("accuracy", "cka", letters=True)``.

    Args:
        run: the run to draw.
        show: metrics and indices, as `stitchlab.export.options.Options.show` names them; empty: the accuracy.
        options: of `stitchlab.export.options.Options`.

    Raises UnknownName if the run lacks something that is shown, with what it has; StitchLabError for bad options.
    """
    return Picture(run, Options.of(**options, **({"show": show} if show else {})))


def caption(run: Run, *show: str, **options: Any) -> str:
    """Write the caption of a figure of a run, as `plot` draws it.

    Args:
        run: the run that the figure shows.
        show: metrics and indices, as in `plot`.
        options: of `stitchlab.export.options.Options`.

    Raises as `plot`.
    """
    return captions.caption(run, Options.of(**options, **({"show": show} if show else {})))

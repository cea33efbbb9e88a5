"""Describes what a view shows: one cell of a run, seen by one detector."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.jobs import JobQueue
from stitchlab.results.detection import DetectionResults
from stitchlab.results.run import Run
from stitchlab.results.similarity import deciding
from stitchlab.store import Array
from stitchlab.ui import material
from stitchlab.ui.charts import chart

BOUND: Any = {"bind": "query-params"}  # keyword arguments of widgets whose value is in the address


@dataclass(frozen=True)
class Subject:
    """Holds the cell on the screen (front layer ``i``, end layer ``j``), its results, and the chosen detector."""

    jobs: JobQueue
    results: DetectionResults
    detector: str
    i: str
    j: str

    @property
    def run(self) -> Run:
        """Return the run that the cell belongs to."""
        return self.results.run

    @cached_property
    def scoring(self) -> str:
        """Return the detector whose scores of single images are shown: the chosen, else a believed one, else any."""
        if not DETECTORS[self.detector].compares:
            return self.detector
        fallback = next(name for name, detector in DETECTORS.items() if not detector.compares)
        return deciding(self.results, self.detector, self.i, self.j, scores=True) or fallback

    @cached_property
    def statistics(self) -> dict[str, dict[str, Array]]:
        """Return the statistics of each set of activations; empty until the native ones are computed."""
        return material.statistics(self.results, self.i, self.j)

    def chart(self, figure: go.Figure, content: str, **more: Any) -> None:
        """Draw a figure of this cell.

        Args:
            figure: the figure to draw.
            content: what it shows; with the layers it names the widget and the saved picture.
            more: arguments of `stitchlab.ui.charts.chart`.
        """
        name = f"{content} {self.i} {self.j}"
        chart(self.run.id, figure, name, f"{self.i} → {self.j} {content}", **more)


def unavailable(text: str = "These statistics are not computed yet.") -> None:
    """Say, in place of a view, why it cannot be drawn."""
    st.info(text, icon=":material/info:")

"""Describes what a view shows: one cell of a run, seen by one detector."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.jobs import Jobs
from stitchlab.results.detection import DetectionResults
from stitchlab.results.run import Run
from stitchlab.results.similarity import deciding
from stitchlab.store import Array
from stitchlab.ui import material
from stitchlab.ui.charts import chart

BOUND: Any = {"bind": "query-params"}


@dataclass(frozen=True)
class Subject:
    """Holds the cell on the screen (front layer ``i``, end layer ``j``), what is known of it, and a detector."""

    jobs: Jobs
    found: DetectionResults
    detector: str
    i: str
    j: str

    @property
    def run(self) -> Run:
        """Return the run that the cell belongs to."""
        return self.found.run

    @cached_property
    def scoring(self) -> str:
        """Return the detector whose scores of single images are shown: the chosen one, one that is believed, or any."""
        if not DETECTORS[self.detector].compares:
            return self.detector
        any_other = next(name for name, detector in DETECTORS.items() if not detector.compares)
        return deciding(self.found, self.detector, self.i, self.j, scores=True) or any_other

    @cached_property
    def statistics(self) -> dict[str, dict[str, Array]]:
        """Return the statistics of each set of activations; empty until the native ones are there."""
        return material.statistics(self.found, self.i, self.j)

    def chart(self, figure: go.Figure, what: str, **more: Any) -> None:
        """Draw a figure of this cell.

        Args:
            figure: what is drawn.
            what: it shows; with the layers it names the widget and a saved picture.
            more: passed on to `stitchlab.ui.charts.chart`.
        """
        name = f"{what} {self.i} {self.j}"
        chart(self.run.id, figure, name, f"{self.i} → {self.j} {what}", **more)


def nothing(text: str = "These statistics are not there yet.") -> None:
    """Say, where a view would stand, why there is none."""
    st.info(text, icon=":material/info:")

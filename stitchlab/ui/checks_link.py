"""Draws the link from runs to the checks of all measures on their networks."""

from __future__ import annotations

from collections.abc import Sequence

from stitchlab import ui
from stitchlab.results.checks.answers import suites
from stitchlab.results.run import Run


def link_to_checks(runs: Sequence[Run]) -> None:
    """Link to the checks on the networks of runs computed here, else to the table that came with an opened file."""
    names = {
        run.record[side]["name"]: None
        for run in runs
        if run.source is None
        for side in ("front", "end")
        if run.record[side]["origin"].get("how") != "control"
    }
    if names:
        ui.link_to_page(
            "pages/3_Checks.py",
            "Which measure deserves trust on these networks?",
            [("suite", "own"), *(("check_networks", name) for name in names)],
            "Ten checks of every measure",
        )
    elif tables := [suite["id"] for run in runs if run.source for suite in suites(run.store)]:
        ui.link_to_page(
            "pages/3_Checks.py",
            "Which measure deserves trust on these networks?",
            [("suite", tables[0])],
            "The table of checks that came with this run",
        )

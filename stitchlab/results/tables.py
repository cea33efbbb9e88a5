"""A run as text that other programs read: cells.csv, run.json, and what detectors say of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from stitchlab.results.detection import Cell, Distribution, OodRow
from stitchlab.results.run import Row, Run


def cells_csv(run: Run) -> str:
    """All cells as CSV text: front_layer,end_layer,method,metric,value, full float precision; undefined is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows((*row[:-1], "" if row.value is None else repr(row.value)) for row in run.rows())
    return out.getvalue()


def ood_csv(found: Distribution, detectors: Sequence[str], cells: Sequence[Cell]) -> str:
    """What detectors say, as CSV text: front_layer,end_layer,method,detector,metric,value,low,high."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(OodRow._fields)
    writer.writerows(
        (*row[:5], *("" if number is None else repr(number) for number in row[5:]))
        for row in found.rows(detectors, cells)
    )
    return out.getvalue()


def run_json(run: Run) -> str:
    """The run's request and all that is needed to get the same numbers again, as JSON text."""
    return json.dumps(run.provenance(), indent=1)

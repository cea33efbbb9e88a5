"""Write a run as text for other programs: cells.csv, run.json, and ood.csv with the results of detectors."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from stitchlab.results.detection import DetectionResults, MethodCell, OodRow
from stitchlab.results.run import Row, Run


def cells_csv(run: Run) -> str:
    """Write all cells as CSV: front_layer,end_layer,method,metric,value, in full precision; undefined is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows((*row[:-1], "" if row.value is None else repr(row.value)) for row in run.rows())
    return out.getvalue()


def ood_csv(results: DetectionResults, detectors: Sequence[str], cells: Sequence[MethodCell]) -> str:
    """Write the results of detectors as CSV: front_layer,end_layer,method,detector,metric,value,low,high.

    Args:
        results: the results of detectors.
        detectors: names of those to write.
        cells: (method, front layer, end layer) each.

    Returns:
        text in full precision; undefined numbers are empty.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(OodRow._fields)
    writer.writerows(
        (*row[:5], *("" if number is None else repr(number) for number in row[5:]))
        for row in results.rows(detectors, cells)
    )
    return out.getvalue()


def run_json(run: Run) -> str:
    """Write the run's request, and everything that is needed to get the same numbers again, as JSON."""
    return json.dumps(run.provenance(), indent=1)

"""Converts a run's cells to a pandas data frame or a Parquet file; both packages are imported on use."""

from __future__ import annotations

import importlib
import io
import json
from typing import TYPE_CHECKING, Any

from stitchlab.errors import StitchLabError
from stitchlab.results.run import Row, Run

if TYPE_CHECKING:
    import pandas as pd


def columns(run: Run) -> dict[str, list[Any]]:
    """Return all lines of cells.csv, column by column; a value that is undefined or not computed yet is None."""
    rows = list(run.rows())
    return {name: [row[k] for row in rows] for k, name in enumerate(Row._fields)}


def to_frame(run: Run) -> pd.DataFrame:
    """Convert a run's cells to a tidy data frame: front_layer, end_layer, method, metric, value, a row for each number.

    Values that are undefined or not computed yet are NaN; ``attrs`` identify the run. Raises StitchLabError
    without pandas.
    """
    pandas = _package("pandas")
    table = columns(run)
    frame: pd.DataFrame = pandas.DataFrame(table | {"value": pandas.array(table["value"], dtype="float64")})
    frame.attrs = {"run": run.id, "title": run.title, "complete": run.complete}
    return frame


def parquet(run: Run) -> bytes:
    """Write the same table as a Parquet file, with run.json in the schema's metadata, under ``stitchlab``.

    Raises StitchLabError without pyarrow.
    """
    arrow, files = _package("pyarrow"), _package("pyarrow.parquet")
    types = {name: arrow.float64() if name == "value" else arrow.string() for name in Row._fields}
    schema = arrow.schema(list(types.items()), metadata={"stitchlab": json.dumps(run.provenance())})
    out = io.BytesIO()
    files.write_table(arrow.Table.from_pydict(columns(run), schema=schema), out)
    return out.getvalue()


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise StitchLabError(
            f"this needs the package {name.partition('.')[0]}, which is not installed here; pip "
            f"install {name.partition('.')[0]}, or export .csv"
        ) from error

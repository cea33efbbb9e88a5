"""Shows two Plotly figures on a Streamlit page, with Dask's client on request: the plain side of rows i and j.

The environment variable ``BARE_FIGURES`` names a JSON file with the list of figures; ``BARE_DASK`` asks for the client.
"""

import json
import os
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st


@st.cache_resource(show_spinner=False)
def client() -> list[Any]:
    """Connect to a Dask cluster; its scheduler and its one worker have processes of their own."""
    from distributed import Client
    from distributed.deploy.subprocess import SubprocessCluster

    return [Client(SubprocessCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0"))]


st.set_page_config(layout="wide")
if os.environ.get("BARE_DASK"):
    client()
figures = json.loads(Path(os.environ["BARE_FIGURES"]).read_text())
for k, (column, figure) in enumerate(zip(st.columns(2), figures, strict=True)):
    column.plotly_chart(go.Figure(figure), key=f"figure-{k}", theme=None)

"""Start the pages (command ``app``)."""

from __future__ import annotations

import argparse
import importlib.util
import sys

from stitchlab.cli import Command
from stitchlab.errors import StitchLabError
from stitchlab.store import Store

VALID_PORTS = range(1, 2**16)


def add(command: Command) -> None:
    """Add the command to a parser."""
    parser = command("app", _app, "Open the pages in a browser; Ctrl-C stops the server.")
    parser.add_argument(
        "--port", type=_port, help="the port that serves them (default: 8501, or the next that is free)"
    )
    parser.add_argument(
        "options", nargs="*", metavar="-- OPTION", help="options of `streamlit run`, such as: -- --server.headless true"
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) not in VALID_PORTS:
        raise argparse.ArgumentTypeError(f"expected a port such as 8501, from 1 to {VALID_PORTS[-1]}, got {text!r}")
    return int(text)


def _app(options: argparse.Namespace, store: Store) -> int:
    """Run the server in this process, so that Ctrl-C and other signals reach it."""
    if importlib.util.find_spec("streamlit") is None:
        raise StitchLabError("the pages need Streamlit, which is not installed here: pip install streamlit plotly")
    print(f"results are kept in {store.root} (STITCHLAB_CACHE names another folder)", file=sys.stderr)
    from stitchlab.ui.serving import serve

    return serve([*([f"--server.port={options.port}"] if options.port else []), *options.options])

"""Makes files of linear probes, one kind for each suffix: a table, all results with their settings, or a figure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence

from stitchlab.errors import UnknownName
from stitchlab.export.options import IMAGE_SUFFIXES, ImageSuffix, Options
from stitchlab.results.probes import ProbeRow, Probes
from stitchlab.results.version import VERSION

MEDIA_TYPES = {
    "csv": "text/csv",
    "json": "application/json",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
    "png": "image/png",
}
LABELS = {
    "csv": "Table (CSV)",
    "json": "All results, with their settings (JSON)",
    "svg": "Figure (SVG)",
    "pdf": "Figure (PDF)",
    "png": "Picture (PNG)",
}
MAX_NAMES_LENGTH = 80  # characters of a file name


def probes_csv(shown: Sequence[Probes]) -> str:
    """Write a line for each layer: network,layer,accuracy,train_accuracy,reason; floats in full, empty if undefined."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(ProbeRow._fields)
    writer.writerows(
        ("" if value is None else repr(value) if isinstance(value, float) else value for value in row)
        for probes in shown
        for row in probes.rows()
    )
    return out.getvalue()


def probes_json(shown: Sequence[Probes]) -> str:
    """Write each network's request, the numbers of all layers, and how they were computed."""
    return json.dumps([probes.record() for probes in shown], indent=1)


def make(shown: Sequence[Probes], suffix: str, options: Options | None = None) -> bytes:
    """Make a file of the probes of one or more networks.

    Args:
        shown: the probes of each network.
        suffix: without its dot: a key of `MEDIA_TYPES`.
        options: how a figure looks; None: the defaults.

    Raises UnknownName for an unknown suffix; StitchLabError if there are too many networks for a figure.
    """
    return maker(suffix)(shown, options or Options())


def maker(suffix: str) -> Callable[[Sequence[Probes], Options], bytes]:
    """Return the function that makes the file with this suffix (without its dot). Raises UnknownName."""
    if suffix == "csv":
        return lambda shown, _: probes_csv(shown).encode()
    if suffix == "json":
        return lambda shown, _: probes_json(shown).encode()
    if suffix in IMAGE_SUFFIXES:
        return lambda shown, options: _figure(shown, suffix, options)
    raise UnknownName("kind of file of probes", suffix, MEDIA_TYPES)


def file_name(shown: Sequence[Probes], suffix: str) -> str:
    """Name a file of the probes of these networks, with this suffix (without its dot)."""
    names = "-".join(dict.fromkeys(probes.network.name for probes in shown))
    return f"{names[:MAX_NAMES_LENGTH]}-probes.{suffix}"


def caption(shown: Sequence[Probes]) -> str:
    """Write a caption that stands by itself, of a figure of these probes."""
    images = {
        f"{p.request.train_images:,} training images and evaluated on {p.request.eval_images:,} test images of "
        f"{p.data.label} (seed {p.request.seed})"
        for p in shown
    }
    networks = ", ".join(
        f"{p.network.name} ({p.network.architecture.rpartition('/')[2]}, {p.network.short})" for p in shown
    )
    return (
        f"Accuracy of linear probes by layer: {networks}. Each is a logistic regression (L2, C = 1, L-BFGS) on the "
        f"layer's averages over positions, or its class token, standardised; trained on {'; '.join(sorted(images))}. "
        "Broken lines: the networks' own accuracy on the same images, and chance, the share of the largest class. "
        f"StitchLab {VERSION}."
    )


def _figure(shown: Sequence[Probes], suffix: ImageSuffix, options: Options) -> bytes:
    from stitchlab.export.vector.probes import figure

    return figure(shown, options).file(
        suffix, dpi=options.dpi, title="Accuracy of linear probes by layer", description=caption(shown)
    )

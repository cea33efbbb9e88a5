"""Draws the view of channels: means and standard deviations against native ones, norms, spectra, negative values."""

from __future__ import annotations

import numpy as np
import streamlit as st

from stitchlab import ui
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.figures import activations as figures
from stitchlab.figures.sets import SET_LABELS
from stitchlab.results.channel_statistics import effective_rank, moved, negatives
from stitchlab.store import Array
from stitchlab.ui.views.subject import Subject, unavailable

MAX_NAMED = 5  # channels


def draw(cell: Subject) -> None:
    """Draw every channel against native, and name the channels that each stitch moved most."""
    by_set = cell.statistics
    if not by_set:
        unavailable()
        return
    order_by_method = {
        name: moved(by_set["native"], by_set[name]) for name in cell.run.request.methods if name in by_set
    }
    named = list(dict.fromkeys(int(channel) for order in order_by_method.values() for channel in order[:MAX_NAMED]))
    cell.chart(figures.channels(by_set, named, dark=ui.dark()), "channels")
    for name, order in order_by_method.items():
        st.markdown(
            f"**{METHOD_LABELS[name]}** moved channels {', '.join(str(channel) for channel in order[:MAX_NAMED])} most "
            "(change of the mean, in native standard deviations)."
        )
    st.table([_summary(by_set, name) for name in by_set], border="horizontal")
    st.caption(
        "Negative where native has none: share of negative values in the channels without negative native values; a "
        "stitch after a ReLU has no ReLU of its own. Effective rank: exp of the entropy of the "
        "spectrum (Roy & Vetterli 2007)."
    )
    left, right = st.columns(2)
    with left:
        cell.chart(figures.norms(by_set, dark=ui.dark()), "norms")
    with right:
        cell.chart(figures.spectrum(by_set, dark=ui.dark()), "spectrum")


def _summary(by_set: dict[str, dict[str, Array]], name: str) -> dict[str, str]:
    values = by_set[name]
    negative, rank = negatives(by_set["native"], values), effective_rank(values["spectrum"].astype(np.float64))
    return {
        "": SET_LABELS[name],
        "Negative where native has none": "– (native has some in every channel)"
        if negative is None
        else f"{negative:.1%}",
        "Exact zeros": f"{values['zero'].mean():.1%}",
        "Median norm": f"{np.median(values['norms']):.3g}",
        "Effective rank": "–" if rank is None else f"{rank:.1f} of {len(values['spectrum'])}",
    }

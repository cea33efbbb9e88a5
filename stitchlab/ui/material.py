"""What the views show: statistics, images and activations out of the store, by set."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import streamlit as st
from torch import Tensor

from stitchlab.data import registry as datasets
from stitchlab.data.splits import Split, evaluation
from stitchlab.ood.evaluate import activations_of
from stitchlab.results.detection import NATIVE, OUTLIERS, STATISTICS, Distribution
from stitchlab.results.run import Run
from stitchlab.store import Store

Array = npt.NDArray[Any]


def statistics(found: Distribution, i: str, j: str) -> dict[str, dict[str, Array]]:
    """What `Gathered.statistics` kept, by set: native, the methods, known outliers; none before native is there."""
    kept = {name: value.numpy() for name, value in found.tensors(STATISTICS, NATIVE, "", j).items()}
    prefix = f"{OUTLIERS}."
    sets = {"native": {name: value for name, value in kept.items() if not name.startswith(prefix)}}
    for method in found.run.request.methods:
        sets[method] = {name: value.numpy() for name, value in found.tensors(STATISTICS, method, i, j).items()}
    sets["outliers"] = {name.removeprefix(prefix): value for name, value in kept.items() if name.startswith(prefix)}
    return {name: values for name, values in sets.items() if values} if kept else {}


@st.cache_data(show_spinner=False, max_entries=64)
def activations(root: str, run: str, image: int, i: str, j: str, cells: int) -> dict[str, Array]:
    """One image's activations by set, (C, H, W); how many cells are there is part of the key, since more may come."""
    made = activations_of(Run.load(Store(root), run), image, i, j)
    return {name: activation.numpy() for name, activation in made.items()}


def labels(run: Run) -> Array:
    """Labels (M,) of all evaluation images."""
    test, order = _evaluation(run)
    every: Array = test.labels[order.numpy()]
    return every


def images(run: Run, places: list[int]) -> tuple[Array, Array]:
    """Evaluation images (n, H, W, C) or grey (n, H, W), uint8, and labels (n,) at these places."""
    test, order = _evaluation(run)
    taken, found = test.take(order[[p for p in places if p < len(order)]])
    pixels = taken.permute(0, 2, 3, 1).numpy()
    return (pixels[..., 0] if pixels.shape[-1] == 1 else pixels), found.numpy()


def image(run: Run, place: int) -> None:
    """Draws one evaluation image with its label."""
    pixels, label = images(run, [place])
    if len(pixels):
        st.image(pixels[0], caption=f"test image {place}: {run.record['data']['classes'][label[0]]}", width=140)


def _evaluation(run: Run) -> tuple[Split, Tensor]:
    data = datasets.load_by_fingerprint(run.request.data, run.store)
    return data.test, evaluation(data, run.request)

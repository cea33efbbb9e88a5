"""Fit detectors on native activations of an end layer, and keep what they learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.models.tensors import get_tensors, put_tensors
from stitchlab.ood.detectors import scoring_detector
from stitchlab.ood.inputs import CannotFit, Native, Score
from stitchlab.request import content_id
from stitchlab.results.detection import STATISTICS, DetectionResults, learned_detector_description
from stitchlab.stitch.undefined import NATIVE_NOT_FINITE


def fit_detectors(
    results: DetectionResults, end_layer: str, names: Sequence[str], native: Native | None
) -> tuple[dict[str, Score], dict[str, str]]:
    """Fit detectors that score images: return their score functions by name, and why others cannot be fitted.

    Args:
        results: of the run; its store keeps what detectors learn.
        end_layer: of the native activations.
        names: of detectors; `STATISTICS` and detectors that compare sets need no fitting.
        native: activations; None where they are not finite.
    """
    scores: dict[str, Score] = {}
    reasons: dict[str, str] = {}
    for name in names:
        if name != STATISTICS and not DETECTORS[name].compares:
            try:
                if native is None:
                    raise CannotFit(NATIVE_NOT_FINITE.format(end_layer))
                with torch.enable_grad():
                    scores[name] = scoring_detector(name)(_remembering(native, results, end_layer, name))
            except CannotFit as error:
                reasons[name] = str(error)
    return scores, reasons


def _remembering(native: Native, results: DetectionResults, end_layer: str, detector: str) -> Native:
    """Let a detector keep what it learns of an end layer: it serves every run with this end network and data."""
    store = results.run.store
    description = learned_detector_description(
        results.run.request, end_layer, detector, results.detection.training_outliers
    )
    key = content_id(description)

    def remember(state: dict[str, Tensor]) -> None:
        put_tensors(store, "detectors", key, state)
        store.put("detectors", key, description)

    return replace(native, recall=lambda: get_tensors(store, "detectors", key), remember=remember)

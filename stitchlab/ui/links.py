"""Writes and reads links that restore a run from the values of Compare's pickers.

A link also has the run's id, which finds the run faster. But a run that was only viewed is not in the store, and its
id alone would find nothing.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import Any

from stitchlab.catalog.augmentations import AUGMENTATIONS, usual
from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.presets import PRESETS, preset, resolved
from stitchlab.errors import StitchLabError
from stitchlab.request import AUTO, INITS, METHODS, TARGETS, AugmentationName, TaskLoss
from stitchlab.results import data_sets, networks, shelf
from stitchlab.results.definitions import changed
from stitchlab.results.resolve import NotFoundYet, resolve
from stitchlab.results.run import Run
from stitchlab.store import Store

#: What the pickers of a recipe show at first, and what a link means that leaves these keys out.
DEFAULTS: dict[str, Any] = {key: getattr(PRESETS["paper"], key) for key in ("epochs", "lr", "augment")}

#: The query parameters that describe a run; a link that StitchLab makes has all that apply.
KEYS = (
    "run",
    "front",
    "end",
    "front_layers",
    "end_layers",
    "methods",
    "indices",
    "recipe",
    "epochs",
    "lr",
    "targets",
    "init",
    "augment",
    "train_images",
    "dm_images",
    "eval_images",
    "null",
    "seed",
    "data",
)

_CHOICES: dict[str, Container[str]] = {
    "methods": METHODS,
    "indices": INDICES,
    "recipe": PRESETS,
    "targets": TARGETS,
    "init": INITS,
    "augment": (AUTO, *AUGMENTATIONS),
}
#: The parameters with any number of values; an empty text means an empty list.
LISTS = ("front_layers", "end_layers", "methods", "indices")
_COUNTS = ("dm_images", "eval_images", "null", "train_images", "epochs")
_RECIPE = ("epochs", "lr", "targets", "init", "augment")
_MAX_SEED = 2**32 - 1
_MAX_COUNT = 2**53 - 1  # the largest integer of a number field in a browser


def picked(store: Store, run: Run) -> dict[str, Any] | None:
    """Return what each picker of Compare shows for a run, by key; None if the pickers cannot describe it."""
    request = run.request
    names = {network.id: network.name for network in networks.list_networks(store)}
    if run.draft:
        names[request.front] = run.wanted()["front"]
    data_record = run.record["data"]
    recipe = _recipe(request.tlm, usual(data_record["name"], tuple(data_record["shape"])))
    if recipe is None or not {request.front, request.end} <= names.keys():
        return None
    known_data = data_sets.of_fingerprint(store, request.data)
    on_all_images = known_data is not None and request.eval_images == known_data.test
    return {
        "front": names[request.front],
        "end": names[request.end],
        "front_layers": list(request.front_layers),
        "end_layers": list(request.end_layers),
        "methods": list(request.methods),
        "indices": list(request.indices),
        **recipe,
        "dm_images": request.dm.images,
        "eval_images": None if on_all_images else request.eval_images,
        "null": request.null or None,
        "seed": request.seed,
        "data": data_record["name"],
    }


def describable(store: Store, run: Run) -> bool:
    """Tell whether the pickers can ask for this very run: networks and data are here, definitions are unchanged."""
    if run.draft or run.source:
        return run.draft
    pairs = query(run)
    link = {key: [value for name, value in pairs if name == key] for key in KEYS if key in dict(pairs)}
    try:
        restored = _resolved(store, values(link))
    except NotFoundYet:  # the layers of its networks become known when the pickers are opened
        return not changed(run.request)
    except StitchLabError:
        return False
    return restored is not None and restored.id == run.id


def query(run: Run, **more: str) -> list[tuple[str, str]]:
    """Return the query parameters of a link to a run; ``more`` are further ones, such as those of a cell."""
    picks = {} if run.source else picked(run.store, run) or {}
    pairs = [
        (key, str(value))
        for key, values in picks.items()
        if values is not None
        for value in ((values or [""]) if isinstance(values, list) else [values])
    ]  # an empty list is written too, since it differs from the default
    return [("run", run.id), *pairs, *more.items()]


def find(store: Store, link: Mapping[str, Sequence[str]]) -> tuple[Run | None, str]:
    """Find the run that a link leads to. If its id differs from the run that its other keys describe, the id counts.

    Returns:
        the run, or None if the link names none; and the reason, if it names a run that is not here.
    """
    described, run_id = read(store, link), (link.get("run") or [""])[-1]
    if not run_id or (described is not None and described.id == run_id):
        return described, ""
    try:
        return shelf.find(store, run_id), ""
    except StitchLabError as error:
        return None, str(error)


def read(store: Store, link: Mapping[str, Sequence[str]]) -> Run | None:
    """Find the run that a link's keys describe, each with its values; None if they describe none."""
    with contextlib.suppress(StitchLabError):
        return _resolved(store, values(link))
    return None


def _resolved(store: Store, picks: Mapping[str, Any]) -> Run | None:
    """Find the run with these values of pickers; None if they do not name two networks. Raises StitchLabError."""
    if not {"front", "end"} <= picks.keys():
        return None
    recipe = DEFAULTS | {key: picks[key] for key in _RECIPE if key in picks} | {"images": picks.get("train_images")}
    settings = {key: picks[key] for key in (*LISTS, "dm_images", "eval_images", "null", "seed", "data") if key in picks}
    return resolve(store, picks["front"], picks["end"], tlm=preset(picks.get("recipe", "paper"), **recipe), **settings)


def values(link: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the values of a link by key, as the pickers hold them, without values that no picker can hold."""
    picks: dict[str, Any] = {}
    for key in KEYS:
        texts, choices = link.get(key, ()), _CHOICES.get(key)
        non_empty = [text for text in texts if text]  # an empty text is an empty list, or another key's default
        if not texts or (choices is not None and not all(text in choices for text in non_empty)):
            continue
        if key in LISTS:
            picks[key] = non_empty
        elif non_empty and (value := _value(key, non_empty[-1])) is not None:
            picks[key] = value
    return picks


def _value(key: str, text: str) -> str | int | float | None:
    """Read a value of a link; None for a number that is invalid or outside the range of its picker."""
    if key not in (*_COUNTS, "seed", "lr"):
        return text
    with contextlib.suppress(ValueError):
        number = float(text) if key == "lr" else int(text)
        low, high = {"seed": (0, _MAX_SEED), "lr": (0, sys.float_info.max)}.get(key, (1, _MAX_COUNT))
        return number if low <= number <= high else None
    return None


def _recipe(tlm: TaskLoss, usual: AugmentationName) -> dict[str, Any] | None:
    """Return what the pickers of a recipe show: a preset and the changes to it; None if no preset fits."""
    picks: dict[str, Any] = {
        "epochs": tlm.epochs,
        "lr": tlm.lr,
        "targets": tlm.targets,
        "init": tlm.init,
        "augment": tlm.augment,
        "images": tlm.images,
    }
    fitting = [name for name, settings in PRESETS.items() if replace(settings, **picks) == tlm]
    if not fitting:
        return None
    recipe = next((name for name in fitting if resolved(PRESETS[name], usual).augment == tlm.augment), fitting[0])
    augment = AUTO if PRESETS[recipe].augment == AUTO and tlm.augment == usual else tlm.augment
    del picks["images"]
    return {"recipe": recipe, **picks, "augment": augment, "train_images": tlm.images}

"""Writes and reads links that restore a run from the values of Compare's pickers; its id in them is a shortcut.

A run that was only looked at is not in the store, so its id alone would lead nowhere.
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

#: What the pickers of a recipe show unless something else is picked; a link leaves that out.
DEFAULTS: dict[str, Any] = {key: getattr(PRESETS["paper"], key) for key in ("epochs", "lr", "augment")}

#: The keys that say a run; a link that the project makes has all of them.
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
#: Those of them that have any number of values; an empty text says that there is none.
LISTS = ("front_layers", "end_layers", "methods", "indices")
_COUNTS = ("dm_images", "eval_images", "null", "train_images", "epochs")
_RECIPE = ("epochs", "lr", "targets", "init", "augment")
_MAX_SEED, _MAX_COUNT = 2**32 - 1, 2**53 - 1  # the latter is the browser's


def picked(store: Store, run: Run) -> dict[str, Any] | None:
    """Return by key what each picker of Compare shows for a run; None where they cannot express it."""
    request = run.request
    names = {network.id: network.name for network in networks.list_networks(store)}
    if run.draft:
        names[request.front] = run.wanted()["front"]
    known = run.record["data"]
    recipe = _recipe(request.tlm, usual(known["name"], tuple(known["shape"])))
    if recipe is None or not {request.front, request.end} <= names.keys():
        return None
    data = data_sets.of_fingerprint(store, request.data)
    every = data is not None and request.eval_images == data.test
    return {
        "front": names[request.front],
        "end": names[request.end],
        "front_layers": list(request.front_layers),
        "end_layers": list(request.end_layers),
        "methods": list(request.methods),
        "indices": list(request.indices),
        **recipe,
        "dm_images": request.dm.images,
        "eval_images": None if every else request.eval_images,
        "null": request.null or None,
        "seed": request.seed,
        "data": known["name"],
    }


def sayable(store: Store, run: Run) -> bool:
    """Tell whether the pickers can ask for this very run: its networks and data are here, its definitions today's."""
    if run.draft or run.source:
        return run.draft
    pairs = query(run)
    link = {key: [value for name, value in pairs if name == key] for key in KEYS if key in dict(pairs)}
    try:
        again = _resolved(store, values(link))
    except NotFoundYet:  # its networks' layers are asked for when the pickers open
        return not changed(run.request)
    except StitchLabError:
        return False
    return again is not None and again.id == run.id


def query(run: Run, **more: str) -> list[tuple[str, str]]:
    """Return the keys and values of a link that leads to a run, and to more: a cell."""
    said = {} if run.source else picked(run.store, run) or {}
    pairs = [
        (key, str(value))
        for key, values in said.items()
        if values is not None
        for value in ((values or [""]) if isinstance(values, list) else [values])
    ]  # none at all is said too
    return [("run", run.id), *pairs, *more.items()]


def find(store: Store, link: Mapping[str, Sequence[str]]) -> tuple[Run | None, str]:
    """Find the run that a link leads to: where its id is not what its other keys ask for, the id counts.

    Returns:
        the run, or None where the link names none; and why not, where it names one that is not here.
    """
    asked, name = read(store, link), (link.get("run") or [""])[-1]
    if not name or (asked is not None and asked.id == name):
        return asked, ""
    try:
        return shelf.find(store, name), ""
    except StitchLabError as error:
        return None, str(error)


def read(store: Store, link: Mapping[str, Sequence[str]]) -> Run | None:
    """Find the run that the keys of a link ask for, each with its values; None where they ask for none."""
    with contextlib.suppress(StitchLabError):
        return _resolved(store, values(link))
    return None


def _resolved(store: Store, said: Mapping[str, Any]) -> Run | None:
    """Find the run of such values; None where they do not name two networks. Raises StitchLabError."""
    if not {"front", "end"} <= said.keys():
        return None
    recipe = DEFAULTS | {key: said[key] for key in _RECIPE if key in said} | {"images": said.get("train_images")}
    wanted = {key: said[key] for key in (*LISTS, "dm_images", "eval_images", "null", "seed", "data") if key in said}
    return resolve(store, said["front"], said["end"], tlm=preset(said.get("recipe", "paper"), **recipe), **wanted)


def values(link: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return what a link says by key, each as the pickers hold it; what no picker can hold is left out."""
    said: dict[str, Any] = {}
    for key in KEYS:
        texts, choices = link.get(key, ()), _CHOICES.get(key)
        named = [text for text in texts if text]  # an empty text says none of a list, and the default of all else
        if not texts or (choices is not None and not all(text in choices for text in named)):
            continue
        if key in LISTS:
            said[key] = named
        elif named and (value := _value(key, named[-1])) is not None:
            said[key] = value
    return said


def _value(key: str, text: str) -> str | int | float | None:
    """Read a text of a link; None for a number that is none, or out of the range of its picker."""
    if key not in (*_COUNTS, "seed", "lr"):
        return text
    with contextlib.suppress(ValueError):
        number = float(text) if key == "lr" else int(text)
        low, high = {"seed": (0, _MAX_SEED), "lr": (0, sys.float_info.max)}.get(key, (1, _MAX_COUNT))
        return number if low <= number <= high else None
    return None


def _recipe(tlm: TaskLoss, usual: AugmentationName) -> dict[str, Any] | None:
    """Return what the pickers of a recipe show: a preset, and what differs from it; None where no preset is near."""
    picked: dict[str, Any] = {
        "epochs": tlm.epochs,
        "lr": tlm.lr,
        "targets": tlm.targets,
        "init": tlm.init,
        "augment": tlm.augment,
        "images": tlm.images,
    }
    near = [name for name, known in PRESETS.items() if replace(known, **picked) == tlm]
    if not near:
        return None
    recipe = next((name for name in near if resolved(PRESETS[name], usual).augment == tlm.augment), near[0])
    augment = AUTO if PRESETS[recipe].augment == AUTO and tlm.augment == usual else tlm.augment
    del picked["images"]
    return {"recipe": recipe, **picked, "augment": augment, "train_images": tlm.images}

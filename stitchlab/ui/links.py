"""Links that restore a run from their own keys: those of Compare's pickers. The run's id in them is a shortcut.

A run that was only looked at is not in the store, so its id alone would lead nowhere.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from stitchlab.catalog.augmentations import usual
from stitchlab.catalog.presets import PRESETS, preset, resolved
from stitchlab.errors import StitchLabError
from stitchlab.request import AUTO, TaskLoss
from stitchlab.results import data_sets, networks
from stitchlab.results.resolve import resolve
from stitchlab.results.run import Run
from stitchlab.store import Store

#: What the pickers of a recipe show unless something else is picked; a link leaves that out.
DEFAULTS: dict[str, Any] = {key: getattr(PRESETS["paper"], key) for key in ("epochs", "lr", "augment")}

_LISTS = ("front_layers", "end_layers", "methods", "indices")
_NUMBERS = {"dm_images": int, "eval_images": int, "seed": int}
_RECIPE: dict[str, Any] = {"epochs": int, "lr": float, "targets": str, "init": str, "augment": str}


def picked(store: Store, run: Run) -> dict[str, Any] | None:
    """Say by key what each picker of Compare shows for a run; None where they cannot say it."""
    names = {network.id: network.name for network in networks.list_networks(store)}
    request = run.request
    known = run.record["data"]
    recipe = _recipe(request.tlm, usual(known["name"], tuple(known["shape"])))
    if recipe is None or not {request.front, request.end} <= names.keys():
        return None
    data = data_sets.of_fingerprint(store, request.data)
    every = data is not None and request.eval_images == data.test
    return {
        "front": names[request.front], "end": names[request.end],
        "front_layers": list(request.front_layers), "end_layers": list(request.end_layers),
        "methods": list(request.methods), "indices": list(request.indices),
        **recipe, "dm_images": request.dm.images, "eval_images": None if every else request.eval_images,
        "seed": request.seed, "data": known["name"],
    }


def query(run: Run, **more: str) -> list[tuple[str, str]]:
    """Give the keys and values of a link that leads to a run, and to more: a cell."""
    said = picked(run.store, run) or {}
    pairs = [(key, str(value)) for key, values in said.items() if values is not None
             for value in ((values or [""]) if isinstance(values, list) else [values])]  # none at all is said too
    return [("run", run.id), *pairs, *more.items()]


def read(store: Store, link: Mapping[str, Sequence[str]]) -> Run | None:
    """Find the run that the keys of a link ask for, each with its values; None where they ask for none."""
    one = {key: values[-1] for key, values in link.items() if values}
    if not {"front", "end"} <= one.keys():
        return None
    with contextlib.suppress(StitchLabError, ValueError):
        said: dict[str, Any] = {key: [v for v in link[key] if v] for key in _LISTS if key in link}
        said |= {key: kind(one[key]) for key, kind in _NUMBERS.items() if key in one}
        recipe = DEFAULTS | {key: kind(one[key]) for key, kind in _RECIPE.items() if key in one}
        recipe["images"] = int(one["train_images"]) if "train_images" in one else None
        return resolve(store, one["front"], one["end"], data=one.get("data"),
                       tlm=preset(one.get("recipe", "paper"), **recipe), **said)
    return None


def _recipe(tlm: TaskLoss, usual: str) -> dict[str, Any] | None:
    """What the pickers of a recipe show: a preset, and what is picked beside it; None where no preset is near."""
    picked: dict[str, Any] = {"epochs": tlm.epochs, "lr": tlm.lr, "targets": tlm.targets, "init": tlm.init,
                              "augment": tlm.augment, "images": tlm.images}
    near = [name for name, known in PRESETS.items() if replace(known, **picked) == tlm]
    if not near:
        return None
    recipe = next((name for name in near if resolved(PRESETS[name], usual).augment == tlm.augment), near[0])
    augment = AUTO if PRESETS[recipe].augment == AUTO and tlm.augment == usual else tlm.augment
    del picked["images"]
    return {"recipe": recipe, **picked, "augment": augment, "train_images": tlm.images}

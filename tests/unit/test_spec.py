"""Requests: canonical JSON, identity, and which keys hang on which fields."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import pytest

from stitchlab.catalog.indices import INDICES as CATALOG
from stitchlab.catalog.presets import PRESETS, preset
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.request import (
    DEFINITIONS,
    METHODS,
    DirectMatching,
    Request,
    TaskLoss,
    canonical,
    content_id,
    derived_seed,
)
from stitchlab.results.definitions import todays
from stitchlab.results.keys import accuracy_key, cell_key, functional_key, index_key, map_key, null_key

VERSIONS = {**DEFINITIONS, "cka": 1, "pwcca": 1, "opd": 1}
REQUEST = Request(
    front="a" * 64,
    end="b" * 64,
    data="c" * 64,
    front_layers=("x", "y"),
    end_layers=("u", "v"),
    eval_images=500,
    indices=("cka", "pwcca", "opd"),
    definitions=VERSIONS,
)


@dataclass(frozen=True)
class Point:
    b: tuple[int, ...]
    a: float


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": (1, 2), "a": 0.5}, '{"a":0.5,"b":[1,2]}'),
        (Point((3,), 1e-3), '{"a":0.001,"b":[3]}'),
        ([None, True, "é"], r'[null,true,"\u00e9"]'),
        ({"z": {"y": 1, "x": 2}}, '{"z":{"x":2,"y":1}}'),
    ],
)
def test_canonical_json(value: Any, text: str) -> None:
    assert canonical(value) == text


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nothing_undefined_gets_in(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"a": value})


def test_identity_is_the_sha256_of_the_canonical_json() -> None:
    assert content_id({"a": 1}) == "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
    assert content_id({"b": 1, "a": 2}) == content_id({"a": 2, "b": 1})
    assert content_id(REQUEST).startswith(REQUEST.id)
    assert len(REQUEST.id) == 16


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"tlm": TaskLoss(epochs=2, init="dm")},
        {"methods": (), "seed": 7},
        {"dm": DirectMatching(images=3)},
        {"indices": ("cka",), "definitions": {**VERSIONS, "dm": 9}},
    ],
)
def test_a_request_comes_back_from_its_json(change: dict[str, Any]) -> None:
    asked = replace(REQUEST, **change)
    back = Request.from_json(json.loads(canonical(asked)))
    assert back == asked
    assert back.id == asked.id


def test_a_request_with_strange_fields_is_refused() -> None:
    with pytest.raises(StitchLabError, match="fields that StitchLab does not know: colour"):
        Request.from_json({**asdict(REQUEST), "colour": "red"})


Key = Callable[[Request], str]
KEYS: dict[str, Key] = {
    "dm map": lambda r: map_key(r, "dm", "x", "u"),
    "tlm map": lambda r: map_key(r, "tlm", "x", "u"),
    "dm cell": lambda r: cell_key(r, "dm", "x", "u"),
    "tlm cell": lambda r: cell_key(r, "tlm", "x", "u"),
    "dm functional": lambda r: functional_key(r, "dm", "x", "u"),
    "tlm functional": lambda r: functional_key(r, "tlm", "x", "u"),
    "cka": lambda r: index_key(r, "cka", "x", "u"),
    "pwcca": lambda r: index_key(r, "pwcca", "x", "u"),
    "opd": lambda r: index_key(r, "opd", "x", "u"),
    "null": lambda r: null_key(r, "cka", "x", "u"),
    "accuracy": lambda r: accuracy_key(r, r.end),
}
DM, TLM = {"dm map", "dm cell", "dm functional"}, {"tlm map", "tlm cell", "tlm functional"}
INDICES = {"cka", "pwcca", "opd", "null"}
EVERY = set(KEYS)


def recipe(**change: Any) -> dict[str, Any]:
    return {"tlm": replace(REQUEST.tlm, **change)}


def definition(name: str) -> dict[str, Any]:
    return {"definitions": {**VERSIONS, name: VERSIONS[name] + 1}}


# What is changed in the request, and exactly which keys change with it.
CHANGES: list[tuple[str, dict[str, Any], set[str]]] = [
    ("front", {"front": "d" * 64}, EVERY - {"accuracy"}),
    ("end", {"end": "d" * 64}, EVERY),
    ("data", {"data": "d" * 64}, EVERY),
    ("seed", {"seed": 1}, EVERY),
    ("precision", {"precision": "bf16"}, EVERY),
    ("null", {"null": 200}, {"null"}),
    ("eval_images", {"eval_images": 501}, EVERY - {"dm map", "tlm map"}),
    ("dm.images", {"dm": DirectMatching(images=101)}, DM),
    ("tlm.epochs", recipe(epochs=31), TLM),
    ("tlm.lr", recipe(lr=2e-3), TLM),
    ("tlm.weight_decay", recipe(weight_decay=0.0), TLM),
    ("tlm.batch", recipe(batch=255), TLM),
    ("tlm.schedule", recipe(schedule="one-cycle"), TLM),
    ("tlm.targets", recipe(targets="soft"), TLM),
    ("tlm.init", recipe(init="dm"), TLM),
    ("tlm.optimiser", recipe(optimiser="soap"), TLM),
    ("tlm.augment", recipe(augment="flip-crop"), TLM),
    ("tlm.images", recipe(images=500), TLM),
    ("definitions.dm", definition("dm"), DM),
    ("definitions.tlm", definition("tlm"), TLM),
    ("definitions.evaluation", definition("evaluation"), {"dm cell", "tlm cell", "accuracy"}),
    ("definitions.functional", definition("functional"), {"dm functional", "tlm functional"}),
    ("definitions.input", definition("input"), EVERY),
    ("definitions.soap", definition("soap"), set()),  # of another optimiser than this request's
    ("definitions.cka", definition("cka"), {"cka", "null"}),
    ("definitions.pwcca", definition("pwcca"), {"pwcca"}),
    ("definitions.opd", definition("opd"), {"opd"}),
    # What is asked for decides which cells there are, never what one cell is.
    ("front_layers", {"front_layers": ("x", "y", "z")}, set()),
    ("end_layers", {"end_layers": ("u",)}, set()),
    ("methods", {"methods": ("dm",)}, set()),
    ("indices", {"indices": ()}, set()),
]


@pytest.mark.parametrize(("field", "change", "wanted"), CHANGES, ids=[field for field, _, _ in CHANGES])
def test_changing_a_field_changes_its_keys_and_no_others(field: str, change: dict[str, Any], wanted: set[str]) -> None:
    changed = replace(REQUEST, **change)
    assert {name for name, key in KEYS.items() if key(changed) != key(REQUEST)} == wanted
    assert changed.id != REQUEST.id


def test_the_list_of_fields_is_complete() -> None:
    there = {f.name for f in fields(Request)} - {"dm", "tlm", "definitions"}
    there |= {f"dm.{f.name}" for f in fields(DirectMatching)} | {f"tlm.{f.name}" for f in fields(TaskLoss)}
    there |= {f"definitions.{name}" for name in VERSIONS}
    assert {field for field, _, _ in CHANGES} == there


def test_what_was_asked_for_before_a_field_was_there_keeps_its_id() -> None:
    later = ("optimiser", "augment")
    assert "null" not in canonical(REQUEST)
    assert not any(field in canonical(REQUEST) for field in later)
    assert "images" not in canonical(REQUEST.tlm)
    assert "optimiser" in canonical(replace(REQUEST, tlm=replace(REQUEST.tlm, optimiser="soap")))
    old = {**asdict(REQUEST), "tlm": {k: v for k, v in asdict(REQUEST.tlm).items() if k not in (*later, "images")}}
    assert Request.from_json(json.loads(json.dumps(old))).id == REQUEST.id


def test_keys_tell_layers_methods_and_kinds_apart() -> None:
    keys = [content_id("something else")]
    for i, j in (("x", "u"), ("x", "v"), ("y", "u"), ("u", "x")):
        keys += [map_key(REQUEST, m, i, j) for m in METHODS] + [cell_key(REQUEST, m, i, j) for m in METHODS]
        keys += [index_key(REQUEST, name, i, j) for name in ("cka", "pwcca", "opd")]
    keys += [accuracy_key(REQUEST, REQUEST.end), accuracy_key(REQUEST, REQUEST.front)]
    assert len(keys) == len(set(keys))


def test_from_direct_matching_hangs_on_k_and_its_definition() -> None:
    started = replace(REQUEST, tlm=replace(REQUEST.tlm, init="dm"))
    for change in ({"dm": DirectMatching(images=7)}, definition("dm")):
        assert map_key(replace(started, **change), "tlm", "x", "u") != map_key(started, "tlm", "x", "u")


def test_soap_hangs_on_its_definition_and_keeps_its_first_ids() -> None:
    quick = replace(REQUEST, **recipe(optimiser="soap"))
    first = replace(quick, definitions={name: v for name, v in VERSIONS.items() if name != "soap"})
    keys = {map_key(r, "tlm", "x", "u") for r in (quick, first, replace(quick, **definition("soap")))}
    assert len(keys) == 3
    told = replace(quick, definitions={**VERSIONS, "soap": 1})
    assert map_key(first, "tlm", "x", "u") == map_key(told, "tlm", "x", "u")


def test_functional_metrics_changed_no_id_and_no_key_of_a_cell() -> None:
    """A request names their definition from its second version on; these keys were made by the code from before."""
    assert "functional" not in todays(METHODS, ("cka",), TaskLoss())
    assert (
        "functional"
        not in Request(front="a", end="b", data="c", front_layers=("x",), end_layers=("u",), eval_images=5).definitions
    )
    old = replace(REQUEST, definitions={name: v for name, v in VERSIONS.items() if name != "functional"})
    assert old.id == "23c27dc7935fee3b"
    assert cell_key(old, "dm", "x", "u") == "384e92ce4b52225e0a76062717645cf7242311f6f481e31187570934220cf252"
    assert functional_key(old, "dm", "x", "u") == functional_key(REQUEST, "dm", "x", "u")


def test_beyond_a_thousand_images_an_index_stays() -> None:
    one, other, third = (replace(REQUEST, eval_images=m) for m in (1000, 4000, 999))
    assert index_key(one, "cka", "x", "u") == index_key(other, "cka", "x", "u") != index_key(third, "cka", "x", "u")


def test_averages_over_positions_are_of_all_images_since_their_second_version() -> None:
    """Keys from before stay: these were made by the code of then."""
    many = replace(REQUEST, eval_images=5000)
    for name, key in (
        ("cka", "2bf25499b986047012c9850a263e03dd737806730eb533653b881b9176fc90dc"),
        ("pwcca", "4b7293db14a69a4d753b0a3585f1ee6be09d2c5601d02916e24bf9b147b17438"),
        ("opd", "4254896e3b67ac25b3b20a825bef61030e3b4efecb0876a0eab827e0fd1ae4f4"),
    ):
        assert index_key(many, name, "x", "u") == key
    versions = {**VERSIONS, **{name: index.version for name, index in CATALOG.items()}}
    few, many = (replace(REQUEST, eval_images=m, definitions=versions) for m in (1000, 5000))
    assert {name for name in CATALOG if index_key(few, name, "x", "u") != index_key(many, name, "x", "u")} == {
        name for name, index in CATALOG.items() if index.needs == "averages"
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epoch.*, got 0"),
        ({"epochs": -3}, "epoch.*, got -3"),
        ({"lr": 0.0}, "got 0.0 and"),
        ({"lr": -1e-3}, "got -0.001 and"),
        ({"lr": math.nan}, "got nan and"),
        ({"lr": math.inf}, "got inf and"),
        ({"batch": 0}, "got 0"),
        ({"batch": -1}, "got -1"),
        ({"weight_decay": -1.0}, "and -1.0"),
        ({"weight_decay": math.nan}, "and nan"),
        ({"weight_decay": math.inf}, "and inf"),
        ({"schedule": "cosine"}, "no schedule is called 'cosine'"),
        ({"targets": "label"}, "nearest: labels"),
        ({"init": "random"}, "'random'"),
        ({"images": "5"}, "expected a whole number, got '5'"),
        ({"images": 5.5}, "got 5.5"),
        ({"epochs": True}, "got True"),
        ({"augment": "rotate"}, "'rotate'"),
    ],
)
def test_bad_recipes_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(StitchLabError, match=message):
        TaskLoss(**change)


def test_presets() -> None:
    assert preset("paper") == PRESETS["paper"] == replace(REQUEST.tlm, augment="auto")
    assert preset("plain") == REQUEST.tlm  # what `paper` was before StitchLab augmented
    assert preset("quick", epochs=2) == replace(PRESETS["quick"], epochs=2)
    with pytest.raises(UnknownName, match="no TLM preset is called 'papper'; nearest: paper"):
        preset("papper")


def test_seeds_hang_on_their_parts() -> None:
    made = [derived_seed(*parts) for parts in (("a", 0), ("a", 1), ("b", 0), ("a", 0, "x"), ("a0",))]
    assert len(set(made)) == 5
    assert made[0] == derived_seed("a", 0)
    assert all(0 <= seed < 2**63 for seed in made)
    assert derived_seed("a", 0) == int(hashlib.sha256(b'["a",0]').hexdigest()[:16], 16) // 2

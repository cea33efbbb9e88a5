"""The public API: loaded on use (PEP 562), the same for editors, notebooks and those who have no PyTorch."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from blocked import python

import stitchlab
from stitchlab.catalog.indices import INDICES

FILE = Path(stitchlab.__file__)

#: Called as its types forbid.
API: Any = stitchlab


def typed() -> dict[str, str]:
    """What type checkers are told: each name with where it comes from, ``module:name``."""
    blocks = [
        node
        for node in ast.parse(FILE.read_text()).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    assert len(blocks) == 1
    imports = [node for node in blocks[0].body if isinstance(node, ast.ImportFrom)]
    assert len(imports) == len(blocks[0].body)
    return {alias.asname or alias.name: f"{node.module}:{alias.name}" for node in imports for alias in node.names}


def test_type_checkers_are_told_what_is_loaded() -> None:
    told = typed()
    places = {name: f"stitchlab.{place}" for name, place in stitchlab._DEFINED_IN.items()}
    assert told | {"__version__": "stitchlab.results.version:VERSION"} == places
    assert list(stitchlab.__all__) == sorted(told)
    assert stitchlab.__annotations__ == {"__version__": str}


@pytest.mark.parametrize("name", stitchlab.__all__)
def test_every_name_is_what_its_module_has(name: str) -> None:
    module, _, called = typed()[name].partition(":")
    assert getattr(stitchlab, name) is getattr(importlib.import_module(module), called)
    assert name in dir(stitchlab)


def test_what_there_is_not_is_an_attribute_error() -> None:
    name = "stich"
    with pytest.raises(AttributeError, match="module 'stitchlab' has no attribute 'stich'"):
        getattr(stitchlab, name)
    with pytest.raises(ImportError, match="cannot import name 'stich'"):
        exec("from stitchlab import stich")
    assert not hasattr(stitchlab, "_nothing")


def test_importing_it_loads_nothing_and_using_a_name_loads_that() -> None:
    done = python(
        "import sys, stitchlab\n"
        "print(*sorted(name for name in sys.modules if name.startswith('stitchlab')))\n"
        "print(*(name for name in stitchlab.__all__ if name not in dir(stitchlab)))\n"
        "from stitchlab import Store, list_runs, Request\n"
        "assert stitchlab.Store is Store\n"
        "print('numpy' in sys.modules, 'torch' in sys.modules)\n"
        "try:\n    stitchlab.compare\nexcept ImportError as error:\n    print(error.name)\n",
        blocked=True,
    )
    assert done.returncode == 0, done.stderr
    loaded, absent, used, missing = done.stdout.split("\n")[:4]
    assert (loaded, absent, used) == ("stitchlab", "", "True False")
    assert missing in ("torch", "torchvision", "scipy", "sklearn")


def parameters(name: str) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(getattr(stitchlab, name)).parameters)


@pytest.mark.parametrize("name", [name for name in stitchlab.__all__ if inspect.isclass(getattr(stitchlab, name))])
def test_every_public_object_says_what_it_is(name: str) -> None:
    assert getattr(stitchlab, name).__repr__ is not object.__repr__


FUNCTIONS = [name for name in stitchlab.__all__ if inspect.isfunction(getattr(stitchlab, name))]
KEPT = [name for name in FUNCTIONS if "store" in parameters(name)]
COMPUTING = [name for name in FUNCTIONS if "device" in parameters(name)]


def test_there_is_something_to_look_at() -> None:
    assert KEPT == [
        "ask",
        "check",
        "compare",
        "import_weights",
        "list_networks",
        "list_runs",
        "load_data",
        "load_network",
        "probe",
        "train",
        "untrained",
    ]
    assert COMPUTING == ["check", "compare", "detect", "import_weights", "load_network", "probe", "train", "untrained"]


@pytest.mark.parametrize("name", KEPT)
def test_the_store_is_the_last_that_is_given_by_place_and_may_be_left_out(name: str) -> None:
    places = [p for p in parameters(name).values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert (places[-1].name, places[-1].default) == ("store", None)
    assert all(p.default is p.empty for p in places[:-1])


@pytest.mark.parametrize("name", COMPUTING)
def test_every_device_is_found_unless_one_is_named(name: str) -> None:
    device = parameters(name)["device"]
    assert (device.kind, device.default) == (device.KEYWORD_ONLY, "auto")


def test_a_run_is_loaded_in_the_same_order() -> None:
    assert list(inspect.signature(stitchlab.Run.load).parameters) == ["name", "store"]


def test_all_of_it_works_without_a_store_and_without_a_device(
    store: stitchlab.Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STITCHLAB_CACHE", str(store.root))
    digits = stitchlab.load_data("digits")
    made = stitchlab.train("mlp", digits, epochs=1, name="auto", device="auto")
    assert stitchlab.untrained("mlp", digits, name="fresh", device=torch.device("cpu")).name == "fresh"
    loaded = stitchlab.load_network("auto")
    torch.save(loaded.module.state_dict(), tmp_path / "w.pt")
    brought = stitchlab.import_weights(tmp_path / "w.pt", arch="mlp", data="digits", name="brought", mean=[0.5])
    assert {made.name, brought.name} <= {network.name for network in stitchlab.list_networks()}
    layers: dict[str, Any] = {
        "front_layers": ["layer2.1"],
        "end_layers": ["layer3.1"],
        "methods": ["dm"],
        "indices": [],
    }
    asked = stitchlab.ask("digits-a", "digits-b", **layers)
    run = stitchlab.compare("digits-a", "digits-b", **layers)
    assert run.complete
    assert stitchlab.Run.load(run.id).id == asked.id == run.id == stitchlab.list_runs()[0].id
    assert stitchlab.probe("digits-a", layers=["layer3.1"], train_images=50).complete
    assert not stitchlab.detect(run, detectors=["knn"]).lacking(["knn"], [("dm", "layer2.1", "layer3.1")])


@pytest.mark.parametrize("name", ["train", "untrained", "load_network", "compare", "probe", "import_weights"])
def test_an_unknown_device_is_one_line_before_anything_is_made(
    name: str, store: stitchlab.Store, tmp_path: Path
) -> None:
    digits = stitchlab.load_data("digits", store)
    every: dict[str, list[Any]] = {
        "train": ["mlp", digits],
        "untrained": ["mlp", digits],
        "load_network": ["digits-a"],
        "probe": ["digits-b"],
        "compare": ["noise", "digits-b"],
        "import_weights": [tmp_path / "w.pt"],
    }
    more = {"arch": "mlp", "data": digits, "name": "x"} if name == "import_weights" else {}
    before = sorted(store.root.rglob("*"))
    with pytest.raises(stitchlab.UnknownName, match="no device is called 'gpu'"):
        getattr(stitchlab, name)(*every[name], store, device="gpu", **more)
    assert sorted(store.root.rglob("*")) == before


@pytest.mark.parametrize(
    "call",
    [
        lambda store: API.compare(store, "digits-a", "digits-b"),
        lambda store: API.load_network(store, "digits-a"),
        lambda store: API.compare("digits-a", "digits-b", str(store.root)),
        lambda store: API.Run.load(store, "abcdef"),
        lambda store: API.list_networks(str(store.root)),
    ],
)
def test_a_store_in_another_place_is_one_line(call: Any, store: stitchlab.Store) -> None:
    with pytest.raises(stitchlab.StitchLabError, match=r"store: expected a stitchlab\.Store, got str") as raised:
        call(store)
    assert "\n" not in str(raised.value)


X = torch.randn(6, 3, 4, 4)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (
            X,
            X[:5],
            r"expected activations of the same N ≥ 1 images at both layers; got \(6, 3, 4, 4\) and \(5, 3, 4, 4\)",
        ),
        (X[:0], X[:0], r"of the same N ≥ 1 images"),
        (X[0, 0, 0], X, r"front layer's .* got torch.float32 \(4,\)"),
        (X, X[None], r"end layer's .* got torch.float32 \(1, 6, 3, 4, 4\)"),
        (X, X.int(), "end layer's .* got torch.int32"),
        (X.numpy(), X, "front layer's .* got ndarray"),
        (None, X, "front layer's .* got NoneType"),
    ],
)
@pytest.mark.parametrize("index", INDICES)
def test_what_are_no_activations_of_the_same_images_is_one_line(index: str, x: Any, y: Any, message: str) -> None:
    with pytest.raises(stitchlab.StitchLabError, match=message) as raised:
        stitchlab.measure(index, x, y)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("tml", "accuracy"), "no method or similarity index of this run is called 'tml'; nearest: tlm"),
        (("tlm", "acuracy"), "no metric of tlm is called 'acuracy'; nearest: accuracy"),
        (("cka", "distance"), "no metric of cka is called 'distance'"),
        (("dm", "similarity"), "no metric of dm"),
    ],
)
def test_what_a_run_has_not_is_no_matrix(asked: tuple[str, str], message: str, run: stitchlab.Run) -> None:
    with pytest.raises(stitchlab.UnknownName, match=message):
        run.matrix(*asked)
    with pytest.raises(stitchlab.UnknownName):
        run.value(*asked, run.request.front_layers[0], run.request.end_layers[0])


def test_a_method_that_a_run_was_not_asked_for_has_no_matrix_and_no_value(run: stitchlab.Run) -> None:
    other = stitchlab.ask("digits-a", "digits-b", run.store, methods=["dm"], indices=["opd"])
    layers = other.request.front_layers[0], other.request.end_layers[0]
    for name, metric in (("tlm", "accuracy"), ("cka", "similarity")):
        assert other.value(name, metric, *layers) is None
        with pytest.raises(stitchlab.UnknownName, match="of this run is called"):
            other.matrix(name, metric)
    with pytest.raises(stitchlab.UnknownName, match="no front layer of this run is called 'layer9'"):
        other.value("dm", "accuracy", "layer9", layers[1])
    with pytest.raises(stitchlab.UnknownName, match="no end layer of this run is called 'layer9'"):
        other.value("dm", "accuracy", layers[0], "layer9")


@pytest.mark.parametrize(
    "asked", [("nkk", "dm", "auroc"), ("knn", "md", "auroc"), ("knn", "dm", "ratio"), ("frechet", "dm", "auroc")]
)
def test_what_no_detector_says_is_no_matrix(asked: tuple[str, Any, str], run: stitchlab.Run) -> None:
    with pytest.raises(stitchlab.UnknownName):
        stitchlab.DetectionResults(run).matrix(*asked)

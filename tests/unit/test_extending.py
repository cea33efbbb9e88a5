"""docs/extending.md: each of its examples is put where the page says, and used as StitchLab uses its own."""

from __future__ import annotations

import doctest
import importlib
import re
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pytest
from handy import sure

import stitchlab
from stitchlab.catalog import architectures, checks, data_sets, detectors, indices
from stitchlab.data import loaders
from stitchlab.models import zoo
from stitchlab.store import Store
from unit.test_imports import HOUSE

PAGE = (HOUSE / "docs" / "extending.md").read_text()
DIGITS = ("digits-a", "digits-b")
LAYERS = ("layer1.0", "layer2.1", "layer3.1")


def section(title: str) -> dict[str, str]:
    """The examples of a section, by the last place (a file, or a name) that the paragraph before each names."""
    text = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    parts = re.split(r"```python\n(.*?)```", text, flags=re.DOTALL)
    return {_place(before): code for before, code in zip(parts[::2], parts[1::2], strict=False)}


def _place(text: str) -> str:
    """What the last words `File`, `Entry in` or `Function in` of a text are followed by."""
    places: list[str] = re.findall(r"(?:File|Entry\s+in|Function\s+in)\s+`([^`]+)`", text)
    return places[-1]


def file(monkeypatch: pytest.MonkeyPatch, path: str, code: str) -> ModuleType:
    """Makes a file of the package for the length of a test, and runs the examples in it."""
    name = path.removesuffix(".py").replace("/", ".")
    assert not (HOUSE / path).exists(), "it would hide a file that is there"
    made = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, made)
    exec(compile(code, path, "exec"), made.__dict__)
    assert made.__doc__
    finder, runner = doctest.DocTestFinder(exclude_empty=True), doctest.DocTestRunner()
    for value in vars(made).values():
        if getattr(value, "__module__", "") == name:
            for test in finder.find(value, globs=dict(vars(made))):
                runner.run(test)
    assert not runner.failures
    return made


def entry(monkeypatch: pytest.MonkeyPatch, catalog: dict[str, Any], module: ModuleType, code: str) -> Any:
    """Adds an entry to a catalog for the length of a test."""
    made = eval(code, dict(vars(module)))
    assert made.name not in catalog
    monkeypatch.setitem(catalog, made.name, made)
    return made


def function(monkeypatch: pytest.MonkeyPatch, there: dict[str, Any], code: str, known: Mapping[str, Any]) -> None:
    """Adds `"name": function` to a table of functions for the length of a test."""
    for name, made in eval("{" + code + "}", dict(known)).items():
        assert name not in there
        monkeypatch.setitem(there, name, made)


def test_the_page_has_the_five_examples() -> None:
    titles = ("An index", "A detector", "A check", "A data set", "An architecture")
    assert [len(section(title)) for title in titles] == [2, 2, 2, 3, 3]


def test_an_index_is_measured(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    code = section("An index")
    file(monkeypatch, "stitchlab/indices/rv.py", code["stitchlab/indices/rv.py"])
    entry(monkeypatch, indices.INDICES, indices, code["stitchlab.catalog.indices.INDICES"])
    run = stitchlab.compare(*DIGITS, store, methods=[], indices=["rv"], null=40, front_layers=LAYERS, end_layers=LAYERS)
    same = stitchlab.compare(
        DIGITS[0], DIGITS[0], store, methods=[], indices=["rv"], front_layers=LAYERS, end_layers=LAYERS
    )
    assert run.complete
    assert ((run.matrix("rv", "similarity") > 0) & (run.matrix("rv", "similarity") < 1)).all()
    assert same.matrix("rv", "similarity").diagonal() == pytest.approx([1, 1, 1])
    assert run.matrix("rv", "null95").max() < 0.3


def test_a_detector_is_evaluated(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    code = section("A detector")
    path = "stitchlab/ood/detectors/extreme_channel.py"
    file(monkeypatch, path, code[path])
    entry(monkeypatch, detectors.DETECTORS, detectors, code["stitchlab.catalog.detectors.DETECTORS"])
    run = stitchlab.compare(
        *DIGITS, store, methods=["dm"], indices=[], front_layers=["layer3.1"], end_layers=["layer1.0"]
    )
    found = stitchlab.detect(run, detectors=["extreme-channel"])
    auroc = found.interval("extreme-channel", "dm", "auroc", "layer3.1", "layer1.0").value
    assert 0.5 < sure(auroc) <= 1
    assert found.reliability("extreme-channel", "layer1.0").holds is not None


def test_a_check_is_answered(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    code = section("A check")
    path = "stitchlab/checks/both_directions.py"
    file(monkeypatch, path, code[path])
    entry(monkeypatch, checks.CHECKS, checks, code["stitchlab.catalog.checks.CHECKS"])
    said = stitchlab.check(DIGITS, store, checks=["both-directions"], methods=["dm"], indices=["cka", "pwcca"])
    rows = {row.subject: row for row in said.rows(["both-directions"])}
    assert rows["cka/similarity"].value == pytest.approx(1)
    assert rows["cka/similarity"].verdict == "pass"
    assert sure(rows["dm/accuracy"].value) < 0.95
    assert rows["dm/accuracy"].verdict == "fail"
    evidence = sure(said.answer("both-directions", "pwcca/distance")).evidence
    assert [figure["kind"] for figure in evidence["figures"]] == ["matrix"]
    assert len(evidence["runs"]) == 2


def test_a_data_set_is_loaded_and_an_architecture_trained_on_it_and_stitched(
    monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    code = section("A data set")
    known = dict(vars(loaders))
    exec(code["stitchlab/data/loaders.py"], known)
    function(monkeypatch, loaders.LOADERS, code["stitchlab.data.loaders.LOADERS"], known)
    entry(monkeypatch, data_sets.DATA_SETS, data_sets, code["stitchlab.catalog.data_sets.DATA_SETS"])
    shapes = stitchlab.load_data("shapes", store)
    stated = data_sets.DATA_SETS["shapes"]
    assert (shapes.classes, shapes.shape, len(shapes.train), len(shapes.test)) == (
        stated.classes,
        stated.shape,
        stated.train,
        stated.test,
    )
    assert stitchlab.load_data("shapes", store).fingerprint == shapes.fingerprint

    code = section("An architecture")
    conv4 = file(monkeypatch, "stitchlab/models/zoo/conv4.py", code["stitchlab/models/zoo/conv4.py"])
    function(monkeypatch, zoo._BUILDERS, code["stitchlab.models.zoo._BUILDERS"], vars(conv4))
    made = entry(
        monkeypatch, architectures.ARCHITECTURES, architectures, code["stitchlab.catalog.architectures.ARCHITECTURES"]
    )
    monkeypatch.setitem(zoo.REGISTRY, "conv4", zoo.Architecture.of(made, zoo._BUILDERS["conv4"]))
    for seed, name in enumerate(("one", "two")):
        network = stitchlab.train("conv4", shapes, store, name=name, seed=seed, epochs=4, options={"width": 16})
        assert network.accuracy is not None
        assert network.accuracy > 0.8
    run = stitchlab.compare("one", "two", store, tlm=stitchlab.preset("quick"), indices=["cka"])
    assert run.request.front_layers == tuple(f"blocks.{k}" for k in range(4))
    assert run.complete
    assert run.matrix("dm", "accuracy")[0, 0] > 0.6


def test_the_examples_are_found_by_the_names_that_the_page_gives_them() -> None:
    for name in re.findall(r"`(stitchlab(?:\.\w+)+)`", PAGE):
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name
    examples = {place for title in re.findall(r"^## (.*)$", PAGE, re.MULTILINE) for place in section(title)}
    for path in re.findall(r"`((?:stitchlab|tests|docs)/[\w/]*\.\w+)`", PAGE):
        assert path in examples or (HOUSE / path).exists(), path

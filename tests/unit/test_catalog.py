"""The catalog: literal data that the reading wing can load, and whose names lead to the functions that compute."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import sys
from pathlib import Path

import pytest

import stitchlab
from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.outliers import DATA, OUTLIERS, check_kind
from stitchlab.errors import UnknownName
from stitchlab.indices import index_function
from stitchlab.ood import outliers
from stitchlab.ood.detectors import detector_function

PACKAGE = Path(stitchlab.__file__).parent
CATALOG = sorted((PACKAGE / "catalog").glob("*.py"))
ALLOWED = ("stitchlab.catalog", "stitchlab.errors", "stitchlab.request")
MODULES = sorted(module.name for module in pkgutil.walk_packages([str(PACKAGE)], "stitchlab."))


def files(folder: str) -> set[str]:
    return {path.stem for path in (PACKAGE / folder).glob("*.py")} - {"__init__"}


@pytest.mark.parametrize("path", CATALOG, ids=lambda path: path.stem)
def test_the_catalog_imports_the_standard_library_and_what_requests_are(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(node, ast.Import), ast.unparse(node)
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            assert module.split(".")[0] in sys.stdlib_module_names or module.startswith(ALLOWED), module


def test_every_index_has_its_file_and_every_file_its_index() -> None:
    shared = {"statistics", "two_layers", "grams", "second_moments", "distances", "null", "halves"}
    assert files("indices") - shared == {(i.formula or i.name).replace("-", "_") for i in INDICES.values()}
    for name, index in INDICES.items():
        assert index.name == name
        assert inspect.isfunction(index_function(name))


def test_every_detector_has_its_file_and_every_file_its_detector() -> None:
    assert files("ood/detectors") == {name.replace("-", "_") for name in DETECTORS}
    for name, detector in DETECTORS.items():
        taken = list(inspect.signature(detector_function(name)).parameters)
        assert taken == (["native", "other", "paired", "bounds"] if detector.compares else ["native"])


def test_every_kind_of_outliers_has_its_function_and_every_function_its_kind() -> None:
    made = {
        name
        for name, value in vars(outliers).items()
        if inspect.isfunction(value) and list(inspect.signature(value).parameters) == ["images", "generator"]
    }
    assert made == {name.replace("-", "_") for name in OUTLIERS}
    for name in OUTLIERS:
        check_kind(name)
    with pytest.raises(UnknownName, match=f"'{DATA}'; nearest: {DATA}NAME"):
        check_kind(DATA)


@pytest.mark.parametrize("name", MODULES)
def test_no_module_is_hidden_by_something_of_its_name(name: str) -> None:
    module = importlib.import_module(name)
    package, _, last = name.rpartition(".")
    assert getattr(sys.modules[package], last) is module, f"`import {name}` and `from {package} import {last}` differ"

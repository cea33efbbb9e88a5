"""What others find beside the code: how to cite it, what changed, forms for issues, the workflow. All of it agrees."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
import yaml

import stitchlab
from unit.test_imports import HOUSE

PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
FORMS = sorted(path for path in (HOUSE / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")


def read(name: str) -> Any:
    return yaml.safe_load((HOUSE / name).read_text())


def test_the_citation_has_what_its_schema_requires_and_names_the_paper() -> None:
    cited = read("CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()
    assert (cited["cff-version"], cited["type"]) == ("1.2.0", "software")
    assert cited["version"] == stitchlab.__version__
    (paper,) = cited["references"]
    assert {"type", "title", "authors"} <= paper.keys()
    assert paper["url"] == "https://arxiv.org/abs/2412.11299"
    assert [author["family-names"] for author in paper["authors"]] == ["Balogh", "Jelasity"]


def test_changes_are_told_up_to_this_version() -> None:
    text = (HOUSE / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", text, re.MULTILINE)
    assert headings[0] == ("Unreleased", "")
    assert headings[1] == (stitchlab.__version__, str(read("CITATION.cff")["date-released"]))


def test_the_workflow_runs_on_every_python_that_is_named() -> None:
    jobs = read(".github/workflows/ci.yml")["jobs"]
    tested = jobs["test"]["strategy"]["matrix"]
    prefix = "Programming Language :: Python :: "
    named = [text.removeprefix(prefix) for text in PROJECT["classifiers"] if text.startswith(f"{prefix}3.")]
    assert tested == {"python": named, "versions": ["newest", "lowest"]}
    assert PROJECT["requires-python"] == f">={named[0]}"
    assert ".ci/run" in [step.get("run") for step in jobs["test"]["steps"]]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_asks_for_something(path: Any) -> None:
    form = yaml.safe_load(path.read_text())
    assert {"name", "description", "body"} <= form.keys()
    asked = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in asked}) == len(asked) > 0
    assert {field["type"] for field in asked} <= {"input", "textarea", "dropdown", "checkboxes"}
    assert all(field["attributes"]["label"] for field in asked)

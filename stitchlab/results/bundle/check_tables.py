"""Write and read the tables of checks in a .stitch file: all statistics of the suites that its run belongs to."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from stitchlab.catalog.checks import CHECKS
from stitchlab.catalog.indices import INDICES
from stitchlab.errors import StitchLabError
from stitchlab.request import METHODS, canonical, checked_seed
from stitchlab.results.bundle.checks import Wrong, need
from stitchlab.results.bundle.layout import MAX_IMAGES, MAX_NETWORKS, MAX_PERMUTATIONS, MAX_SUITES, MAX_TITLE, TABLES
from stitchlab.results.bundle.opened import Opened
from stitchlab.results.bundle.private import private
from stitchlab.results.checks.answers import ROOM, SUITES, Answers, Number, answers_of, key, suites
from stitchlab.results.checks.suite import Checking, Suite, wanted
from stitchlab.results.checks.table import applies, has
from stitchlab.results.run import Run

_NUMBER = {
    "?value": (float, None),
    "?low": (float, None),
    "?high": (float, None),
    "?p": (float, None),
    "?reason": str,
    "?bound": (float, None),
    "?least_p": (float, None),
}
_TABLES = {
    "suites": [{"id": str, "suite": {}, "networks": [str], "created": str, "checks": {str: {str: {str: _NUMBER}}}}]
}


def tables(run: Run) -> dict[str, Any] | None:
    """Return the results of checks for the suites that a run belongs to, newest first; None if there are none."""
    tables_of_suites: list[dict[str, Any]] = []
    for record in suites(run.store):
        arguments = record["wanted"]
        if (
            len(tables_of_suites) < MAX_SUITES
            and _belongs(run, arguments["names"], arguments["data"], arguments["seed"])
            and (answers := answers_of(run.store, record)) is not None
            and answers.kept
        ):
            tables_of_suites.append(
                {
                    "id": answers.suite.id,
                    "suite": json.loads(canonical(answers.suite)),
                    "networks": private(answers.checking.names),
                    "created": record["created"],
                    "checks": {check: _statistics(answers, check) for check in answers.kept},
                }
            )
    return {"suites": tables_of_suites} if tables_of_suites else None


def put(opened: Opened) -> None:
    """Copy the tables of a file into the store that is being filled. Raises Wrong."""
    if TABLES not in opened.entries:
        return
    tables_of_suites = opened.parsed(TABLES, _TABLES)["suites"]
    need(0 < len(tables_of_suites) <= MAX_SUITES, f"{TABLES} has too many suites, or none")
    for table in tables_of_suites:
        _put(opened, table)


def _belongs(run: Run, networks: Sequence[str], data: str, seed: int) -> bool:
    """Tell whether a run belongs to a suite: its networks are the suite's, except that the front may be a control."""
    request, control = run.request, run.record["front"]["origin"].get("how") == "control"
    return (
        (request.data, request.seed) == (data, seed)
        and request.end in networks
        and (control or request.front in networks)
    )


def _statistics(answers: Answers, check: str) -> dict[str, Any]:
    """Return the statistics of a check, by measure and name; empty fields are left out."""
    of_measures = ((subject, answers.answer(check, subject)) for subject in answers.suite.subjects)
    return {
        subject: {
            name: {field: private(value) for field, value in number._asdict().items() if value not in (None, "")}
            for name, number in answer.statistics.items()
        }
        for subject, answer in of_measures
        if answer is not None and answer.statistics
    }


def _put(opened: Opened, table: dict[str, Any]) -> None:
    suite, suite_id = _suite(table), table["id"]
    need((SUITES, suite_id) not in opened.values, f"{TABLES} has a suite twice")
    need(
        _belongs(opened.run, suite.networks, suite.data, suite.seed),
        f"{TABLES} has a suite that this run does not belong to",
    )
    need(
        len(table["networks"]) == len(suite.networks)
        and all(0 < len(name) <= MAX_TITLE for name in table["networks"])
        and len(table["created"]) <= MAX_TITLE,
        f"{TABLES}: its networks have no names, or too long ones",
    )
    opened.values[SUITES, suite_id] = {
        "suite": table["suite"],
        "networks": table["networks"],
        "created": table["created"],
        "wanted": wanted(Checking(opened.run.store, suite, table["networks"])),
    }
    for check, answers in table["checks"].items():
        version = suite.definitions.get(f"check {check}")
        need(version is not None, f"{TABLES} has a check that is not in its suite")
        # Answers of an unknown check, or of another definition, are left out: pages describe today's definitions.
        if check in CHECKS and version == CHECKS[check].version:
            _check(suite, check, answers)
            opened.values[ROOM, key(suite_id, check)] = {
                "answers": {subject: {"statistics": numbers, "evidence": {}} for subject, numbers in answers.items()}
            }


def _suite(table: dict[str, Any]) -> Suite:
    """Read the suite of a table, and check that its settings are possible and give its id. Raises Wrong."""
    try:
        suite = Suite.from_json(table["suite"])
        checked_seed(suite.seed)
    except StitchLabError as error:
        raise Wrong(f"{TABLES} has an invalid suite: {error}") from error
    for names, known in ((suite.methods, METHODS), (suite.indices, INDICES)):
        need(len(set(names)) == len(names) and set(names) <= set(known), f"{TABLES} has unknown measures, or one twice")
    networks = suite.networks
    need(
        0 < len(set(networks)) == len(networks) <= MAX_NETWORKS
        and all(re.fullmatch("[0-9a-f]{64}", network) for network in networks),
        f"{TABLES} has invalid ids of networks",
    )
    need(
        0 < suite.eval_images <= MAX_IMAGES
        and 0 < suite.dm.images <= MAX_IMAGES
        and 0 <= suite.null <= MAX_PERMUTATIONS,
        f"{TABLES} has a suite with impossible settings",
    )
    need(table["id"] == suite.id, f"{TABLES} has a suite whose id does not match its settings")
    return suite


def _check(suite: Suite, name: str, answers: dict[str, Any]) -> None:
    """Check that answers are those of a check, for measures of the suite. Raises Wrong."""
    check, subjects = CHECKS[name], set(suite.subjects)
    for subject, numbers in answers.items():
        need(
            subject in subjects and applies(check, subject),
            f"{TABLES} has a measure to which the check {name} does not apply",
        )
        known = {statistic.name for statistic in check.statistics if has(statistic, subject)}
        need(bool(numbers) and set(numbers) <= known, f"{TABLES} has a statistic that {name} does not have, or none")
        for number in numbers.values():
            need(set(number) <= set(Number._fields), f"{TABLES} has a number with unknown fields")
            shares = (number[part] for part in ("p", "least_p") if number.get(part) is not None)
            need(all(0 <= share <= 1 for share in shares), f"{TABLES} has a p-value outside 0..1")

"""Write and read the tables of checks in a .stitch file: every statistic of suites that its run belongs to."""

from __future__ import annotations

import json
import re
from typing import Any

from stitchlab.catalog.checks import CHECKS
from stitchlab.catalog.indices import INDICES
from stitchlab.errors import StitchLabError
from stitchlab.request import METHODS, canonical, checked_seed
from stitchlab.results.bundle.checks import Wrong, need
from stitchlab.results.bundle.layout import MOST_IMAGES, MOST_NETWORKS, MOST_PERMUTATIONS, MOST_TABLES, TABLES, TITLE
from stitchlab.results.bundle.opened import Opened
from stitchlab.results.bundle.private import private
from stitchlab.results.checks import answers as kept
from stitchlab.results.checks.answers import Answers, Number
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
    told: list[dict[str, Any]] = []
    for record in kept.suites(run.store):
        asked = record["wanted"]
        if (
            len(told) < MOST_TABLES
            and _belongs(run, asked["names"], asked["data"], asked["seed"])
            and (found := kept.answers_of(run.store, record)) is not None
            and found.kept
        ):
            told.append(
                {
                    "id": found.suite.id,
                    "suite": json.loads(canonical(found.suite)),
                    "networks": private(found.checking.names),
                    "created": record["created"],
                    "checks": {check: _statistics(found, check) for check in found.kept},
                }
            )
    return {"suites": told} if told else None


def put(of: Opened) -> None:
    """Copy the tables of a file into the store that is being filled. Raises Wrong."""
    if TABLES not in of.entries:
        return
    told = of.parsed(TABLES, _TABLES)["suites"]
    need(0 < len(told) <= MOST_TABLES, f"{TABLES} has too many suites, or none")
    for said in told:
        _put(of, said)


def _belongs(run: Run, networks: list[str] | tuple[str, ...], data: str, seed: int) -> bool:
    """Tell whether a run belongs to a suite: it has both its networks, or the front is a control."""
    request, control = run.request, run.record["front"]["origin"].get("how") == "control"
    return (
        (request.data, request.seed) == (data, seed)
        and request.end in networks
        and (control or request.front in networks)
    )


def _statistics(answers: Answers, check: str) -> dict[str, Any]:
    """Return what a check found, by measure and statistic; empty fields are left out."""
    found = ((subject, answers.answer(check, subject)) for subject in answers.suite.subjects)
    return {
        subject: {
            name: {key: private(value) for key, value in number._asdict().items() if value not in (None, "")}
            for name, number in answer.statistics.items()
        }
        for subject, answer in found
        if answer is not None and answer.statistics
    }


def _put(of: Opened, said: dict[str, Any]) -> None:
    suite, id_ = _suite(said), said["id"]
    need((kept.SUITES, id_) not in of.values, f"{TABLES} has a suite twice")
    need(
        _belongs(of.run, suite.networks, suite.data, suite.seed),
        f"{TABLES} has a suite that this run does not belong to",
    )
    need(
        len(said["networks"]) == len(suite.networks)
        and all(0 < len(n) <= TITLE for n in said["networks"])
        and len(said["created"]) <= TITLE,
        f"{TABLES}: its networks have no names, or too long ones",
    )
    of.values[kept.SUITES, id_] = {
        "suite": said["suite"],
        "networks": said["networks"],
        "created": said["created"],
        "wanted": wanted(Checking(of.run.store, suite, said["networks"])),
    }
    for check, answers in said["checks"].items():
        versions = suite.definitions.get(f"check {check}"), CHECKS[check].version if check in CHECKS else None
        need(versions[0] is not None, f"{TABLES} has a check that was not asked for")
        if versions[0] == versions[1]:  # of another definition, or an unknown check, nothing: pages mean today's
            _check(suite, check, answers)
            of.values[kept.ROOM, kept.key(id_, check)] = {
                "answers": {subject: {"statistics": numbers, "evidence": {}} for subject, numbers in answers.items()}
            }


def _suite(said: dict[str, Any]) -> Suite:
    """Read the suite of a table, and check that it is possible and has the right id. Raises Wrong."""
    try:
        suite = Suite.from_json(said["suite"])
        checked_seed(suite.seed)
    except StitchLabError as error:
        raise Wrong(f"{TABLES} has an invalid suite: {error}") from error
    for names, known in ((suite.methods, METHODS), (suite.indices, INDICES)):
        need(len(set(names)) == len(names) and set(names) <= set(known), f"{TABLES} has unknown measures, or one twice")
    networks = suite.networks
    need(
        0 < len(set(networks)) == len(networks) <= MOST_NETWORKS
        and all(re.fullmatch("[0-9a-f]{64}", network) for network in networks),
        f"{TABLES} has invalid ids of networks",
    )
    need(
        0 < suite.eval_images <= MOST_IMAGES
        and 0 < suite.dm.images <= MOST_IMAGES
        and 0 <= suite.null <= MOST_PERMUTATIONS,
        f"{TABLES} has a suite with impossible settings",
    )
    need(said["id"] == suite.id, f"{TABLES} has a suite whose id does not match its settings")
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

"""Which definitions numbers rest on, and whether those of a request are still today's.

What a run under an earlier definition has, it keeps. What it lacks is never computed under its keys, since it would be
computed as the definitions are today: it is asked for anew, under today's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from stitchlab.catalog.indices import INDICES
from stitchlab.errors import StitchLabError
from stitchlab.request import DEFINITIONS, METHODS, Request, TaskLoss, named


def rests_on(name: str, tlm: TaskLoss) -> set[str]:
    """Names of the definitions that a method's numbers rest on, by this recipe, or an index's.

    >>> sorted(rests_on("cka", TaskLoss())), sorted(rests_on("tlm", TaskLoss(init="dm")))
    (['cka', 'input'], ['dm', 'evaluation', 'functional', 'input', 'tlm'])
    """
    if name not in METHODS:
        return {name, "input"}
    tlms = {"dm"} if tlm.init == "dm" else set()
    tlms |= {"soap"} if tlm.optimiser == "soap" else set()
    return {name, "input", "evaluation", "functional"} | (tlms if name == "tlm" else set())


def todays(methods: Iterable[str], indices: Iterable[str], tlm: TaskLoss) -> dict[str, int]:
    """Versions of the definitions that a request uses and names, and of no others: a new index changes no old id."""
    used = {"evaluation", "input"}.union(*(rests_on(name, tlm) for name in (*methods, *indices)))
    return named({name: DEFINITIONS[name] if name in DEFINITIONS else INDICES[name].version for name in used})


def changed(request: Request, *names: str) -> dict[str, tuple[int, int]]:
    """Definitions that are others today: of a request, by name, its version and today's.

    Args:
        request: what was asked.
        names: methods and indices whose numbers are meant; none: all of the request.
    """
    now = todays(request.methods, request.indices, request.tlm)
    meant = set(now) if not names else {"input"}.union(*(rests_on(name, request.tlm) for name in names))
    # Definitions came in at version 1, and requests from before do not name them.
    return {name: (was, version) for name, version in now.items()
            if name in meant and (was := request.definitions.get(name, 1)) != version}


def under_todays(request: Request) -> Request:
    """The same request under today's definitions: itself, where none has changed."""
    if not changed(request):
        return request
    return replace(request, definitions=todays(request.methods, request.indices, request.tlm))


def check(request: Request, *names: str) -> None:
    """Raises StitchLabError where something of a request (see `changed`) would be computed by other definitions."""
    if others := changed(request, *names):
        raise StitchLabError(
            f"run {request.id} was asked for under other definitions than today's ({listed(others)}): it keeps its "
            "numbers, and what it lacks is computed under today's only. Ask for the same again"
        )


def listed(others: dict[str, tuple[int, int]]) -> str:
    """Name changed definitions for people.

    >>> listed({"pwcca": (1, 2)})
    'pwcca: version 1, today 2'
    """
    return "; ".join(f"{name}: version {was}, today {now}" for name, (was, now) in sorted(others.items()))


def remark(request: Request, name: str) -> str:
    """What to say beside numbers of a method or an index: ``earlier definition``, or nothing."""
    versions = changed(request, name).values()
    if not versions:
        return ""
    return "earlier definition" if any(was < now for was, now in versions) else "later definition"

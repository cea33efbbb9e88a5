"""Tell which definitions numbers depend on, and whether those of a request are still today's.

What a run under an earlier definition has, it keeps. What it lacks is never computed under its keys, since it would be
computed as the definitions are today: it is asked for anew, under today's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from stitchlab.catalog.indices import INDICES
from stitchlab.errors import StitchLabError
from stitchlab.request import DEFINITIONS, METHODS, Method, Request, TaskLoss, named


def rests_on(name: str, tlm: TaskLoss) -> set[str]:
    """Name the definitions that the numbers of an index, or of a method with this recipe, depend on.

    >>> sorted(rests_on("cka", TaskLoss())), sorted(rests_on("tlm", TaskLoss(init="dm")))
    (['cka', 'input'], ['dm', 'evaluation', 'functional', 'input', 'tlm'])
    """
    if name not in METHODS:
        return {name, "input"}
    tlms = {"dm"} if tlm.init == "dm" else set()
    tlms |= {"soap"} if tlm.optimiser == "soap" else set()
    return {name, "input", "evaluation", "functional"} | (tlms if name == "tlm" else set())


def todays(methods: Iterable[Method], indices: Iterable[str], tlm: TaskLoss) -> dict[str, int]:
    """Return today's versions of the definitions that a request depends on, as far as requests state them.

    Args:
        methods, indices: that the request has; a new index changes no old id.
        tlm: the recipe of task loss matching.
    """
    used = {"evaluation", "input"}.union(*(rests_on(name, tlm) for name in (*methods, *indices)))
    return named({name: DEFINITIONS[name] if name in DEFINITIONS else INDICES[name].version for name in used})


def changed(request: Request, *names: str) -> dict[str, tuple[int, int]]:
    """Return the definitions of a request that have changed since, by name: its version and today's.

    Args:
        request: what was asked.
        names: methods and indices whose numbers are meant; none: all of the request.
    """
    now = todays(request.methods, request.indices, request.tlm)
    meant = set(now) if not names else {"input"}.union(*(rests_on(name, request.tlm) for name in names))
    # Definitions came in at version 1, and requests from before do not name them.
    return {
        name: (was, version)
        for name, version in now.items()
        if name in meant and (was := request.definitions.get(name, 1)) != version
    }


def under_todays(request: Request) -> Request:
    """Return the same request under today's definitions; the request itself if none has changed."""
    if not changed(request):
        return request
    return replace(request, definitions=todays(request.methods, request.indices, request.tlm))


def check(request: Request, *names: str) -> None:
    """Check that no definition has changed that computing these names would use (`changed`). Raises StitchLabError."""
    if others := changed(request, *names):
        raise StitchLabError(
            f"run {request.id} was made under other definitions than today's ({listed(others)}): it keeps its "
            "numbers, but what it lacks can only be computed under today's. Ask for the same comparison again"
        )


def listed(others: dict[str, tuple[int, int]]) -> str:
    """Write changed definitions for people.

    >>> listed({"pwcca": (1, 2)})
    'pwcca: version 1, today 2'
    """
    return "; ".join(f"{name}: version {was}, today {now}" for name, (was, now) in sorted(others.items()))


def remark(request: Request, name: str) -> str:
    """Return the remark for numbers of a method or an index: ``earlier definition``, or nothing."""
    versions = changed(request, name).values()
    if not versions:
        return ""
    return "earlier definition" if any(was < now for was, now in versions) else "later definition"

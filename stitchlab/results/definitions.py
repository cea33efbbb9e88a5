"""List the definitions that numbers depend on, and compare the versions of a request with today's.

A run under an earlier definition keeps its numbers. The numbers that it lacks are never computed under its keys, since
they would follow today's definitions. They are requested again instead, as another run under today's definitions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from stitchlab.catalog.indices import INDICES
from stitchlab.errors import StitchLabError
from stitchlab.request import DEFINITIONS, METHODS, Method, Request, TaskLoss, named


def rests_on(name: str, tlm: TaskLoss) -> set[str]:
    """List the definitions on which the numbers of an index, or of a method with this recipe, depend.

    >>> sorted(rests_on("cka", TaskLoss())), sorted(rests_on("tlm", TaskLoss(init="dm")))
    (['cka', 'input'], ['dm', 'evaluation', 'functional', 'input', 'tlm'])
    """
    if name not in METHODS:
        return {name, "input"}
    of_recipe = {"dm"} if tlm.init == "dm" else set()
    of_recipe |= {"soap"} if tlm.optimiser == "soap" else set()
    return {name, "input", "evaluation", "functional"} | (of_recipe if name == "tlm" else set())


def todays(methods: Iterable[Method], indices: Iterable[str], tlm: TaskLoss) -> dict[str, int]:
    """Return today's versions of the definitions that a request depends on, as far as requests state them.

    Args:
        methods, indices: of the request. Others play no part, so a new index changes no id of an earlier request.
        tlm: the recipe of task loss matching.
    """
    used = {"evaluation", "input"}.union(*(rests_on(name, tlm) for name in (*methods, *indices)))
    return named({name: DEFINITIONS[name] if name in DEFINITIONS else INDICES[name].version for name in used})


def changed(request: Request, *names: str) -> dict[str, tuple[int, int]]:
    """Return the definitions of a request that have changed since, by name: its version and today's.

    Args:
        request: the request.
        names: methods and indices to look at; none: all of the request.
    """
    now = todays(request.methods, request.indices, request.tlm)
    used = set(now) if not names else {"input"}.union(*(rests_on(name, request.tlm) for name in names))
    # Requests from before a definition was added do not state it: they follow its version 1.
    return {
        name: (before, version)
        for name, version in now.items()
        if name in used and (before := request.definitions.get(name, 1)) != version
    }


def under_todays(request: Request) -> Request:
    """Return the same request under today's definitions; the request itself if none has changed."""
    if not changed(request):
        return request
    return replace(request, definitions=todays(request.methods, request.indices, request.tlm))


def check(request: Request, *names: str) -> None:
    """Check that no definition has changed that these methods and indices use (`changed`). Raises StitchLabError."""
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
    return "; ".join(f"{name}: version {before}, today {now}" for name, (before, now) in sorted(others.items()))


def remark(request: Request, name: str) -> str:
    """Return the remark on numbers of a method or an index: ``earlier definition``, ``later definition`` or nothing."""
    versions = changed(request, name).values()
    if not versions:
        return ""
    return "earlier definition" if any(before < now for before, now in versions) else "later definition"

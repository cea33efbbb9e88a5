"""Repeat the run that a run.json describes: its networks and data are found in the store by their fingerprints.

A run under earlier definitions is repeated under today's, which is another run. Both share the maps and numbers whose
definitions have not changed.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from stitchlab.catalog.data_sets import FOLDER
from stitchlab.errors import StitchLabError
from stitchlab.request import PRECISION, Request
from stitchlab.results import controls, data_sets, definitions, networks
from stitchlab.results.run import Run
from stitchlab.store import Store

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def described(store: Store, path: Path) -> Run:
    """Read the run that a run.json describes, wherever it was computed. Raises StitchLabError if it is none."""
    try:
        record = json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except OSError as error:
        raise StitchLabError(
            f"{path} could not be read ({error.strerror}); expected the run.json that `compare --out DIR` writes"
        ) from error
    except (ValueError, RecursionError) as error:
        raise StitchLabError(f"{path} is not a run.json: it is not JSON, or not complete ({error})") from error
    try:
        if not isinstance(record, dict):
            raise StitchLabError("expected an object with the request of a run")
        checked((run := Run(store, record)).request)
        return run
    except StitchLabError as error:
        raise StitchLabError(f"{path} is not a run.json that can be repeated: {_line(str(error))}") from error


def wanted(store: Store, run: Run) -> dict[str, Any]:
    """Return the arguments of `stitchlab.grid.ask.ask` that repeat a described run.

    Raises StitchLabError where the store lacks networks or data; the message names all of them, and how to get them.
    """
    arguments = {**run.wanted(), "tlm": run.request.tlm}
    lacking = [] if _has(store, run.request.end) else [_network(run, "end")]
    if not _has(store, run.request.front):
        if not lacking and (control := _control(store, run)):
            arguments["front"] = control
        else:
            lacking.insert(0, _network(run, "front"))
    if data_sets.of_fingerprint(store, run.request.data) is None:
        lacking.append(_data(run))
    if lacking:
        raise StitchLabError(_line("; ".join(lacking)))
    return arguments


def changes(old: Run, new: Run) -> str:
    """Say why the repeated run differs from the described one; empty if it does not."""
    if new.id == old.id:
        return ""
    versions = sorted(definitions.changed(old.request).items())
    listed = ", ".join(f"{name} {before} → {now}" for name, (before, now) in versions)
    reasons = [f"definitions changed since ({listed})"] if listed else []
    reasons += ["the control that was made here has other weights"] if new.request.front != old.request.front else []
    return f"{old.id} is repeated as {new.id}: {'; '.join(reasons) or 'settings that nothing uses are left out'}"


def checked(request: Request) -> Request:
    """Check that all settings of a request read from JSON have the right type; return it. Raises StitchLabError."""
    check_types(request, request.tlm, request.dm)
    if not (request.front and request.end and request.data):
        raise StitchLabError("its networks and data have no fingerprints")
    if request.precision != PRECISION:
        raise StitchLabError(f"it was computed in {request.precision!r}, and only {PRECISION} is known")
    return request


def check_types(*parts: DataclassInstance) -> None:
    """Check that dataclasses read from JSON have values of their fields' types. Raises StitchLabError."""
    for part in parts:
        hints = get_type_hints(type(part))
        for name in (field.name for field in fields(part)):
            if not _fits(value := getattr(part, name), hints[name]):
                raise StitchLabError(f"{name} is {value!r}")


def _fits(value: Any, hint: Any) -> bool:
    """Tell whether a value read from JSON is of a field's type."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(each, parts[0]) for each in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(k, parts[0]) and _fits(v, parts[1]) for k, v in value.items())
    if origin is Literal:
        return value in parts
    if parts:  # one of several types
        return any(_fits(value, part) for part in parts)
    return isinstance(value, (int, float) if hint is float else hint) and (hint is bool or not isinstance(value, bool))


def _has(store: Store, network: str) -> bool:
    return any(each.id == network for each in networks.list_networks(store))


def _control(store: Store, run: Run) -> str:
    """Return the control's name if the front network was one and can be made again here; else an empty text."""
    origin = _origin(_record(run, "front"))
    name = str(origin.get("control", ""))
    if origin.get("how") != "control" or not controls.is_control(name):
        return ""
    try:
        draft = controls.draft(store, name, networks.find(store, run.request.end), run.request.seed)
    except StitchLabError:  # this store lacks the network that the control is made for
        return ""
    return name if draft.origin["of"] == origin.get("of") else ""


def _line(text: str) -> str:
    """Join a text that quotes a file into one line."""
    return " ".join(text.split())


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"it contains {name}")


def _record(run: Run, part: str) -> dict[str, Any]:
    """Return a part of a run's record, empty if it is missing: nothing but the request of a run.json was checked."""
    record = run.record.get(part)
    return record if isinstance(record, dict) else {}


def _origin(network: dict[str, Any]) -> dict[str, Any]:
    origin = network.get("origin")
    return origin if isinstance(origin, dict) else {}


def _network(run: Run, side: str) -> str:
    """Describe a network that is missing, for an error message."""
    network = _record(run, side)
    fingerprint = run.request.front if side == "front" else run.request.end
    origin = _origin(network)
    how = {
        "trained": f"trained on {network.get('data')} from seed {network.get('seed')}",
        "imported": f"imported from {origin.get('file')}",
    }.get(str(origin.get("how")), f"{origin.get('how')}")
    return (
        f"the {side} network {network.get('name')} ({network.get('architecture')}, {how}, fingerprint "
        f"{fingerprint[:12]}) is not in this store: import its weights with `python -m stitchlab import`"
    )


def _data(run: Run) -> str:
    """Describe data that are missing, and how to get them, for an error message."""
    data = _record(run, "data")
    name = str(data.get("name"))
    download = "" if name.startswith(FOLDER) else " --download"
    return (
        f"the data {data.get('label')} (fingerprint {run.request.data[:12]}) is not in this store: get it with "
        f"`python -m stitchlab data {name}{download}`"
    )

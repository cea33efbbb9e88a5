"""Provide what all commands use: tables, a progress bar, and the parsing of arguments."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any, NoReturn

from stitchlab.errors import UnknownName
from stitchlab.request import Cell, Report, Request
from stitchlab.results.duration import seconds

MAX_PROGRESS_LINES = 20  # about, for all the work, where stderr is not a terminal
MIN_PROGRESS_INTERVAL_S = 10.0  # between two of those lines
BAR_INTERVAL_S = 0.1  # between two updates of the bar on a terminal
MIN_SHARE_FOR_RATE = 0.05  # of the work: what is done by then is mostly starting up, and its rate says nothing


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print aligned columns."""
    cells = [tuple(head), *(tuple("" if value is None else str(value) for value in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print("  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip())


def bar() -> Report:
    """Make a progress bar on stderr: one line that is updated on a terminal, else lines at growing intervals."""
    is_terminal = sys.stderr.isatty()
    begun = time.monotonic()
    last_printed = begun - (1.0 if is_terminal else 0.0)  # a bar appears at once

    def report(what: str, done: float) -> None:
        nonlocal last_printed
        now = time.monotonic()
        line_interval = max(MIN_PROGRESS_INTERVAL_S, (now - begun) / MAX_PROGRESS_LINES)
        if now - last_printed < (BAR_INTERVAL_S if is_terminal else line_interval) and done < 1:
            return
        last_printed = now
        line = f"{done:4.0%} {what}{_time_left(now - begun, done)}"
        if is_terminal:
            width = shutil.get_terminal_size().columns - 1  # a line of the full width would be wrapped
            line = "\r" + f"[{'#' * round(20 * done):<20}] {line}"[:width].ljust(width)
        print(line, end="\n" if done >= 1 or not is_terminal else "", file=sys.stderr, flush=True)

    return report


def _time_left(seconds_spent: float, done: float) -> str:
    """Say how long the work will still take; empty while its rate says nothing."""
    return f" · about {seconds(seconds_spent / done * (1 - done))} left" if MIN_SHARE_FOR_RATE < done < 1 else ""


class Parser(argparse.ArgumentParser):
    """Parse arguments, and report what is wrong in one line, with exit status 2."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong in one line and exit with status 2."""
        self.exit(2, f"{self.prog}: {message}; {self.prog} --help lists what is possible\n")


#: Adds a command to the parser, given its name, the function that runs it (and returns an exit status), and its help.
Command = Callable[[str, Callable[..., int | None], str], Parser]


def names(text: str) -> list[str]:
    """Parse a list of names: ``a,b``."""
    return [name for name in text.split(",") if name]


def numbers(text: str) -> list[float]:
    """Parse a list of numbers: ``0.5,0.4``."""
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers such as 0.49,0.48,0.45, got {text!r}") from None


def integers(text: str) -> list[int]:
    """Parse a list of whole numbers: ``0,1,2``."""
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected whole numbers such as 0,1,2, got {text!r}") from None


def fraction(text: str) -> float:
    """Parse a number or a fraction: ``8/255``."""
    try:
        return float(Fraction(text.replace(" ", "")))
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(f"expected a number such as 0.03 or 8/255, got {text!r}") from None


def named_values(text: str) -> dict[str, int | str]:
    """Parse names with values: ``width=16,maps=equal``."""
    parts = [part.partition("=") for part in text.split(",") if part]
    if not all(name and value for name, _, value in parts):
        raise argparse.ArgumentTypeError(f"expected names and values such as width=16,maps=equal, got {text!r}")
    return {name: int(value) if value.isdigit() else value for name, _, value in parts}


def find_cell(request: Request, name: str) -> Cell:
    """Find the cell of a run that is named FRONT:END; names of layers may have a colon. Raises UnknownName."""
    cells = {f"{i}:{j}": (i, j) for i, j in request.cells}
    if name not in cells:
        raise UnknownName("cell", name, cells, "A cell is named FRONT:END, both layers of this run")
    return cells[name]

"""Share helpers among the commands: tables, a progress bar, arguments."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any, NoReturn

from stitchlab.request import Report
from stitchlab.results.duration import seconds

LINES = 20  # about as many lines tell of work that takes long
SOME_WAY = 0.05  # of the work, after which its rate says something


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print aligned columns."""
    cells = [tuple(head), *(tuple("" if value is None else str(value) for value in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print("  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip())


def bar() -> Report:
    """Make a progress bar on stderr: one line that is updated on a terminal, else lines at growing intervals."""
    screen = sys.stderr.isatty()
    begun = time.monotonic()
    last = begun - (1.0 if screen else 0.0)

    def report(what: str, done: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < (0.1 if screen else max(10.0, (now - begun) / LINES)) and done < 1:
            return
        last = now
        line = f"{done:4.0%} {what}{_left(now - begun, done)}"
        if screen:
            width = shutil.get_terminal_size().columns - 1  # a line that fills it would go on in the next
            line = "\r" + f"[{'#' * round(20 * done):<20}] {line}"[:width].ljust(width)
        print(line, end="\n" if done >= 1 or not screen else "", file=sys.stderr, flush=True)

    return report


def _left(spent: float, done: float) -> str:
    """Say how long it will still take, once some of it is done."""
    return f" · about {seconds(spent / done * (1 - done))} left" if SOME_WAY < done < 1 else ""


class Parser(argparse.ArgumentParser):
    """Parse arguments, and report what is wrong in one line, with exit status 2."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong in one line and exit with status 2."""
        self.exit(2, f"{self.prog}: {message}; {self.prog} --help lists what is possible\n")


#: Adds a command: its name, what runs it (and returns an exit status that is not 0), what it does.
Command = Callable[[str, Callable[..., int | None], str], Parser]


def names(text: str) -> list[str]:
    """Read an argument that is a list: ``a,b``."""
    return [name for name in text.split(",") if name]


def numbers(text: str) -> list[float]:
    """Read an argument that is a list of numbers: ``0.5,0.4``."""
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers such as 0.49,0.48,0.45, got {text!r}") from None


def whole(text: str) -> list[int]:
    """Read an argument that is a list of whole numbers: ``0,1,2``."""
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected whole numbers such as 0,1,2, got {text!r}") from None


def fraction(text: str) -> float:
    """Read an argument that is a number or a fraction: ``8/255``."""
    try:
        return float(Fraction(text.replace(" ", "")))
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(f"expected a number such as 0.03 or 8/255, got {text!r}") from None


def pairs(text: str) -> dict[str, int | str]:
    """Read an argument that names values: ``width=16,maps=equal``."""
    parts = [part.partition("=") for part in text.split(",") if part]
    if not all(name and value for name, _, value in parts):
        raise argparse.ArgumentTypeError(f"expected names and values such as width=16,maps=equal, got {text!r}")
    return {name: int(value) if value.isdigit() else value for name, _, value in parts}

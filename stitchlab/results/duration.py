"""Write spans of time for people."""

from __future__ import annotations


def seconds(count: float) -> str:
    """Write a span of time in seconds, minutes or hours.

    >>> seconds(8.2), seconds(170), seconds(9000)
    ('8 s', '3 min', '2.5 h')
    """
    if count < 90:
        return f"{max(1, round(count))} s"
    return f"{round(count / 60)} min" if count < 5400 else f"{count / 3600:.1f} h"


def expected(count: float, timed: bool) -> str:
    """Write an estimate of how long work takes: with one digit if no such work was timed on this machine yet.

    >>> expected(170, True), expected(9400, False), expected(34, False)
    ('about 3 min', 'roughly 3 h, not yet measured on this machine', 'roughly 30 s, not yet measured on this machine')
    """
    if timed:
        return f"about {seconds(count)}"
    return f"roughly {roughly(count)}, not yet measured on this machine"


def roughly(count: float) -> str:
    """Write a span of time with one digit.

    >>> roughly(0.2), roughly(34), roughly(110), roughly(1700), roughly(40_000)
    ('1 s', '30 s', '2 min', '30 min', '10 h')
    """
    number, unit = (count, "s") if count < 90 else (count / 60, "min") if count < 5400 else (count / 3600, "h")
    return f"{max(1, int(float(f'{number:.0e}')))} {unit}"

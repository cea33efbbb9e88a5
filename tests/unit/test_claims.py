"""Claims: exactly one of several gets a key, those who live keep theirs, and those who are killed lose them at once."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from stitchlab.errors import StitchLabError
from stitchlab.results.cleaning import clean
from stitchlab.store import Store
from stitchlab.store.claims import claimed

HOUSE = Path(__file__).resolve().parents[2]

#: A process that claims keys, says which it got, and holds them until its stdin has a line.
HOLD = """
import sys
from stitchlab.store import Store
from stitchlab.store.claims import claimed
with claimed(Store(sys.argv[1]), sys.argv[2:]) as mine:
    print(*sorted(mine), flush=True)
    sys.stdin.readline()
"""

#: A process that races for the claims of those who were killed, round by round, and says which rounds it won.
RACE = """
import sys
from stitchlab.store import Store
from stitchlab.store.claims import claimed
store = Store(sys.argv[1])
for number in sys.stdin:
    with claimed(store, [f"round {int(number)}"]) as mine:
        print(len(mine), flush=True)
        sys.stdin.readline()
    print("given back", flush=True)
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


@contextmanager
def process(code: str, store: Store, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    made = subprocess.Popen(
        [sys.executable, "-c", code, str(store.root), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=HOUSE,
    )
    with made:
        try:
            yield made
        finally:
            made.kill()


def heard(made: subprocess.Popen[str]) -> str:
    assert made.stdout is not None
    return made.stdout.readline().strip()


def say(made: subprocess.Popen[str], line: object) -> None:
    assert made.stdin is not None
    made.stdin.write(f"{line}\n")
    made.stdin.flush()


def got(store: Store, *keys: str) -> list[str]:
    with claimed(store, keys) as mine:
        return sorted(mine)


def killed(store: Store, *keys: str) -> None:
    """Somebody claimed these keys and was killed."""
    with process(HOLD, store, *keys) as holder:
        assert heard(holder)
        holder.send_signal(signal.SIGKILL)
    assert list((store.root / "claims").glob("*.json")), "it could not give them back"


def left(store: Store) -> list[str]:
    return sorted(path.name for path in (store.root / "claims").iterdir() if path.name != "turn.lock")


def test_each_gets_what_is_free(store: Store) -> None:
    with claimed(store, ["a", "b"]) as mine:
        assert mine == {"a", "b"}
        assert got(Store(store.root), "b", "c") == ["c"]
        assert got(store, "a") == []
    assert got(store, "a", "b", "c") == ["a", "b", "c"]
    assert got(store) == []
    assert left(store) == []


def test_a_claim_is_given_back_whatever_happens(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt), claimed(store, ["a"]):
        raise KeyboardInterrupt
    assert got(store, "a") == ["a"]


def test_other_processes_see_it(store: Store) -> None:
    with process(HOLD, store, "a", "b") as other:
        assert heard(other) == "a b"
        assert got(store, "a", "b", "c") == ["c"]
        say(other, "enough")
        other.wait()
        assert got(store, "a", "b", "c") == ["a", "b", "c"]


def test_who_lives_keeps_it_however_long_no_sign_is_given(store: Store) -> None:
    with process(HOLD, store, "a") as other:
        assert heard(other) == "a"
        for path in (store.root / "claims").iterdir():
            os.utime(path, (time.time() - 86_400,) * 2)
        assert got(store, "a") == []
        clean(store)
        assert got(store, "a") == []


def test_who_is_killed_loses_it_at_once(store: Store) -> None:
    killed(store, "a", "b")
    assert got(store, "a", "b") == ["a", "b"]
    assert left(store) == [], "what the killed one left is gone"


def test_cleaning_takes_what_the_killed_left(store: Store) -> None:
    killed(store, "a")
    assert left(store)
    clean(store, min_age_s=-60)
    assert left(store) == []


def test_of_threads_that_race_for_the_claim_of_a_killed_one_exactly_one_gets_it(store: Store) -> None:
    rounds, threads = 12, 4
    won: list[int] = []
    together = threading.Barrier(threads)

    def race() -> None:
        for k in range(rounds):
            if together.wait() == 0:
                killed(store, f"round {k}")
            together.wait()
            with claimed(store, [f"round {k}"]) as mine:
                won.extend([k] * len(mine))
                together.wait()
            together.wait()

    racing = [threading.Thread(target=race) for _ in range(threads)]
    for thread in racing:
        thread.start()
    for thread in racing:
        thread.join()
    assert won == list(range(rounds))


def test_of_processes_that_race_for_the_claim_of_a_killed_one_exactly_one_gets_it(store: Store) -> None:
    with ExitStack() as stack:
        racing = [stack.enter_context(process(RACE, store)) for _ in range(3)]
        for k in range(40):
            killed(store, f"round {k}") if k < 5 else abandoned(store, f"round {k}")
            for each in racing:
                say(each, k)
            assert sorted(heard(each) for each in racing) == ["0", "0", "1"], k
            for each in racing:
                say(each, "enough")
            assert {heard(each) for each in racing} == {"given back"}


def abandoned(store: Store, key: str) -> None:
    """What a killed process leaves: its list, and a lock that nobody holds."""
    with claimed(store, [key]):
        kept = {path: path.read_bytes() for path in (store.root / "claims").iterdir() if path.name != "turn.lock"}
        assert len(kept) == 2
    for path, data in kept.items():
        path.write_bytes(data)


def test_a_large_unit_takes_few_open_files(store: Store) -> None:
    keys = [f"{k:064x}" for k in range(64 * 64)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    there = len(os.listdir("/dev/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (there + 24, hard))
    try:
        with claimed(store, keys) as mine:
            assert mine == set(keys)
            assert got(store, *keys, "another") == ["another"]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def full(*args: object, **options: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("where", ["mkdir", "write_bytes"])
def test_a_full_disk_is_one_line_and_claims_nothing(store: Store, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Path, where, full)
        with pytest.raises(StitchLabError, match="No space left on device") as raised:
            got(store, "a")
    assert "\n" not in str(raised.value)
    assert got(store, "a") == ["a"]
    assert left(store) == []

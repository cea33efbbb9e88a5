"""The wheel: what is in it, and that it works from any folder, in an environment that has only what it needs."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import stitchlab

HOUSE = Path(__file__).resolve().parents[2]
EXTRAS = ("cluster", "dev", "export", "timm")

#: Home as the installed files have it: runs it as a browser's first visit does, and says what it shows.
HOME = """
import sys
from pathlib import Path
from streamlit.testing.v1 import AppTest
import stitchlab
from stitchlab import ui
from stitchlab.store.places import app
ui.WORKERS_START_AFTER_S = 1e6  # no workers are started beside it, which would outlive this process
home = AppTest.from_file(app() / "app.py", default_timeout=60).run()
assert not home.exception, home.exception
assert Path(stitchlab.__file__).is_relative_to(sys.prefix), stitchlab.__file__
assert app().is_relative_to(sys.prefix), app()
print(home.title[0].value, *(shown.value for shown in home.header), sep="\\n")
"""


@dataclass(frozen=True)
class Installed:
    """An environment in which the wheel is installed, an empty folder, and where the platform keeps a user's data."""

    environment: Path
    folder: Path
    data: Path

    @property
    def settings(self) -> dict[str, str]:
        """Environment variables of a user who set none of StitchLab's."""
        plain = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("STITCHLAB_", "STREAMLIT_")) and name != "PYTHONPATH"
        }
        return plain | {"XDG_DATA_HOME": str(self.data), "HOME": str(self.data)}

    def run(self, *command: str) -> str:
        """Run a program of the environment in the empty folder; give what it printed."""
        done = subprocess.run(
            [self.environment / "bin" / command[0], *command[1:]],
            cwd=self.folder,
            text=True,
            env=self.settings,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built of an sdist, as it is built of a clone: nothing is lost on the way."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(folder)],
        cwd=HOUSE,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (built,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    shutil.unpack_archive(source, folder / "source", filter="data")
    (unpacked,) = (folder / "source").iterdir()
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "again")],
        cwd=unpacked,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    assert (folder / "again" / built.name).read_bytes() == built.read_bytes()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in a new environment, which finds what it needs among the packages of this one."""
    root = tmp_path_factory.mktemp("installed")
    made = Installed(root / "environment", root / "empty", root / "data")
    made.folder.mkdir()
    made.data.mkdir()
    venv.create(made.environment, symlinks=True)
    lib = Path(sysconfig.get_path("purelib", vars={"base": str(made.environment)}))
    (lib / "needed.pth").write_text("\n".join(sorted({str(folder_of(name)) for name in ("streamlit", "platformdirs")})))
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            str(made.environment / "bin" / "python"),
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--no-index",
            str(wheel),
        ],
        check=True,
    )
    return made


def test_the_wheel_has_what_it_shows_and_nothing_else(wheel: Path) -> None:
    there = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = {
        str(path.relative_to(HOUSE))
        for path in HOUSE.glob("stitchlab/**/*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    beside = [
        HOUSE / "app.py",
        HOUSE / ".streamlit" / "config.toml",
        *HOUSE.glob("pages/*.py"),
        *HOUSE.glob("gallery/*.stitch"),
    ]
    assert there == package | {f"stitchlab/app/{path.relative_to(HOUSE)}" for path in beside}
    assert {"stitchlab/py.typed", "stitchlab/export/report/report.css"} <= package
    assert len(beside) > 10
    assert wheel.stat().st_size < 20e6, "a wheel is no place for large files"


def test_it_needs_what_requirements_name(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        (name,) = (name for name in files.namelist() if name.endswith(".dist-info/METADATA"))
        head = files.read(name).decode().partition("\n\n")[0]
    told = [line.partition(": ") for line in head.splitlines()]
    needs = [Requirement(value) for field, _, value in told if field == "Requires-Dist"]
    assert sorted(value for field, _, value in told if field == "Provides-Extra") == list(EXTRAS)
    assert ("Version", stitchlab.__version__) in {(field, value) for field, _, value in told}
    assert {str(need) for need in needs if need.marker is None} == named("requirements.txt")
    for extra in EXTRAS:
        assert {
            f"{need.name}{need.specifier}" for need in needs if need.marker and need.marker.evaluate({"extra": extra})
        } == named(f"requirements-{extra}.txt")
    assert named("requirements-view.txt") <= named("requirements.txt")


def folder_of(package: str) -> Path:
    """The folder in which a package is installed."""
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parents[1]


def named(file: str) -> set[str]:
    """The requirements of a file and of those that it takes along, but for all of requirements.txt."""
    found = set()
    for line in (HOUSE / file).read_text().splitlines():
        bare = line.partition("#")[0].strip()
        if bare.startswith("-r"):
            found |= set() if bare == "-r requirements.txt" else named(bare.removeprefix("-r").strip())
        elif bare:
            found.add(str(Requirement(bare)))
    return found


def test_both_commands_keep_results_where_the_platform_keeps_data(installed: Installed) -> None:
    place = f"Results are kept in {installed.data / 'stitchlab'}"
    assert place in installed.run("stitchlab", "--help")
    assert installed.run("stitchlab", "--version") == f"StitchLab {stitchlab.__version__}\n"
    assert installed.run("python", "-m", "stitchlab", "--help").startswith("usage: python -m stitchlab")
    runs = installed.run("python", "-m", "stitchlab", "runs")
    assert runs == installed.run("stitchlab", "runs")
    assert len(runs.splitlines()) == 1 + len(list(HOUSE.glob("gallery/*.stitch")))
    assert not list(installed.folder.iterdir())
    code = "import stitchlab; print(stitchlab.Store().root, stitchlab.__version__)"
    assert installed.run("python", "-c", code) == f"{installed.data / 'stitchlab'} {stitchlab.__version__}\n"


def test_home_tells_of_the_gallery(installed: Installed) -> None:
    shown = installed.run("python", "-c", HOME).splitlines()
    assert shown[:2] == ["StitchLab", "Two Tiny-10 of different seeds, the paper's recipe"]


def test_its_command_serves_the_pages_until_it_is_stopped(installed: Installed) -> None:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    program = str(installed.environment / "bin" / "stitchlab")
    command = [program, "app", "--port", str(port), "--", "--server.headless=true"]
    with subprocess.Popen(
        command,
        cwd=installed.folder,
        env=installed.settings,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        try:
            deadline = time.monotonic() + 60
            while not (page := answer(port)) and server.poll() is None and time.monotonic() < deadline:
                time.sleep(0.2)
            assert b"<title>" in page
            server.send_signal(signal.SIGINT)
            told = server.communicate(timeout=30)[0]
            assert server.returncode == 0, told
            assert "Traceback" not in told
            assert f"results are kept in {installed.data / 'stitchlab'}" in told
        finally:
            server.kill()


def answer(port: int) -> bytes:
    """What the server answers, nothing while it does not."""
    try:
        with urllib.request.urlopen(f"http://localhost:{port}/", timeout=5) as reply:
            return bytes(reply.read())
    except OSError:
        return b""

"""Questions of pages: answered beside a grid, asked once whoever asks, failures as a line, nobody left waiting."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from statistics import median
from typing import Any, cast

import numpy as np
import psutil
import pytest
import torch
from distributed import LocalCluster
from handy import sure

from stitchlab.data import registry as datasets
from stitchlab.data.splits import evaluation_indices
from stitchlab.errors import StitchLabError
from stitchlab.grid.ask import ask, compare
from stitchlab.jobs import Answer, Jobs, Status, connection, questions
from stitchlab.jobs.connection import Connection
from stitchlab.jobs.questions import Questions
from stitchlab.models import zoo
from stitchlab.models.cut_points import cut_points_of_any
from stitchlab.ood.evaluate import activations_of
from stitchlab.request import TaskLoss
from stitchlab.results import networks
from stitchlab.results.cut_points import Cuts
from stitchlab.results.run import Run
from stitchlab.store import Store, uploads
from stitchlab.worker import questions as answers

HOUSE = Path(__file__).resolve().parents[2]
SMALL: dict[str, Any] = {"front_layers": ["layer1.0", "layer3.1"], "end_layers": ["layer2.0"], "eval_images": 100}
WAIT = 90.0
OURS = """
import os
import time

from distributed import get_worker


def where(root):
    return get_worker().name


def count(root, name):
    time.sleep(0.3)
    with open(os.path.join(root, name), "a") as file:
        file.write("x")
    return name


def die_unless(root, name):
    if not os.path.exists(os.path.join(root, name)):
        os.kill(os.getpid(), 9)
    return "alive"


def wait_for(root, name):
    while not os.path.exists(os.path.join(root, name)):
        time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def jobs(digits_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    """Workers for this file, which know questions of our own too."""
    root = tmp_path_factory.mktemp("questions")
    (root / "our_questions.py").write_text(OURS)
    shutil.copytree(digits_store.root, root / "cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(root), prepend=os.pathsep)
        made = Jobs(Store(root / "cache"), device="cpu")
        made.start()
        assert made.ask("cut_points", "vit", wait=WAIT).state == "there"
        yield made
        made.close()


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asks questions of our own."""
    monkeypatch.setattr(questions, "QUESTIONS", "our_questions")


@pytest.fixture(scope="module")
def run(jobs: Jobs) -> Run:
    """A finished run."""
    return compare("digits-a", "digits-b", store=jobs.store, device="cpu", tlm=TaskLoss(epochs=1), indices=[], **SMALL)


def until(true: Callable[[], Any], seconds: float = WAIT) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_who_asks_needs_no_torch_and_no_dask() -> None:
    code = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "torchvision", "scipy", "sklearn", "distributed", "dask"}:
            raise ImportError(f"{name} is not wanted here")
sys.meta_path.insert(0, Refuse())
import stitchlab.jobs, stitchlab.jobs.calls, stitchlab.jobs.connection
from stitchlab.store import Store, uploads
jobs = stitchlab.jobs.Jobs(Store(sys.argv[1]))
print(jobs.status("none"), jobs.networks_in_progress(), jobs.ask("cut_points", "x", wait=30).message)
"""
    made = subprocess.run([sys.executable, "-c", code, "/nowhere"], cwd=HOUSE, capture_output=True, text=True)
    assert made.stdout.startswith("None {} Computing needs torch and distributed, not installed here: "), made.stderr


def test_a_question_is_answered_on_the_pages_worker_and_a_grid_computed_on_the_other(
    jobs: Jobs, run: Run, ours: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert jobs.ask("where", wait=WAIT) == Answer("there", "pages")
    long = ask("digits-a", "digits-b", jobs.store, tlm=TaskLoss(epochs=5000), methods=["tlm"], indices=[], **SMALL)
    jobs.compute(long)
    until(lambda: "task loss" in (jobs.status(long.id) or Status("failed")).what)
    client = jobs._connection.client().result()
    names = {address: worker["name"] for address, worker in client.scheduler_info()["workers"].items()}
    at = {names[address] for address, keys in client.processing().items() if any(long.id in str(key) for key in keys)}
    assert at <= {"grid", "grid-2"}
    assert at
    monkeypatch.undo()
    taken = []
    for image in range(20):
        began = time.monotonic()
        assert jobs.ask("feature_maps", run, image, "layer3.1", "layer2.0", wait=WAIT).state == "there"
        taken.append(time.monotonic() - began)
    status = jobs.status(long.id)
    jobs.cancel(long.id)
    assert status is not None
    assert status.state == "running", "all that while the grid was computed"
    assert median(taken) < 0.5


def test_answers_are_what_is_computed_here(jobs: Jobs, run: Run) -> None:
    digits = datasets.load("digits", jobs.store)
    for name in ("vit", "digits-a"):
        found = networks.find(jobs.store, name)
        assert (
            Cuts.from_record(jobs.ask("cut_points", found.id, wait=WAIT).value).record()
            == cut_points_of_any(jobs.store, found).record()
        )
    cuts = jobs.ask("architecture_cut_points", "resnet14", "digits", {}, None, wait=WAIT).value
    assert [p["name"] for p in cuts["points"]] == [p.name for p in cut_points_of_any(jobs.store, found).points]
    like = jobs.ask("front_cut_points", "random-init of vit", "digits-a", 0, wait=WAIT).value
    assert like == cut_points_of_any(jobs.store, networks.find(jobs.store, "vit")).record()
    assert jobs.ask("front_cut_points", "noise", "digits-a", 0, wait=WAIT).value["points"]
    order = evaluation_indices(digits, run.request)
    labels = jobs.ask("evaluation_labels", run, wait=WAIT).value
    assert (labels == digits.test.labels[order.numpy()]).all()
    pixels, shown = jobs.ask("evaluation_images", run.record, (3, 5, 5000), wait=WAIT).value
    assert (pixels == digits.test.images[order[[3, 5]].numpy()][:, 0]).all()
    assert (shown == labels[[3, 5]]).all()
    maps = jobs.ask("feature_maps", run, 7, "layer1.0", "layer2.0", wait=WAIT).value
    for name, values in activations_of(run, 7, "layer1.0", "layer2.0").items():
        assert maps[name] == pytest.approx(values.numpy(), rel=1e-4, abs=1e-5)
    train, test = jobs.ask("class_balance", "digits", wait=WAIT).value
    assert (sum(train), sum(test), len(train)) == (len(digits.train), len(digits.test), 10)
    samples, names = jobs.ask("sample_images", digits.fingerprint, 2, 4, wait=WAIT).value
    assert (samples.shape, names) == ((8, 8, 8), ["0", "1", "2", "3"] * 2)
    assert (samples[5] == digits.train.images[np.flatnonzero(digits.train.labels == 1)[1], 0]).all()


def test_equal_questions_are_asked_once(jobs: Jobs, ours: None) -> None:
    came: list[Answer] = []
    asking = [threading.Thread(target=lambda: came.append(jobs.ask("count", "once", wait=WAIT))) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert came == [Answer("there", "once")] * 8
    assert jobs.ask("count", "once") == Answer("there", "once"), "it is kept"
    assert (jobs.store.root / "once").read_text() == "x"
    assert jobs.ask_again("count", "once", wait=WAIT).value == "once"
    assert (jobs.store.root / "once").read_text() == "xx"


def test_a_failure_is_a_line_and_can_be_asked_again(jobs: Jobs) -> None:
    answer = jobs.ask("cut_points", "nobody", wait=WAIT)
    assert answer.state == "failed"
    assert answer.message.startswith("no network is called 'nobody'; there are: digits-a, digits-b")
    for name, message in (("tiny10", "tiny10 takes images of 27"), ("os:system", "no architecture is called 'os")):
        assert jobs.ask("architecture_cut_points", name, "digits", {}, None, wait=WAIT).message.startswith(message)
    assert "no data set" in jobs.ask("class_balance", "folder:/etc", wait=WAIT).message
    made = networks.rename(jobs.store, "vit", "nobody")
    try:
        assert jobs.ask("cut_points", "nobody") == answer, "it is kept for a while"
        assert jobs.ask_again("cut_points", "nobody", wait=WAIT).state == "there"
    finally:
        networks.rename(jobs.store, made.id, "vit")


def test_a_worker_that_is_killed_is_a_line_and_comes_back(jobs: Jobs, ours: None) -> None:
    answer = jobs.ask("die_unless", "flag", wait=WAIT)
    assert answer == Answer(
        "failed", None, "The worker that answers pages ended (twice on this question). Ask again restarts it."
    )
    (jobs.store.root / "flag").touch()
    assert jobs.ask_again("die_unless", "flag", wait=WAIT).value == "alive"


def test_a_worker_whose_keeper_is_killed_too_is_started_again(
    jobs: Jobs, ours: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "WORKER_CHECK_INTERVAL_S", 0.2)
    monkeypatch.setattr(questions, "WORKER_WAIT_S", 2.0)
    cluster = sure(jobs._connection.client().result().cluster)
    keeper = psutil.Process(cluster.workers["pages"].process.pid)
    for process in [keeper, *keeper.children(recursive=True)]:
        process.kill()
    until(lambda: not jobs._connection.has("pages"))
    answer = jobs.ask("where", "nobody is there", wait=WAIT)
    assert (answer.state, "no other was started" in answer.message) == ("failed", True)
    monkeypatch.setattr(questions, "WORKER_WAIT_S", 60.0)
    assert jobs.ask_again("where", wait=WAIT).value == "pages"


def test_nobody_waits_longer_than_they_said(jobs: Jobs, ours: None) -> None:
    for wait in (0.0, 0.3):
        began = time.monotonic()
        assert jobs.ask("wait_for", "end", wait=wait) == Answer("waiting")
        assert time.monotonic() - began < wait + 0.2
    (jobs.store.root / "end").touch()
    assert jobs.ask("wait_for", "end", wait=WAIT) == Answer("there", None)


def test_asking_does_not_wait_for_the_connection(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def slow(address: str, store: Store) -> Any:
        tries.append(address)
        time.sleep(1)
        raise StitchLabError("no Dask scheduler answers")

    monkeypatch.setattr(connection, "_remote", slow)
    jobs = Jobs(store, "tcp://somewhere")
    began = time.monotonic()
    jobs.start()
    assert [jobs.ask("cut_points", name).state for name in "abc"] == ["waiting"] * 3
    assert time.monotonic() - began < 0.5
    with pytest.raises(StitchLabError, match="no Dask scheduler answers"):
        jobs.train_demo()
    assert jobs.ask("cut_points", "a", wait=5) == Answer("failed", None, "no Dask scheduler answers")
    assert len(tries) == 1, "all waited for the same one"
    assert jobs.ask_again("cut_points", "a").state == "waiting"
    assert jobs.ask("cut_points", "a", wait=5).state == "failed"
    assert len(tries) == 2
    jobs.close()


def test_on_a_cluster_that_names_no_kinds_questions_go_first(store: Store) -> None:
    run = ask("digits-a", "digits-b", store, methods=["dm"], indices=[], **SMALL)
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        jobs = Jobs(store, cluster.scheduler_address, device="cpu")
        jobs.compute(run)
        assert jobs.ask("cut_points", "vit", wait=WAIT).state == "there"
        until(lambda: not sure(jobs.status(run.id)).active)
        assert Run.load(run.id, store).complete
        jobs.close()


class Told:
    """A Dask client and a future that is done at once: its answer is an array of so many bytes."""

    status, cluster = "finished", None

    def __init__(self, size: int = 0) -> None:
        self.size, self.asked = size, 0

    def submit(self, function: Any, name: str, root: str, size: int, *_: Any, **__: Any) -> Told:
        self.asked += 1
        return Told(size)

    def result(self, timeout: float) -> dict[str, Any]:
        return {"value": np.zeros(self.size, np.uint8)}

    def add_done_callback(self, call: Callable[[Told], None]) -> None:
        call(self)


class Connected:
    """A connection to it."""

    def __init__(self, client: Told) -> None:
        self._client: Future[Told] = Future()
        self._client.set_result(client)

    def client(self) -> Future[Told]:
        return self._client

    def place(self, kind: str) -> dict[str, Any]:
        return {}

    def has(self, kind: str) -> bool:
        return True

    def repair(self) -> None:
        """Nothing is broken."""


def test_few_answers_are_kept(store: Store) -> None:
    client = Told()
    asked = Questions(store, cast(Connection, Connected(client)), max_answers=3, max_bytes=1000)
    for size in (1, 2, 3, 1, 4):
        assert len(asked.ask("q", size).value) == size
    assert client.asked == 4
    asked.ask("q", 1), asked.ask("q", 3), asked.ask("q", 4)
    assert client.asked == 4, "the least recently wanted one, 2, has gone"
    asked.ask("q", 2)
    assert client.asked == 5
    asked.ask("q", 990)
    assert len(asked._answers) == 3
    asked.ask("q", 995), asked.ask("q", 990)
    assert client.asked == 8, "by their bytes"
    assert len(asked.ask("q", 5000).value) == len(asked.ask("q", 5000).value) == 5000
    assert client.asked == 9, "the last one is kept, however large"


def test_an_error_that_needs_torch_to_be_read_comes_as_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from stitchlab.jobs.calls import answer, run

    def broken(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate")

    monkeypatch.setattr(answers, "cut_points", broken)
    with pytest.raises(StitchLabError) as caught:
        run("stitchlab.worker.questions:cut_points", "x")
    assert (type(caught.value), caught.value.__context__, caught.value.__cause__) == (StitchLabError, None, None)
    assert answer("stitchlab.worker.questions:cut_points", "x") == {"message": "OutOfMemoryError: CUDA out of memory."}


def test_the_architecture_of_an_upload_is_told_by_its_tensors(store: Store, tmp_path: Path) -> None:
    torch.save(zoo.build("vit-nano", classes=3, channels=1, size=8).state_dict(), tmp_path / "w.th")
    (tmp_path / "odd.pt").write_bytes(b"no weights")
    keys = {name: uploads.keep(store, name, memoryview((tmp_path / name).read_bytes())) for name in ("w.th", "odd.pt")}
    assert answers.upload_architecture(str(store.root), keys["w.th"], "w.th") == "vit-nano"
    with pytest.raises(StitchLabError, match=r"^odd\.pt could not be read as a state dict"):
        answers.upload_architecture(str(store.root), keys["odd.pt"], "odd.pt")

"""The queue on a real local Dask cluster: the same numbers, one job for two askers, cancel, failure, interruption."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from grids import folder
from handy import sure

from stitchlab.catalog.training_recipes import Attack
from stitchlab.data import registry as datasets
from stitchlab.errors import StitchLabError
from stitchlab.grid.ask import ask, compare
from stitchlab.jobs import (
    DEMO,
    Jobs,
    Status,
    connection,
    detection_job,
    download_job,
    measurement_job,
    network_job,
    preparation_job,
    probes_job,
    trajectory_job,
)
from stitchlab.jobs.names import checks_job
from stitchlab.jobs.status import SILENCE_UNTIL_INTERRUPTED_S
from stitchlab.models import store as model_store
from stitchlab.probes.compute import probe
from stitchlab.request import Detection, TaskLoss
from stitchlab.results import demo, networks, probes, trajectory
from stitchlab.results.checks import suite, table
from stitchlab.results.checks.answers import Answers, suites
from stitchlab.results.detection import STATISTICS, DetectionResults, MethodCell
from stitchlab.results.run import Run
from stitchlab.store import Store, uploads

SMALL: dict[str, Any] = {"front_layers": ["layer1.0", "layer3.1"], "end_layers": ["layer2.0"], "eval_images": 100}


@pytest.fixture(scope="module")
def jobs(digits_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    """One cluster for this file, on a store of its own."""
    root = tmp_path_factory.mktemp("jobs") / "cache"
    shutil.copytree(digits_store.root, root)
    made = Jobs(Store(root), device="cpu")
    yield made
    made.close()


def digits(jobs: Jobs) -> str:
    """The data set that pages send."""
    return datasets.load("digits", jobs.store).fingerprint


def ended(jobs: Jobs, job: str, seconds: float = 120) -> Status:
    end = time.monotonic() + seconds
    while (status := jobs.status(job)) is not None and status.active:
        assert time.monotonic() < end, f"still {status}"
        time.sleep(0.2)
    assert status is not None
    return status


def test_a_network_is_trained_with_its_curve(jobs: Jobs) -> None:
    wanted = {
        "name": "queued",
        "arch": "mlp",
        "data": digits(jobs),
        "epochs": 3,
        "seed": 4,
        "attack": Attack(2 / 255, 1),
    }
    jobs.train(wanted)
    assert jobs.networks_in_progress()["queued"].active
    assert ended(jobs, network_job("queued")).state == "done"
    made = networks.find(jobs.store, "queued")
    assert jobs.curve("queued") == made.origin["curve"]
    assert (made.seed, made.origin["epochs"], made.origin["attack"]["steps"]) == (4, 3, 1)
    assert "queued" not in jobs.networks_in_progress()
    jobs.train(wanted)
    assert ended(jobs, network_job("queued")).message.startswith("name 'queued' is taken by network")
    assert jobs.networks_in_progress()["queued"].state == "failed"
    jobs.forget(network_job("queued"))
    assert jobs.networks_in_progress() == {}


def test_training_is_cancelled_and_leaves_nothing(jobs: Jobs) -> None:
    jobs.train({"name": "long", "arch": "resnet20", "data": digits(jobs), "epochs": 500})
    until = time.monotonic() + 60
    while not jobs.curve("long"):
        assert time.monotonic() < until
        time.sleep(0.1)
    jobs.cancel(network_job("long"))
    assert ended(jobs, network_job("long"), 10).state == "cancelled"
    time.sleep(1)
    assert "long" not in [n.name for n in networks.list_networks(jobs.store)]
    jobs.forget(network_job("long"))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"arch": "os:system"}, "no architecture is called 'os:system'"),
        ({"arch": "/tmp/x.py:Net"}, "no architecture is called '/tmp/x.py:Net'"),
        ({"data": "folder:/etc"}, "no data set is called 'folder:/etc'"),
        ({"arch": "tiny10"}, "tiny10 takes images of 27"),
    ],
)
def test_what_pages_may_not_name_is_refused_on_the_worker(jobs: Jobs, what: dict[str, str], message: str) -> None:
    jobs.train({"name": "evil", "arch": "mlp", "data": digits(jobs), "epochs": 1, **what})
    assert ended(jobs, network_job("evil")).message.startswith(message)
    jobs.forget(network_job("evil"))


def test_an_upload_is_imported_and_goes(jobs: Jobs, tmp_path: Path) -> None:
    trained = model_store.load("digits-a", jobs.store, device="cpu")
    assert trained.module is not None
    theirs = trained.module.state_dict()
    theirs["fc.bias"] = theirs["fc.bias"] + 0.01  # else it were digits-a, which is there
    torch.save(theirs, tmp_path / "w.pt")
    content = memoryview((tmp_path / "w.pt").read_bytes())
    shape = {"arch": "resnet14", "data": digits(jobs)}
    for name, sent, message in (
        ("theirs", content, ""),
        ("broken", content[:-200], "mine.pt could not be read as a"),
        ("wrong", content, "do not fit resnet20"),
    ):
        before = sorted(path.name for path in jobs.store.root.glob("networks/*"))
        key = uploads.keep(jobs.store, "w.pt", sent)
        arch = {"arch": "resnet20"} if name == "wrong" else {}
        jobs.bring(key, {"name": name, "called": "mine.pt", **shape} | arch)
        status = ended(jobs, network_job(name))
        assert message in status.message
        assert status.state == ("failed" if message else "done"), status.message
        assert not list((jobs.store.root / "uploads").glob("*")), "nothing is left behind"
        if message:
            assert sorted(path.name for path in jobs.store.root.glob("networks/*")) == before
        else:
            assert networks.find(jobs.store, name).origin["file"] == "mine.pt"
        jobs.forget(network_job(name))


def test_a_cancelled_import_leaves_nothing(jobs: Jobs) -> None:
    jobs.train({"name": "before", "arch": "resnet20", "data": digits(jobs), "epochs": 500})
    key = uploads.keep(jobs.store, "w.pt", memoryview(b"abc"))
    jobs.bring(key, {"name": "queued-import", "arch": "mlp", "data": digits(jobs)})
    jobs.cancel(network_job("queued-import"))
    assert not uploads.place(jobs.store, key).exists()
    jobs.cancel(network_job("before"))
    for name in ("before", "queued-import"):
        assert ended(jobs, network_job(name), 20).state == "cancelled"
        jobs.forget(network_job(name))


def test_measuring_and_fetching(jobs: Jobs) -> None:
    vit = networks.find(jobs.store, "vit")
    jobs.measure(vit.id)
    assert ended(jobs, measurement_job(vit.id)).state == "done"
    counts = networks.confusion(jobs.store, vit)
    assert counts is not None
    assert int(counts.sum()) == 540
    jobs.fetch("cifar10")
    status = ended(jobs, download_job("cifar10"))
    assert status.state == "failed", "no test uses a network: its worker has none"
    assert "could not be downloaded" in status.message


def test_probes_are_computed_once_and_what_is_wrong_is_said(jobs: Jobs) -> None:
    found = probes.find(jobs.store, "digits-a", layers=["layer3.1"], train_images=100, eval_images=60)
    jobs.probe(found.wanted(), "linear probes of digits-a")
    assert ended(jobs, probes_job(found.wanted())).state == "done"
    made = probes.find(jobs.store, **found.wanted())
    assert made.complete
    assert (
        made.rows()[0].accuracy
        == probe(
            "digits-a", Store(jobs.store.root), layers=["layer3.1"], train_images=100, eval_images=60, device="cpu"
        )
        .rows()[0]
        .accuracy
    )
    wrong = found.wanted() | {"layers": ["nowhere"]}
    jobs.probe(wrong, "linear probes")
    assert ended(jobs, probes_job(wrong)).message.startswith("no layer is called 'nowhere'")


def test_a_queued_run_has_the_numbers_of_one_in_this_process(jobs: Jobs, store: Store) -> None:
    run = ask("digits-a", "digits-b", jobs.store, tlm=TaskLoss(epochs=1), **SMALL)
    assert jobs.status(run.id) is None
    rough = (answer := jobs.estimate(run, 60)).value
    assert answer.state == "there", answer
    assert rough["seconds"] > 0
    assert not rough["timed"], "nothing like it was timed on this machine yet"
    assert [what for what, _ in rough["cheaper"]] == ["DM and indices only"]
    jobs.compute(run)
    assert ended(jobs, run.id).state == "done"
    done = Run.load(run.id, jobs.store)
    here = compare("digits-a", "digits-b", store=store, device="cpu", tlm=TaskLoss(epochs=1), **SMALL)
    assert done.complete
    assert here.id == done.id
    for method, metric in done.quantities():
        # Training sums in another order where there are other threads.
        assert done.matrix(method, metric) == pytest.approx(here.matrix(method, metric), abs=0.03), (method, metric)
    other = ask("digits-a", "digits-b", jobs.store, tlm=TaskLoss(epochs=1), seed=1, **SMALL)
    assert jobs.estimate(other, 60).value["timed"]
    assert jobs.estimate(done, 60).value["seconds"] == 0
    record = sure(jobs.store.get("jobs", run.id))
    weights = sure(jobs.store.get("progress", f"{record['attempt']}.plan"))["weights"]
    assert len(weights) == len(record["labels"]) > 3
    assert len(set(weights)) == len(weights), "the pages' worker has found out what each unit is of the whole"


def test_the_same_request_twice_is_one_job_and_cancel_keeps_what_is_done(jobs: Jobs) -> None:
    run = ask("digits-a", "digits-b", jobs.store, tlm=TaskLoss(epochs=500), **SMALL)
    jobs.compute(run)
    record = jobs.store.get("jobs", run.id)
    jobs.compute(ask("digits-a", "digits-b", jobs.store, tlm=TaskLoss(epochs=500), **SMALL))
    assert jobs.store.get("jobs", run.id) == record
    end = time.monotonic() + 60
    while not (status := jobs.status(run.id)) or "task loss" not in status.what:
        assert time.monotonic() < end
        time.sleep(0.1)
    jobs.cancel(run.id)
    status = jobs.status(run.id)
    assert status is not None
    assert status.state == "cancelled"
    kept = Run.load(run.id, jobs.store)
    assert {name for name, _, _ in kept.cells} == {"dm", "cka", "cka-debiased", "pwcca", "opd"}
    short = ask("digits-a", "digits-b", jobs.store, tlm=TaskLoss(epochs=1), seed=2, **SMALL)
    jobs.compute(short)
    assert ended(jobs, short.id, 30).state == "done", "the worker is free within seconds"


def test_a_failure_is_one_line(jobs: Jobs) -> None:
    run = ask("digits-b", "vit", jobs.store, methods=["dm"], indices=[], eval_images=20)
    weights = jobs.store.path("networks", run.request.front, ".safetensors")
    weights.rename(weights.with_suffix(".away"))
    # The other worker has this network loaded already; a new one must read it.
    fresh = Jobs(jobs.store, device="cpu")
    try:
        fresh.compute(run)
        status = ended(fresh, run.id)
    finally:
        weights.with_suffix(".away").rename(weights)
        fresh.close()
    assert status.state == "failed"
    assert "weights of digits-b are missing" in status.message
    assert "\n" not in status.message


def test_a_job_whose_process_is_gone_is_interrupted(jobs: Jobs) -> None:
    jobs.store.put(
        "jobs",
        "left",
        {
            "attempt": "left-1",
            "weights": [1.0],
            "labels": ["x"],
            "created": time.time() - SILENCE_UNTIL_INTERRUPTED_S - 1,
        },
    )
    status = jobs.status("left")
    assert status is not None
    assert status.state == "interrupted"
    assert not status.active


def test_the_demo_is_trained_where_there_is_nothing(tmp_path: Path) -> None:
    jobs = Jobs(Store(tmp_path / "cache"), device="cpu")
    try:
        jobs.train_demo()
        assert ended(jobs, DEMO, 300).state == "done"
    finally:
        jobs.close()
    assert {network.name for network in networks.list_networks(jobs.store)} == set(demo.NAMES)
    assert all(sure(network.accuracy) > 0.95 for network in networks.list_networks(jobs.store))
    assert demo.run(jobs.store) is not None


def test_a_scheduler_that_does_not_answer_is_one_line(store: Store) -> None:
    jobs = Jobs(store, "tcp://127.0.0.1:1", device="cpu")
    with pytest.raises(StitchLabError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        jobs.train_demo()


def test_somebodys_cluster_does_the_work_if_it_sees_the_store(jobs: Jobs, tmp_path: Path) -> None:
    jobs.compute(ask("digits-a", "digits-b", jobs.store, methods=["dm"], indices=[], seed=7, **SMALL))
    scheduler = jobs._connection.client().result().scheduler
    assert scheduler is not None
    address = scheduler.address
    run = ask("digits-a", "digits-b", jobs.store, methods=["dm"], indices=[], seed=8, **SMALL)
    theirs = Jobs(jobs.store, address, device="cpu")
    theirs.compute(run)
    assert ended(theirs, run.id).state == "done"
    theirs.close()
    blind = Jobs(Store(tmp_path / "elsewhere"), address, device="cpu")
    with pytest.raises(StitchLabError, match="cannot read the cache"):
        blind.train_demo()


def test_one_cell_is_computed_judged_and_followed(jobs: Jobs) -> None:
    run = ask("digits-a", "digits-b", jobs.store, tlm=TaskLoss(epochs=1), indices=[], seed=9, **SMALL)
    i, j = "layer3.1", "layer2.0"
    jobs.compute(run, (i, j))
    assert ended(jobs, run.id).state == "done"
    run = Run.load(run.id, jobs.store)
    assert set(run.cells) == {("tlm", i, j), ("dm", i, j)}, "no other cell"
    assert run.own_accuracy is not None
    cells: list[MethodCell] = [("tlm", i, j), ("dm", i, j)]
    jobs.store.delete("runs", run.id)  # as of a run that is looked at only, whose cells came with another one
    jobs.detect(run, Detection(), ["knn", "frechet"], cells)
    assert ended(jobs, detection_job(run, Detection(), cells)).state == "done"
    found = DetectionResults(run)
    assert not found.lacking(["knn", "frechet", STATISTICS], cells)
    assert found.interval("knn", "tlm", "auroc", i, j).value is not None
    jobs.detect(run, Detection(), ["knn", "frechet"], cells)
    assert ended(jobs, detection_job(run, Detection(), cells)).state == "done", "nothing was lacking, nothing is queued"
    jobs.compute_trajectory(run, i, j)
    assert ended(jobs, trajectory_job(run, i, j)).state == "done"
    assert trajectory.kept(run, i, j) is not None
    assert not jobs.store.has("runs", run.id), "looking writes no run"


def test_outliers_that_do_not_fit_fail_in_one_line(jobs: Jobs, tmp_path: Path) -> None:
    run = ask("digits-a", "digits-b", jobs.store, methods=["dm"], indices=[], seed=7, **SMALL)
    jobs.compute(run)
    assert ended(jobs, run.id).state == "done"
    large = datasets.load(folder(tmp_path / "large", ["a", "b"], colour=True, size=16), jobs.store)
    wrong = Detection(outliers=f"data:{large.fingerprint}")
    cells: list[MethodCell] = [("dm", "layer3.1", "layer2.0")]
    jobs.detect(run, wrong, ["knn"], cells)
    status = ended(jobs, detection_job(run, wrong, cells))
    assert status.state == "failed"
    assert "3×16×16" in status.message
    assert "\n" not in status.message


def entries(jobs: Jobs, job: str) -> list[str]:
    """What lies in the store of attempts at a job."""
    return [key for room in ("jobs", "progress", "cancel") for key in jobs.store.keys(room) if key.startswith(job)]


def test_a_job_leaves_nothing_when_it_is_forgotten(jobs: Jobs) -> None:
    wanted = {"name": "mayfly", "arch": "mlp", "data": "digits", "epochs": 1}
    for seed in range(2):  # data that no store knows by fingerprint has its name
        jobs.train({**wanted, "seed": seed})
        assert ended(jobs, network_job("mayfly")).state == ("failed" if seed else "done"), "the name is taken then"
        (attempt,) = {key.split(".")[0] for key in entries(jobs, network_job("mayfly"))} - {network_job("mayfly")}
        assert attempt == sure(jobs.store.get("jobs", network_job("mayfly")))["attempt"], (
            "nothing of the attempt before"
        )
    jobs.forget(network_job("mayfly"))
    assert not entries(jobs, network_job("mayfly"))


def test_who_is_cancelled_and_asked_again_at_once_stops_all_the_same(jobs: Jobs) -> None:
    wanted = {"name": "twice", "arch": "mlp", "data": "digits", "epochs": 5000, "seed": 7}
    jobs.train(wanted)
    until = time.monotonic() + 60
    while not jobs.curve("twice"):
        assert time.monotonic() < until
        time.sleep(0.05)
    jobs.cancel(network_job("twice"))
    jobs.train({**wanted, "epochs": 1})
    assert ended(jobs, network_job("twice"), 60).state == "done", "the first one does not go on"
    assert networks.find(jobs.store, "twice").origin["epochs"] == 1
    jobs.forget(network_job("twice"))


def test_what_a_request_needs_is_prepared(jobs: Jobs) -> None:
    wanted: dict[str, Any] = {
        "front": "random-init of digits-a",
        "end": "digits-b",
        "data": "digits",
        "seed": 3,
        "methods": ["tlm"],
        "indices": [],
        "tlm": {"epochs": 1, "init": "dm"},
        **SMALL,
    }
    jobs.prepare(wanted)
    status = ended(jobs, preparation_job(wanted))
    assert (status.state, status.message) == ("done", "")
    assert status.result is not None
    run = Run.load(status.result["run"], jobs.store)
    assert run.id == ask(store=jobs.store, **wanted | {"tlm": TaskLoss(epochs=1, init="dm")}).id
    assert networks.find(jobs.store, run.request.front).origin["control"] == "random-init of digits-a"
    jobs.compute(run)
    assert ended(jobs, run.id).state == "done"
    jobs.prepare({**wanted, "front": "nobody"})
    assert ended(jobs, preparation_job({**wanted, "front": "nobody"})).message.startswith(
        "no network is called 'nobody'"
    )


def test_nobody_waits_for_the_workers_to_start(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked for meanwhile is queued, and fails with one line where no worker can be started."""
    started = threading.Event()

    def start() -> None:
        assert started.wait(60)
        raise RuntimeError("no process can be made")

    monkeypatch.setattr(connection, "_local", start)
    jobs = Jobs(store)
    jobs.start()
    jobs.fetch("digits")
    jobs.measure(networks.find(store, "vit").id)
    jobs.cancel(download_job("digits"))
    job = measurement_job(networks.find(store, "vit").id)
    assert [sure(jobs.status(name)).state for name in (download_job("digits"), job)] == ["cancelled", "queued"]
    started.set()
    assert ended(jobs, job, 30).state == "failed"
    assert (
        sure(jobs.status(job)).message == "no worker could be started (RuntimeError: no process can be made); try again"
    )
    assert sure(jobs.status(download_job("digits"))).state == "cancelled"
    jobs.close()


def test_measures_are_checked_step_by_step_and_the_price_is_known_before(jobs: Jobs) -> None:
    what = suite.wanted(suite.find(jobs.store, ["digits-a", "digits-b"], methods=(), indices=("cka",)))
    price = jobs.price(what, ["self"], wait=120)  # workers start
    assert price.value is not None
    assert price.value["grids"] == 2
    assert 0 < price.value["seconds"] < 600
    jobs.check(what, ["self"])
    assert ended(jobs, checks_job(what)).state == "done"
    assert [record["wanted"] for record in suites(jobs.store)] == [what], "it is listed from then on"
    answers = Answers(suite.suite_of(jobs.store, what))
    assert [(row.check, row.value) for row in table.rows(answers)] == [("self", 1.0)] * 2
    after = jobs.price(what, ["self"], cache_key=1, wait=120)
    assert after.value == {"seconds": 0.0, "timed": True, "grids": 0}

"""The command line, as other people's scripts rely on it: output, exit status, one plain line for wrong input."""

from __future__ import annotations

import csv
import io
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from stitchlab import __main__ as cli
from stitchlab import cli as common
from stitchlab.catalog.indices import INDICES
from stitchlab.grid import compute
from stitchlab.models import zoo
from stitchlab.models.store import load
from stitchlab.results import networks
from stitchlab.results.run import Run, list_runs
from stitchlab.stitch import maps
from stitchlab.store import Store

HOUSE = Path(__file__).resolve().parents[2]
SMALL = [
    "compare",
    "digits-a",
    "digits-b",
    "--front-layers",
    "layer1.0,layer3.1",
    "--end-layers",
    "layer2.0",
    "--tlm-epochs",
    "1",
    "--eval-images",
    "100",
    "--device",
    "cpu",
]


@pytest.fixture(autouse=True)
def _here(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STITCHLAB_CACHE", str(store.root))


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit status, stdout, stderr of a command."""
    capsys.readouterr()
    try:
        status = cli.main(list(arguments))
    except SystemExit as stop:
        status = int(str(stop.code))
    out = capsys.readouterr()
    return status, out.out, out.err


def folder(root: Path, train: dict[str, int], test: dict[str, int], size: int = 8) -> Path:
    """A folder of grey images, this many a class."""
    for part, classes in (("train", train), ("test", test)):
        for name, count in classes.items():
            (root / part / name).mkdir(parents=True)
            for k in range(count):
                Image.fromarray(np.full((size, size), 10 * k, np.uint8)).save(root / part / name / f"{k}.png")
    return root


def test_compare_writes_its_numbers_and_says_its_id_last(
    capsys: pytest.CaptureFixture[str], store: Store, tmp_path: Path
) -> None:
    status, out, err = said(capsys, *SMALL, "--out", str(tmp_path / "out"))
    assert status == 0
    assert "Traceback" not in err
    run = Run.load(out.splitlines()[-1], store)
    assert out.splitlines()[-1] == run.id
    lines = (tmp_path / "out" / "cells.csv").read_text().splitlines()
    assert lines[0] == "front_layer,end_layer,method,metric,value"
    rows = list(csv.reader(lines[1:]))
    assert len(rows) == 2 * (2 * 7 + 4)
    assert [float(row[4]) for row in rows] == [row.value for row in run.rows()]
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["id"] == run.id
    assert record["request"]["tlm"]["epochs"] == 1
    assert record["complete"]


def test_every_index_can_be_named(capsys: pytest.CaptureFixture[str], store: Store) -> None:
    status, out, _ = said(capsys, *SMALL, "--methods", "", "--indices", ",".join(INDICES))
    assert status == 0
    assert Run.load(out.splitlines()[-1], store).request.indices == tuple(INDICES)
    assert [line for line in out.splitlines() if " / " in line] == [
        f"{name} / {index.metric}" for name, index in INDICES.items()
    ]


def test_names_are_looked_at_before_anything_is_trained(capsys: pytest.CaptureFixture[str], store: Store) -> None:
    before = len(networks.list_networks(store))
    networks.rename(store, "digits-b", "mine-s1")
    status, _, err = said(capsys, "train", "mlp", "--data", "digits", "--name", "mine", "--seeds", "0,1")
    assert status == 2
    assert "name 'mine-s1' is taken" in err
    assert len(networks.list_networks(store)) == before


def test_again_is_there_at_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first = said(capsys, *SMALL)[1]

    def no(*_: Any) -> None:
        raise AssertionError("computed again")

    for module, name in (
        (maps, "direct_matching"),
        (maps, "task_loss_matching"),
        (compute, "evaluate"),
        (compute, "indices"),
    ):
        monkeypatch.setattr(module, name, no)
    assert said(capsys, *SMALL)[:2] == (0, first)


def test_an_empty_choice_is_none_of_them(capsys: pytest.CaptureFixture[str], store: Store) -> None:
    status, out, _ = said(capsys, *SMALL, "--methods", "dm", "--indices", "")
    assert status == 0
    request = Run.load(out.splitlines()[-1], store).request
    assert request.methods == ("dm",)
    assert request.indices == ()


def test_layers_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("digits-a", "resnet14"):
        points = json.loads(said(capsys, "layers", name, "--json")[1])
        assert all(set(point) == {"name", "shape", "default"} for point in points)
        assert [p["name"] for p in points if p["default"]] == [f"layer{k}.{b}" for k in (1, 2, 3) for b in (0, 1)]
    points = json.loads(said(capsys, "layers", "vit-nano", "--size", "8", "--json")[1])
    assert {"name": "blocks.5", "shape": [17, 64], "default": True} in points


def test_runs_show_and_delete(capsys: pytest.CaptureFixture[str], store: Store) -> None:
    name = said(capsys, *SMALL)[1].splitlines()[-1]
    other = said(capsys, *SMALL, "--end-layers", "layer2.0,layer3.0")[1].splitlines()[-1]
    listed = said(capsys, "runs")[1]
    assert name in listed
    assert other in listed
    status, out, _ = said(capsys, "show", name[:8])
    assert status == 0
    assert "dm / accuracy" in out
    assert said(capsys, "delete", name)[0] == 0
    assert [run.id for run in list_runs(store)] == [other]
    assert Run.load(other, store).complete, "what it shared with the other run is kept"
    said(capsys, "delete", other)
    assert store.keys("cells") == []
    assert not list((store.root / "maps").glob("*"))


def test_train_and_lists(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = said(
        capsys,
        "train",
        "resnet14",
        "--data",
        "digits",
        "--epochs",
        "1",
        "--name",
        "new",
        "--seed",
        "9",
        "--device",
        "cpu",
    )
    assert status == 0
    assert "new" in out
    assert "new" in said(capsys, "networks")[1]
    assert "digits" in said(capsys, "data")[1]
    status, _, err = said(capsys, "train", "resnet14", "--data", "digits", "--name", "new")
    assert status == 2
    assert "'new' is taken by network" in err


def test_several_seeds_recipes_and_sizes(capsys: pytest.CaptureFixture[str], store: Store) -> None:
    status, out, _ = said(
        capsys,
        "train",
        "resnet18",
        "--data",
        "digits",
        "--epochs",
        "1",
        "--name",
        "many",
        "--seeds",
        "1,2",
        "--options",
        "width=4,maps=equal",
        "--adversarial",
        "8/255",
        "--pgd-steps",
        "1",
        "--label-noise",
        "0.1",
        "--augment",
        "crop",
        "--size",
        "12",
        "--device",
        "cpu",
    )
    assert status == 0
    made = [networks.find(store, f"many-s{seed}") for seed in (1, 2)]
    assert [n.seed for n in made] == [1, 2]
    origin = made[0].origin
    assert (origin["attack"], origin["label_noise"], origin["augment"]) == (
        {"epsilon": 8 / 255, "steps": 1},
        0.1,
        ["crop"],
    )
    assert (made[0].size, made[0].options["maps"]) == (12, "equal")
    assert "many-s2" in out
    assert said(capsys, "train", "mlp", "--data", "digits", "--untrained", "--name", "fresh")[0] == 0
    assert networks.find(store, "fresh").origin["how"] == "untrained"
    assert said(capsys, "networks", "--rename", "fresh", "fresher")[0] == 0
    assert said(capsys, "networks", "--delete", "fresher")[1].startswith("deleted fresher")
    assert "fresher" not in said(capsys, "networks")[1]


def test_layers_of_architectures_and_of_own_code(
    capsys: pytest.CaptureFixture[str], store: Store, tmp_path: Path
) -> None:
    listed = json.loads(said(capsys, "layers", "torchvision/resnet18", "--size", "64", "--json")[1])
    assert [p["name"] for p in listed if p["default"]] == [f"layer{s}.{b}" for s in (1, 2, 3, 4) for b in (0, 1)]
    assert listed[-1] == {"name": "fc", "shape": [10], "default": False}
    code = tmp_path / "mine.py"
    code.write_text(
        "from torch import nn\ndef net(classes, channels):\n    pool = nn.AdaptiveAvgPool2d(1)\n    return "
        "nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(), pool, nn.Flatten(), nn.Linear(4, classes))"
    )
    assert "4×30×30" in said(capsys, "layers", f"{code}:net")[1]
    assert (
        said(capsys, "train", f"{code}:net", "--data", "digits", "--epochs", "1", "--name", "own", "--device", "cpu")[0]
        == 0
    )
    status, out, _ = said(
        capsys,
        "compare",
        "own",
        "digits-b",
        "--front-layers",
        "1",
        "--end-layers",
        "layer2.0",
        "--methods",
        "dm",
        "--indices",
        "",
        "--eval-images",
        "50",
        "--device",
        "cpu",
    )
    assert status == 0
    assert Run.load(out.splitlines()[-1], store).complete


def test_controls_on_the_command_line(capsys: pytest.CaptureFixture[str], store: Store) -> None:
    for front, layer in (("noise", "blocks.5"), ("random-init of digits-a", "layer3.1")):
        status, out, _ = said(
            capsys,
            "compare",
            front,
            "digits-b",
            "--front-layers",
            layer,
            "--end-layers",
            "layer3.1",
            "--methods",
            "dm",
            "--indices",
            "cka",
            "--eval-images",
            "100",
            "--device",
            "cpu",
        )
        assert status == 0
        assert Run.load(out.splitlines()[-1], store).record["front"]["origin"]["control"] == front


def test_data_is_brought_in(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = folder(tmp_path / "letters", {"a": 2, "b": 2}, {"a": 1, "b": 1})
    out = said(capsys, "data", f"folder:{path}")[1]
    assert "letters" in out


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("executed"),)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "digit-a", "digits-b"], "no network is called 'digit-a'; nearest: digits-a"),
        ([*SMALL[:3], "--front-layers", "layer1.9"], "no layer is called 'layer1.9'; nearest: layer1."),
        ([*SMALL, "--methods", "tml"], "no method is called 'tml'; nearest: tlm"),
        ([*SMALL, "--indices", "kca"], "no similarity index is called 'kca'"),
        ([*SMALL, "--tlm-preset", "papre"], "nearest: paper"),
        ([*SMALL, "--tlm-preset", "quick", "--tlm-lr", "0.11"], "expected at most 0.1, got 0.11"),
        ([*SMALL, "--tlm-augment", "flips"], "invalid choice: 'flips'"),
        ([*SMALL, "--train-images", "0"], "training images: expected 1 or more"),
        ([*SMALL, "--train-images", "1258"], "expected a number from 1 to 1,257"),
        ([*SMALL, "--tlm-epochs", "0"], "epochs: expected 1 or more, got 0"),
        ([*SMALL, "--tlm-lr", "-1"], "learning rate must be above 0"),
        ([*SMALL, "--dm-images", "5000"], "expected a number from 1 to 1,257"),
        ([*SMALL, "--eval-images", "541"], "expected a number from 1 to 540"),
        ([*SMALL, "--methods", "", "--indices", ""], "nothing to compute"),
        ([*SMALL, "--seed", "abc"], "invalid int value: 'abc'"),
        ([*SMALL, "--seed", "-1"], "expected a seed from 0"),
        ([*SMALL, "--device", "tpu"], "no device is called 'tpu'"),
        ([*SMALL, "--data", "cifar"], "no data set is called 'cifar'; nearest: cifar10"),
        ([*SMALL, "--data", "cifar10"], "CIFAR-10 is not on this machine"),
        ([*SMALL, "--workers", "tcp://127.0.0.1:1"], "no Dask scheduler answers"),
        (["compare", "digits-a"], "the following arguments are required: END"),
        (["train", "resnet15", "--data", "digits"], "no architecture is called 'resnet15'"),
        (["train", "tiny10", "--data", "digits"], "these have 8"),
        (["train", "resnet14", "--data", "digits", "--seed", "9" * 21], "expected a seed from 0"),
        (["layers", "resnet14", "--size", "0"], "these have 0"),
        (["import", "x.pt", "--arch", "resnet14", "--data", "digits", "--name", "x", "--mean", "1,x"], "got '1,x'"),
        (["train", "resnet14", "--data", "digits", "--epochs", "0"], "at least 1 epoch"),
        (["layers", "resnet15"], "no network or architecture is called 'resnet15'"),
        (["show", "abcdef"], "no run is called 'abcdef'"),
        (["delete", "abcdef"], "no run is called 'abcdef'"),
        (["train", "mlp", "--data", "digits", "--options", "width"], "names and values such as width=16"),
        (
            ["train", "mlp", "--data", "digits", "--options", "widths=3"],
            "mlp has no option widths; its options are: width",
        ),
        (["train", "mlp", "--data", "digits", "--seeds", "1,b"], "expected whole numbers such as 0,1,2"),
        (["train", "mlp", "--data", "digits", "--adversarial", "8/0"], "a number such as 0.03 or 8/255"),
        (["train", "mlp", "--data", "digits", "--adversarial", "8"], "ε above 0 and at most 1"),
        (["train", "mlp", "--data", "digits", "--augment", "rotate"], "no augmentation is called 'rotate'"),
        (["train", "noise", "--data", "digits"], "noise is a control and learns nothing"),
        (["train", "torchvision/inception_v3", "--data", "digits"], "sizes that it takes: 75"),
        (["train", "torchvision/resnet19", "--data", "digits"], "nearest: torchvision/resnet18"),
        (["train", "none.py:Net", "--data", "digits"], "is not a file; give your own code as FILE.py:callable"),
        (
            ["import", "DEFAULT", "--arch", "torchvision/resnet18", "--data", "digits", "--name", "x"],
            "is downloaded only on request",
        ),
        (["networks", "--delete", "nobody"], "no network is called 'nobody'"),
        (["compare", "random-init of nobody", "digits-b"], "no network is called 'nobody'"),
        (["fly"], "invalid choice: 'fly'"),
        (["train", "resnet14", "--data", "folder:/nowhere"], "/nowhere is not a folder"),
    ],
)
def test_wrong_input_is_one_plain_line(
    capsys: pytest.CaptureFixture[str], store: Store, arguments: list[str], message: str
) -> None:
    if arguments[-1] == "tcp://127.0.0.1:1":
        arguments = [*arguments, "--methods", "dm"]
    before = store.keys("cells")
    status, out, err = said(capsys, *arguments)
    assert status == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""
    assert store.keys("cells") == before


def test_wrong_weights_are_one_plain_line(
    capsys: pytest.CaptureFixture[str], store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"conv1.weight": torch.zeros(2, 2), "odd": torch.zeros(1)}, "other.pt")
    Path("evil.pt").write_bytes(pickle.dumps({"conv1.weight": Evil()}))
    networks = store.keys("networks")
    for file, words in (("other.pt", ["conv1.weight", "odd"]), ("evil.pt", ["evil.pt"]), ("none.pt", ["none.pt"])):
        status, out, err = said(capsys, "import", file, "--arch", "resnet14", "--data", "digits", "--name", "mine")
        assert (status, out) == (2, "")
        assert len(err.strip().splitlines()) == 1
        assert all(word in err for word in words)
    assert not Path("executed").exists()
    assert store.keys("networks") == networks


def test_an_import_looks_at_the_weights_before_it_decodes_an_image(
    capsys: pytest.CaptureFixture[str], store: Store, tmp_path: Path
) -> None:
    root = folder(tmp_path / "images", {"apple": 2, "pear": 1}, {"apple": 1, "pear": 1})
    Image.fromarray(np.full((8, 8, 3), 90, np.uint8)).save(root / "train" / "apple" / "0.png")
    (root / "test" / "pear" / "0.png").write_bytes(b"no image")
    torch.save(zoo.build("resnet14", classes=2, channels=3, size=8).state_dict(), tmp_path / "w.th")
    wanted = ["import", str(tmp_path / "w.th"), "--data", f"folder:{root}", "--name", "mine", "--arch"]
    before = store.keys("networks")
    assert "They look like resnet14: choose that" in said(capsys, *wanted, "resnet20")[2]
    assert "0.png cannot be read as an image" in said(capsys, *wanted, "resnet14")[2]
    Image.fromarray(np.full((8, 8), 9, np.uint8)).save(root / "test" / "pear" / "0.png")
    assert said(capsys, *wanted, "resnet14")[0] == 0
    assert len(store.keys("networks")) == len(before) + 1


def test_an_import_remarks_and_replaces(capsys: pytest.CaptureFixture[str], store: Store, tmp_path: Path) -> None:
    taken = networks.find(store, "digits-b")
    torch.save(load("digits-b", store, device="cpu").module.state_dict(), tmp_path / "w.pt")
    wanted = ["import", str(tmp_path / "w.pt"), "--arch", "resnet14", "--data", "digits", "--name"]
    status, out, err = said(capsys, *wanted, "digits-b", "--mean", "5")
    assert (status, out) == (2, "")
    assert (
        f"name 'digits-b' is taken by network {taken.short} (resnet14, digits): choose another, or replace it "
        "(--replace)" in err
    )
    status, out, err = said(capsys, *wanted, "wrong", "--mean", "5")
    assert status == 0
    assert len(out.splitlines()) == 2
    assert re.search(
        r"^wrong: of 300 test images it gets \d+% right with its mean and deviation, and \d+% with .*; if "
        r"it was trained with those, import it again with --replace and .*--mean",
        err,
        re.MULTILINE,
    )
    status, out, err = said(capsys, *wanted, "digits-b", "--mean", f"{taken.mean[0] + 1e-4}", "--replace")
    assert status == 0
    assert "import it again" not in err
    after = networks.find(store, "digits-b")
    assert (after.id != taken.id, taken.id in store.keys("networks")) == (True, False)
    assert after.accuracy == pytest.approx(taken.accuracy, abs=0.02)


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ({"apple": 1}, {}, "/test"),
        ({"apple": 1, "pear": 1}, {"apple": 1}, "pear"),
        ({"apple": 1, "pear": 1}, {"apple": 1, "plum": 1}, "plum"),
    ],
)
def test_wrong_folders_are_one_plain_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, train: dict[str, int], test: dict[str, int], message: str
) -> None:
    root = folder(tmp_path / "images", train, test)
    status, _, err = said(capsys, "train", "resnet14", "--data", f"folder:{root}")
    assert status == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_a_broken_image_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    root = folder(tmp_path / "images", {"a": 2, "b": 2}, {"a": 1, "b": 1})
    (root / "train" / "b" / "1.png").write_bytes(b"no image")
    status, _, err = said(capsys, "train", "resnet14", "--data", f"folder:{root}")
    assert status == 2
    assert str(Path("train", "b", "1.png")) in err


def test_other_classes_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    root = folder(tmp_path / "images", {"cat": 3, "dog": 3}, {"cat": 2, "dog": 2})
    status, _, err = said(capsys, *SMALL, "--data", f"folder:{root}")
    assert status == 2
    assert "predicts 10 classes" in err


@pytest.mark.parametrize(
    "command",
    [
        "",
        "train",
        "import",
        "networks",
        "data",
        "layers",
        "compare",
        "ood",
        "runs",
        "show",
        "delete",
        "store",
        "repeat",
    ],
)
def test_help_everywhere(capsys: pytest.CaptureFixture[str], command: str) -> None:
    status, out, _ = said(capsys, *filter(None, [command]), "--help")
    assert status == 0
    assert "usage" in out
    assert not command or "--seed" in out


def test_ctrl_c_keeps_what_is_finished(
    capsys: pytest.CaptureFixture[str], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(maps, "task_loss_matching", stop)
    status, _, err = said(capsys, *SMALL)
    assert status == 130
    assert "kept" in err
    (run,) = list_runs(store)
    assert {name for name, _, _ in run.cells} == {"dm", "cka", "cka-debiased", "pwcca", "opd"}


#: Runs commands in a process where nothing of the computing wing can be imported.
BARE = """
import json, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchvision", "scipy", "sklearn"):
            raise ImportError(f"{name} is not here")
sys.meta_path.insert(0, Refuse())
from stitchlab.__main__ import main
for arguments in json.loads(sys.argv[1]):
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = stop.code
    print("##", *arguments, "->", status, flush=True)
"""


def bare(*commands: list[str], cwd: Path = HOUSE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BARE, json.dumps(commands)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(HOUSE)},
    )


def test_what_only_reads_runs_where_nothing_can_be_computed(capsys: pytest.CaptureFixture[str], store: Store) -> None:
    name = said(capsys, *SMALL)[1].splitlines()[-1]
    reading = [
        ["runs"],
        ["show", name],
        ["networks"],
        ["data"],
        ["layers", "digits-a"],
        ["layers", "digits-b", "--json"],
        ["store", "size"],
        ["store", "check"],
        ["store", "clean"],
        ["show", "abcdef"],
        ["layers", "resnet15"],
        ["networks", "--rename", "vit", "other"],
        ["networks", "--delete", "other"],
        ["delete", name],
        ["runs"],
    ]
    here = Path(shutil.copytree(store.root, store.root.with_name("copy")))
    made = bare(*reading)
    assert "Traceback" not in made.stderr
    store.root.rename(store.root.with_name("bare"))
    here.rename(store.root)
    with_torch, remarks = "", ""
    for arguments in reading:
        status, out, err = said(capsys, *arguments)
        with_torch += f"{out}## {' '.join(arguments)} -> {status}\n"
        remarks += err
    assert made.stdout == with_torch
    assert made.stderr == remarks
    assert with_torch.count("-> 2") == 2


def test_help_needs_nothing_that_computes() -> None:
    commands = [
        "train",
        "import",
        "networks",
        "data",
        "layers",
        "compare",
        "ood",
        "runs",
        "show",
        "delete",
        "store",
        "repeat",
    ]
    made = bare(["--help"], *([command, "--help"] for command in commands))
    assert made.stderr == ""
    assert made.stdout.count("-> 0") == len(commands) + 1
    for word in ("vit-nano", "torchvision/NAME", "flip", "mahalanobis-class", "pwcca", "patches", "quick", "clean"):
        assert word in made.stdout


def test_somebodys_workers_compute_where_nothing_can_be_computed(store: Store, tmp_path: Path) -> None:
    from distributed import LocalCluster

    folder(tmp_path / "laptop" / "letters", {"a": 2, "b": 2}, {"a": 1, "b": 1})
    asked = ["compare", "random-init of digits-a", *SMALL[2:], "--methods", "dm"]
    with LocalCluster(
        "127.0.0.1",
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        protocol="tcp://",
        dashboard_address="127.0.0.1:0",
    ) as cluster:
        at = ["--workers", cluster.scheduler_address]
        made = bare(
            [*asked, *at],
            [*asked, *at, "--data", "digits", "--download"],
            [*asked, *at, "--dm-images", "5000"],
            [*asked, *at, "--eval-images", "90", "--device", "tpu"],
            [*asked, *at, "--data", "folder:letters"],
            cwd=tmp_path / "laptop",
        )
        (run,) = list_runs(store)
        (tmp_path / "run.json").write_text(json.dumps(run.provenance()))
        store.delete("cells", store.keys("cells")[0])
        again = bare(["repeat", str(tmp_path / "run.json"), *at])
    assert "Traceback" not in made.stderr
    assert (again.stdout.splitlines()[-2], again.stdout[-2:]) == (run.id, "0\n"), again.stderr
    (run,) = list_runs(store)
    tables = [part.splitlines() for part in re.split("## .* -> .\n", made.stdout)]
    assert tables[0] == tables[1]
    assert tables[0][-1] == run.id
    assert run.complete
    assert tables[2:] == [[], [], [], []]
    assert re.findall("## .* -> (.)\n", made.stdout) == ["0", "0", "2", "2", "2"]
    lines = [line for line in made.stderr.splitlines() if line.startswith("stitchlab compare: ")]
    for line, words in zip(
        lines,
        (
            "training images for direct matching (K): expected a number from 1 to 1,257",
            "no device is called 'tpu'",
            "predicts 10 classes and letters has 2",
        ),
        strict=True,
    ):
        assert words in line


def test_runs_counts_damaged_entries_without_reading_them(capsys: pytest.CaptureFixture[str], store: Store) -> None:
    name = said(capsys, *SMALL)[1].splitlines()[-1]
    first, second, *_ = Run.load(name, store)._keys().values()
    store.delete("cells", first)
    store.path("cells", second, ".json").write_text("{")
    assert "11 of 12" in said(capsys, "runs")[1]
    assert "10 of 12 cells there" in said(capsys, "show", name)[1]


def test_the_store_is_checked_cleaned_and_measured(capsys: pytest.CaptureFixture[str], store: Store) -> None:
    name = said(capsys, *SMALL)[1].splitlines()[-1]
    shown = said(capsys, "show", name)
    count = sum(path.is_file() for path in store.root.rglob("*") if path.parent.name != "claims")
    assert said(capsys, "store", "check") == (0, f"{count} files match their checksums\n", "")
    status, out, _ = said(capsys, "store", "size")
    assert status == 0
    assert out.splitlines()[0].split() == ["room", "files", "MB"]
    assert out.splitlines()[-1].split()[:2] == ["all", str(count + 1)], "and the lock by which claims take turns"
    orphan = store.path("maps", "0" * 64, ".safetensors")
    orphan.write_bytes(bytes(2_000_000))
    assert said(capsys, "store", "clean")[1].startswith("nothing to remove")
    os.utime(orphan, (0, 0))
    status, out, _ = said(capsys, "store", "check")
    assert status == 1
    assert (
        out == f"maps/{orphan.name}: {orphan} does not match its checksum; delete it, and it is computed or "
        "imported again\n"
    )
    status, out, _ = said(capsys, "store", "clean")
    assert (status, [line.split() for line in out.splitlines()]) == (
        0,
        [["room", "files", "MB"], ["maps", "1", "2.0"], ["all", "1", "2.0"]],
    )
    assert said(capsys, "store", "check")[0] == 0
    assert said(capsys, "show", name) == shown
    assert said(capsys, "store", "burn")[0] == 2


def test_as_a_command(store: Store) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "stitchlab", "layers", "digits-x"],
        cwd=HOUSE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 2
    assert made.stdout == ""
    assert made.stderr.startswith("stitchlab layers: no network or architecture is called 'digits-x'")
    assert len(made.stderr.strip().splitlines()) == 1


def test_compare_says_before_what_it_takes(capsys: pytest.CaptureFixture[str], store: Store) -> None:
    for path in (store.root / "timings").glob("*"):
        path.unlink()
    err = said(capsys, *SMALL)[2]
    first = err.splitlines()[0]
    assert re.fullmatch(r"12 results to compute: roughly \d+ (s|min|h), not yet measured on this machine", first)
    err = said(capsys, *SMALL, "--dm-images", "50")[2]
    assert re.fullmatch(r"2 results to compute: about \d+ (s|min|h)", err.splitlines()[0])
    assert "to compute" not in said(capsys, *SMALL)[2], "all is there"


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((60, 24)))
    monkeypatch.setattr(sys, "stderr", screen := Screen())
    report = common.bar()
    for k in range(11):
        now[0] += 60
        report("task loss matching into layer1.0 … layer3.1, epoch 12 of 30", k / 10)
    drawn = screen.getvalue().split("\r")[1:]
    assert screen.getvalue().count("\n") == 1, "only once it is done"
    assert {len(line.rstrip("\n")) for line in drawn} == {59}, "no line goes on in the next, all cover the last"
    now[0] = 0.0
    monkeypatch.setattr(sys, "stderr", file := io.StringIO())
    report = common.bar()
    for k in range(3601):
        now[0] += 10
        report("task loss matching", k / 3600)
    lines = file.getvalue().splitlines()
    assert 20 < len(lines) < 200, "ten hours are no thousands of lines"
    assert "left" not in lines[0]
    assert all("left" in line for line in lines if 5 < int(line[:4].strip(" %")) < 100)
    assert "\r" not in file.getvalue()


LIGHT = """
import json, sys
from stitchlab.__main__ import main
for arguments in json.loads(sys.argv[1]):
    try:
        main(arguments)
    except SystemExit:
        pass
heavy = {"torch", "torchvision", "scipy", "sklearn", "plotly", "streamlit", "distributed", "dask", "pandas",
         "matplotlib", "pyarrow"}
print(sorted({name.partition(".")[0] for name in sys.modules} & heavy), file=sys.stderr)
"""


def test_help_and_lists_load_nothing_that_takes_long(store: Store) -> None:
    commands = [
        "train",
        "import",
        "networks",
        "data",
        "layers",
        "compare",
        "repeat",
        "ood",
        "runs",
        "show",
        "delete",
        "store",
        "check",
    ]
    asked = [
        ["--help"],
        *([command, "--help"] for command in commands),
        ["runs"],
        ["networks"],
        ["data"],
        ["layers", "digits-a"],
        ["store", "size"],
    ]
    made = subprocess.run(
        [sys.executable, "-c", LIGHT, json.dumps(asked)],
        cwd=HOUSE,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(HOUSE)},
    )
    assert made.stderr == "[]\n"
    assert made.stdout.count("usage:") == len(commands) + 1

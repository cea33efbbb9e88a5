"""Networks of the user's own code: built, kept, found again in another process, and refused in one line."""

from __future__ import annotations

import resource
import subprocess
import sys
import textwrap
from functools import partial
from pathlib import Path

import pytest
import torch
from handy import sure

from stitchlab.__main__ import main
from stitchlab.data import registry as datasets
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.grid.ask import compare
from stitchlab.models import create as making
from stitchlab.models import importing, zoo
from stitchlab.models import store as model_store
from stitchlab.models import train as training
from stitchlab.models.cut_points import cut_points_of_any
from stitchlab.models.zoo import timm_models
from stitchlab.request import TaskLoss
from stitchlab.results import networks
from stitchlab.results.run import Run
from stitchlab.store import Store

CODE = textwrap.dedent('''
    """A residual network that torch.fx cannot trace, with its logits in a dictionary, as HuggingFace's have them."""
    import pathlib
    import torch
    from torch import nn

    pathlib.Path(__file__ + ".log").touch()

    class Block(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.conv, self.relu = nn.Conv2d(width, width, 3, padding=1), nn.ReLU(inplace=True)

        def forward(self, x):
            return x + self.relu(self.conv(x))

    class Net(nn.Module):
        def __init__(self, num_classes, in_channels=1, width=6):
            super().__init__()
            self.stem = nn.Conv2d(in_channels, width, 3, padding=1)
            self.blocks = nn.ModuleList(Block(width) for _ in range(3))
            self.fc = nn.Linear(width, num_classes)

        def forward(self, x, labels=None):
            x = self.stem(x)
            for block in self.blocks:
                x = block(x)
                if x.abs().max() > 1e6:
                    x = x / 10
            return {"loss": None, "logits": self.fc(x.mean((2, 3)))}

    def plain(classes, channels, size):
        side = size - 2
        return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * side**2, classes))

    def broken(classes):
        raise RuntimeError("no such file: weights.bin\\nand more")

    def number(classes):
        return 3

    def seven():
        return Net(7)

    def leaves(classes):
        import sys
        sys.exit(3)

    def bare(classes):
        class Bare(nn.Module):
            def __init__(self):
                super().__init__()
                self.w = nn.Parameter(torch.randn(64, classes))
            def forward(self, x):
                return x.flatten(1) @ self.w if x.sum() > -1 else x
        return Bare()
''')


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    return path


def test_a_class_from_a_file_is_trained_stitched_and_found_again(store: Store, code: Path) -> None:
    digits = datasets.load("digits", store)
    made = making.train(f"{code}:Net", digits, store, name="own", epochs=2, device="cpu")
    assert made.architecture == "mine.py:Net"
    assert made.code is not None
    assert made.code.file == str(code)
    cuts = cut_points_of_any(store, made)
    assert not cuts.traced
    assert cuts.defaults() == ["blocks.0", "blocks.1", "blocks.2"]
    run = compare(
        "own",
        "digits-b",
        store=store,
        device="cpu",
        end_layers=["layer2.0"],
        eval_images=60,
        dm_images=30,
        tlm=TaskLoss(epochs=1),
        indices=["cka"],
    )
    assert run.complete
    assert (run.matrix("dm", "accuracy") >= 0).all()
    back = compare(
        "digits-a",
        "own",
        store=store,
        device="cpu",
        front_layers=["layer1.0"],
        eval_images=60,
        dm_images=30,
        methods=["dm"],
        indices=[],
    )
    assert back.complete
    again = subprocess.run(
        [
            sys.executable,
            "-c",
            "from stitchlab import Store, load_network; import torch\n"
            f"n = load_network('own', Store({str(store.root)!r}), device='cpu')\n"
            "print(n.module(torch.ones(1, 1, 8, 8))['logits'].sum())",
        ],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    loaded = model_store.load("own", store, device="cpu")
    assert loaded.module is not None
    assert again.stdout.strip() == str(loaded.module(torch.ones(1, 1, 8, 8))["logits"].sum()).replace(
        ", grad_fn=<SumBackward0>", ""
    )


def test_results_are_shown_without_running_the_code(store: Store, code: Path) -> None:
    digits = datasets.load("digits", store)
    making.untrained(f"{code}:plain", digits, store, name="own", device="cpu")
    run = compare(
        "own",
        "digits-b",
        store=store,
        device="cpu",
        front_layers=["1"],
        end_layers=["layer2.0"],
        methods=["dm"],
        indices=[],
        eval_images=30,
        dm_images=30,
    )
    code.unlink()
    assert Run.load(run.id, store).matrix("dm", "accuracy").shape == (1, 1)
    assert cut_points_of_any(store, networks.find(store, "own")).defaults() == ["1"]


def test_a_file_that_changed_is_refused(store: Store, code: Path) -> None:
    making.untrained(f"{code}:plain", datasets.load("digits", store), store, name="own", device="cpu")
    model_store._module.cache_clear()
    code.write_text(CODE + "# another line\n")
    with pytest.raises(StitchLabError, match="is not what it was when this network was made"):
        model_store.load("own", store, device="cpu")
    code.unlink()
    with pytest.raises(StitchLabError, match="is gone: restore it"):
        model_store.load("own", store, device="cpu")
    code.write_text(CODE)
    assert model_store.load("own", store, device="cpu").module is not None


def test_a_module_by_its_name(store: Store, code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(code.parent))
    made = making.untrained("mine:plain", datasets.load("digits", store), store, name="own", device="cpu")
    assert made.architecture == "mine:plain"
    assert model_store.load("own", store, device="cpu").module is not None
    sys.modules.pop("mine")


def test_other_code_is_another_network(store: Store, code: Path) -> None:
    digits = datasets.load("digits", store)
    one = making.untrained(f"{code}:plain", digits, store, name="one", device="cpu")
    code.write_text(CODE.replace("nn.ReLU()", "nn.Tanh()"))
    other = making.untrained(f"{code}:plain", digits, store, name="other", device="cpu")
    assert one.id != other.id


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mine.py:broken", "mine.py:broken could not be built .*RuntimeError: no such file: weights.bin$"),
        ("mine.py:number", "TypeError: it returned a int, not a torch.nn.Module"),
        ("mine.py:seven", r"must return logits \(N, 10\), .* it returns \(2, 7\)"),
        ("mine.py:bare", "cannot be cut anywhere: torch.fx cannot trace it"),
        ("mine.py:Nett", "no class or function of .*mine.py is called 'Nett'; nearest: Net"),
        ("none.py:Net", "none.py is not a file"),
        ("no.such.module:Net", "ModuleNotFoundError"),
        ("wrong.py:Net", "wrong.py could not be imported: SyntaxError"),
        ("gone.py:Net", "gone.py could not be imported: SystemExit: enough"),
        ("mine.py:leaves", "mine.py:leaves could not be built .*SystemExit: 3$"),
        ("sys:exit", "sys is built into Python and has no file"),
    ],
)
def test_what_does_not_work_is_one_line_and_leaves_nothing(store: Store, code: Path, name: str, message: str) -> None:
    (code.parent / "wrong.py").write_text("def Net(:\n")
    (code.parent / "gone.py").write_text("raise SystemExit('enough')\n")
    name = f"{code.parent}/{name}" if ".py" in name else name
    digits = datasets.load("digits", store)
    before = sorted(store.root.rglob("*"))
    with pytest.raises(StitchLabError, match=message) as raised:
        making.train(name, digits, store, epochs=1, name="own", device="cpu")
    assert "\n" not in str(raised.value)
    assert sorted(store.root.rglob("*")) == before


def test_pages_may_not_name_code(code: Path) -> None:
    for name in (f"{code}:Net", "os:system", "timm/resnet10t", "torchvision/../x"):
        with pytest.raises(UnknownName, match="no architecture is called"):
            zoo.check_public_name(name)
    assert not Path(f"{code}.log").exists(), "nothing was run"


def test_timm(store: Store) -> None:
    pytest.importorskip("timm")
    digits = datasets.load("digits", store)
    for arch, size in (("resnet10t", 32), ("vit_tiny_patch16_224", 32)):
        made = making.untrained(f"timm/{arch}", digits, store, name=arch, size=size, device="cpu")
        assert len(cut_points_of_any(store, made).defaults()) >= 4
        assert model_store.load(arch, store, device="cpu").module is not None
    with pytest.raises(UnknownName, match="no network of timm is called 'resnet10x'"):
        zoo.architecture("timm/resnet10x")


def test_without_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(StitchLabError, match="pip install timm"):
        timm_models.architecture("timm/resnet10t")


def test_a_file_that_changed_is_not_run(store: Store, code: Path) -> None:
    making.untrained(f"{code}:plain", datasets.load("digits", store), store, name="own", device="cpu")
    log = Path(f"{code}.log")
    log.unlink()
    code.write_text(CODE + "\n# changed")
    with pytest.raises(StitchLabError, match="is not what it was when this network was made"):
        model_store.build(networks.find(store, "own"))
    assert not log.exists()


def test_a_module_that_is_another_file_now_is_not_run(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "moved.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path / "one")
    making.untrained("moved:plain", datasets.load("digits", store), store, name="own", device="cpu")
    monkeypatch.delitem(sys.modules, "moved")
    assert model_store.build(networks.find(store, "own"))
    monkeypatch.delitem(sys.modules, "moved")
    monkeypatch.syspath_prepend(tmp_path / "two")
    with pytest.raises(StitchLabError, match="is not where moved is now"):
        model_store.build(networks.find(store, "own"))
    assert not (tmp_path / "two" / "moved.py.log").exists()


GATED = textwrap.dedent("""
    class Gated(Net):
        def __init__(self, num_classes):
            super().__init__(num_classes)
            nn.init.zeros_(self.fc.weight)

        def forward(self, x, labels=None):
            out = super().forward(x)
            if self.fc.weight.abs().sum() < 100:
                return out
            return {"logits": x.mean((1, 2, 3))[:, None] * torch.arange(1, 11)}
""")


def test_weights_that_can_be_cut_nowhere_leave_nothing(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "gated.py"
    file.write_text(CODE + GATED)
    digits = datasets.load("digits", store)
    making.untrained(f"{file}:Gated", digits, store, name="fresh", device="cpu")
    tensors = dict(model_store.load("fresh", store, device="cpu").module.state_dict())
    torch.save({**tensors, "fc.weight": torch.full_like(tensors["fc.weight"], 100.0)}, tmp_path / "w.pt")
    with pytest.raises(StitchLabError, match="cannot be cut anywhere"):
        importing.import_weights(tmp_path / "w.pt", store, arch=f"{file}:Gated", data=digits, name="own", device="cpu")
    assert "own" not in {network.name for network in networks.list_networks(store)}


def test_cut_points_that_depend_on_weights_are_kept_by_network(store: Store, code: Path) -> None:
    digits = datasets.load("digits", store)
    one, other = (
        making.untrained(f"{code}:Net", digits, store, name=f"own-{k}", seed=k, device="cpu") for k in range(2)
    )
    places = {key for key in store.keys("layers") if not sure(store.get("layers", key))["traced"]}
    assert len(places) == 2
    assert cut_points_of_any(store, one).defaults() == cut_points_of_any(store, other).defaults()


TIED = textwrap.dedent('''
    import torch
    from torch import nn

    class Tied(nn.Module):
        """One weight under two names: inwards, and transposed outwards."""
        def __init__(self, classes):
            super().__init__()
            self.first, self.second, self.fc = nn.Linear(64, 32), nn.Linear(64, 32), nn.Linear(32, classes)
            self.second.weight = self.first.weight

        def forward(self, x):
            hidden = torch.relu(self.first(x.flatten(1)))
            return self.fc(torch.relu(self.second(hidden @ self.second.weight)))

    class Stateful(Tied):
        def get_extra_state(self):
            return {"steps": 3}

    class Sparse(Tied):
        def __init__(self, classes):
            super().__init__(classes)
            self.register_buffer("graph", torch.eye(3).to_sparse())

    class Doubled(Tied):
        def __init__(self, classes):
            super().__init__(classes)
            self.register_buffer("wide", torch.zeros(2, dtype=torch.complex128))

    class Lazy(Tied):
        def __init__(self, classes):
            super().__init__(classes)
            self.late = nn.LazyLinear(3)

    class Forgetful(Tied):
        def _load_from_state_dict(self, *args):
            raise RuntimeError("not today")
''')


@pytest.fixture
def tied(tmp_path: Path) -> Path:
    path = tmp_path / "tied.py"
    path.write_text(TIED)
    return path


def test_tied_weights_are_saved_and_come_back_tied(store: Store, tied: Path) -> None:
    digits = datasets.load("digits", store)
    made = making.train(f"{tied}:Tied", digits, store, name="tied", epochs=2, device="cpu")
    model_store._module.cache_clear()
    module = model_store.load("tied", store, device="cpu").module
    assert module.get_parameter("first.weight") is module.get_parameter("second.weight")
    assert model_store.fingerprint(made, module.state_dict()) == made.id
    counts = model_store.confusion(model_store.load("tied", store, device="cpu"), digits.test)
    assert float(counts.trace() / counts.sum()) == pytest.approx(made.accuracy)
    assert made.parameters == sum({p.data_ptr(): p.numel() for p in module.parameters()}.values())


def test_tied_weights_come_in_under_one_name_or_both_but_not_as_two_tensors(store: Store, tied: Path) -> None:
    digits = datasets.load("digits", store)
    made = making.untrained(f"{tied}:Tied", digits, store, name="tied", seed=1, device="cpu")
    tensors = dict(model_store.load("tied", store, device="cpu").module.state_dict())
    networks.delete(store, made.id)
    one = {name: tensor for name, tensor in tensors.items() if name != "first.weight"}
    other = tensors | {"second.weight": tensors["first.weight"] + 1}
    for k, file in enumerate((tensors, one, other)):
        torch.save(file, tied.parent / f"{k}.pt")
    bring = partial(
        importing.import_weights,
        store=store,
        device="cpu",
        arch=f"{tied}:Tied",
        data=digits,
        name="back",
        mean=made.mean,
        std=made.std,
    )
    for k in range(2):
        assert bring(tied.parent / f"{k}.pt").id == made.id
        networks.delete(store, made.id)
    with pytest.raises(StitchLabError, match=r"first.weight and second.weight are one tensor in this architecture"):
        bring(tied.parent / "2.pt")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Stateful", "_extra_state cannot be kept: .* got a dict"),
        ("Sparse", "graph cannot be kept: .*sparse_coo"),
        ("Doubled", "wide cannot be kept: .*complex128"),
        ("Lazy", "late.weight cannot be kept: .* without numbers"),
        ("Forgetful", "Forgetful does not load .*: not today"),
    ],
)
def test_what_cannot_be_saved_is_refused_before_it_is_trained(
    store: Store, tied: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    digits = datasets.load("digits", store)
    monkeypatch.setattr(training, "fit", lambda *args, **kwargs: pytest.fail("it was trained"))
    before = {path for path in store.root.rglob("*") if path.is_file()}
    with pytest.raises(StitchLabError, match=message) as raised:
        making.train(f"{tied}:{name}", digits, store, name="own", device="cpu")
    assert "\n" not in str(raised.value)
    assert {path for path in store.root.rglob("*") if path.is_file()} == before


def test_a_store_that_cannot_be_written_is_found_out_before_training(
    store: Store, tied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits = datasets.load("digits", store)
    monkeypatch.setattr(training, "fit", lambda *args, **kwargs: pytest.fail("it was trained"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        with pytest.raises(StitchLabError, match="nothing was half-written"):
            making.train(f"{tied}:Tied", digits, store, name="own", device="cpu")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("kind", ["SystemExit", "KeyboardInterrupt", "KeyError"])
@pytest.mark.parametrize("when", ["import", "build", "run"])
def test_code_that_ends_the_program_is_one_plain_line(
    when: str,
    kind: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STITCHLAB_CACHE", str(store.root))
    end = f"raise {kind}(3)"
    lines = [
        "from torch import nn",
        *([end] if when == "import" else []),
        "class Net(nn.Module):",
        "    def __init__(self, classes):",
        "        super().__init__()",
        "        self.fc = nn.Linear(64, classes)",
        *([f"        {end}"] if when == "build" else []),
        "    def forward(self, x):",
        f"        {end if when == 'run' else 'return self.fc(x.flatten(1))'}",
    ]
    path = tmp_path / "net.py"
    path.write_text("\n".join(lines))
    for command in (["layers", f"{path}:Net"], ["train", f"{path}:Net", "--data", "digits", "--device", "cpu"]):
        capsys.readouterr()
        status = main(command)
        said = capsys.readouterr().err
        assert (status, len(said.splitlines())) == (130 if kind == "KeyboardInterrupt" else 2, 1), said
        assert kind == "KeyboardInterrupt" or ": 3" in said

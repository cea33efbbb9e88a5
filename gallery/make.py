"""Computes the gallery again: every run that comes with StitchLab, by the commands that its file names.

    make gallery DATA=FOLDER

FOLDER holds CIFAR-10/ and CIFAR-100/ as folders of images (train/CLASS/*, test/CLASS/*), and tiny10/ and resnet/, whose
sources are listed in gallery/README.md. The program can be stopped and started again, since finished results are not
computed twice. It prints a line for each entry that it leaves out because its networks or data are missing.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from stitchlab.catalog.detectors import QUICK
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.results import networks
from stitchlab.results.bundle import pack
from stitchlab.results.demo import SEEDS
from stitchlab.results.run import Run
from stitchlab.store import Store

HERE = Path(__file__).resolve().parent
PYTHON = [sys.executable, "-m", "stitchlab"]

DIGITS = (
    "ResNet-14 with six blocks, trained on scikit-learn's 1,797 real digits of 8×8 pixels: toy data, because the "
    "finding shows there in under a minute."
)
CIFAR = (
    "CIFAR-10 in its original pixels: 25,000 of its training images, of which task loss matching trains on {}, "
    "and all 10,000 test images. CIFAR-100, which shares no class with it, is the known outliers."
)
TINY10 = "Tiny-10, eight convolutions, trained by the authors of Csiszárik et al. 2021 (renyi-ai/drfrankenstein, MIT). "
RESNET = (
    "ResNets for CIFAR-10 trained by other people: akamaster/pytorch_resnet_cifar10 (BSD) and "
    "aifoundry-org/MHAQ (Apache-2.0). "
)

#: The command that makes each network; {data} stands for the folder of the data.
NETWORK_COMMANDS = {
    **{name: f"train resnet14 --data digits --name {name} --seed {seed}" for seed, name in enumerate(SEEDS)},
    "digits-vit": "train vit-nano --data digits --name digits-vit --seed 0",
    **{
        f"tiny10-seed{seed}": f"import {{data}}/tiny10/tiny10-cifar10-seed{seed}.pt --arch tiny10 "
        f"--data folder:{{data}}/CIFAR-10 --name tiny10-seed{seed} "
        "--mean 0.4914,0.4822,0.4465 --std 0.2023,0.1994,0.2010"
        for seed in (0, 1)
    },
    **{
        f"resnet{depth}-aka": f"import {{data}}/resnet/aka_resnet{depth}.pt --data folder:{{data}}/CIFAR-10 "
        f"--arch {{data}}/resnet/resnet_a.py:resnet{depth} --name resnet{depth}-aka "
        "--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225"
        for depth in (20, 56)
    },
    "resnet20-mhaq": "import {data}/resnet/mhaq_resnet20.pt --data folder:{data}/CIFAR-10 "
    "--arch {data}/resnet/resnet_a.py:resnet20 --name resnet20-mhaq "
    "--mean 0.4914,0.4822,0.4465 --std 0.247,0.243,0.261",
}
#: Options that add CIFAR-100's images to the known outliers and to those that the learned detector is trained on.
OUTLIERS = (
    "--outliers data:folder:{data}/CIFAR-100 --training-outliers patches,blur,constant,data:folder:{data}/CIFAR-100"
)


@dataclass(frozen=True)
class Entry:
    """Describes a run of the gallery: the name of its file, its title, its story, and options of its commands.

    ``checked`` are networks, its own included, on which measures are checked; the table of results is in its file.
    """

    file: str
    title: str
    story: str
    front: str
    end: str
    compare: str = ""
    outliers: str = ""
    checked: tuple[str, ...] = ()


def _cifar(file: str, title: str, story: str, front: str, end: str, preset: str, images: int, more: str = "") -> Entry:
    options = f"--data folder:{{data}}/CIFAR-10 --tlm-preset {preset} --train-images {images} {more}".strip()
    return Entry(file, title, story + CIFAR.format(f"{images:,}"), front, end, options, OUTLIERS)


ENTRIES = (
    _cifar(
        "1-tiny10-across-paper",
        "Two Tiny-10 of different seeds, the paper's recipe",
        TINY10,
        "tiny10-seed0",
        "tiny10-seed1",
        "paper",
        12_500,
    ),
    _cifar(
        "2-tiny10-across-quick",
        "Two Tiny-10 of different seeds, the quick recipe",
        TINY10,
        "tiny10-seed0",
        "tiny10-seed1",
        "quick",
        12_500,
    ),
    _cifar(
        "3-tiny10-within-paper",
        "A Tiny-10 with itself, the paper's recipe",
        TINY10,
        "tiny10-seed0",
        "tiny10-seed0",
        "paper",
        12_500,
    ),
    _cifar(
        "4-tiny10-within-quick",
        "A Tiny-10 with itself, the quick recipe",
        TINY10,
        "tiny10-seed0",
        "tiny10-seed0",
        "quick",
        12_500,
    ),
    _cifar(
        "5-resnet20-pair-quick",
        "Two ResNet-20, trained by different people",
        RESNET,
        "resnet20-aka",
        "resnet20-mhaq",
        "quick",
        5_000,
    ),
    _cifar(
        "6-resnet20-resnet56-quick",
        "ResNet-20 into ResNet-56",
        RESNET,
        "resnet20-aka",
        "resnet56-aka",
        "quick",
        5_000,
        "--front-layers layer1.0,layer1.2,layer2.1,layer3.0,layer3.2 "
        "--end-layers layer1.0,layer1.8,layer2.4,layer3.0,layer3.8",
    ),
    Entry("7-digits-demo", "The demo: two ResNet-14 on digits", DIGITS, "digits-a", "digits-b", checked=SEEDS),
    Entry(
        "8-digits-resnet-vit",
        "A convolutional network into a vision transformer, on digits",
        DIGITS,
        "digits-a",
        "digits-vit",
    ),
)


def main() -> int:
    """Run the program and return its exit status: 1 where an entry was left out."""
    parser = argparse.ArgumentParser(description="Compute the gallery: some hours on two cores.")
    parser.add_argument("--data", type=Path, help="the folder with CIFAR-10/, CIFAR-100/, tiny10/ and resnet/")
    parser.add_argument("--only", help="compute only files whose names begin with this")
    parser.add_argument(
        "--quick-detectors", action="store_true", help="leave out the learned detector, which takes most time"
    )
    options = parser.parse_args()
    detectors = f"--detectors {','.join(QUICK)}" if options.quick_detectors else ""
    entries = [entry for entry in ENTRIES if entry.file.startswith(options.only or "")]
    computed = [_compute(entry, options.data, detectors) for entry in entries]
    return 0 if all(computed) else 1


def commands(entry: Entry, run: str, detectors: str = "") -> list[str]:
    """List the commands that compute an entry.

    Args:
        entry: the run.
        run: its id.
        detectors: an option of `ood` that limits detectors; empty: all.

    Returns:
        commands without ``python -m stitchlab``; ``{data}`` stands for the folder of the data.
    """
    lines = [NETWORK_COMMANDS[name] for name in dict.fromkeys((entry.front, entry.end, *entry.checked))]
    lines += ["data folder:{data}/CIFAR-100"] if entry.outliers else []
    lines += [f"compare {entry.front} {entry.end} {entry.compare}"]
    lines += [f"ood {run} {detectors} {outliers}" for outliers in dict.fromkeys(("", entry.outliers))]
    lines += [f"check --networks {','.join(entry.checked)}"] if entry.checked else []
    return [" ".join(line.split()) for line in lines]


def _compute(entry: Entry, data: Path | None, detectors: str) -> bool:
    """Compute an entry and write its file; return False where its data is missing."""
    if "{data}" in " ".join(commands(entry, "")) and (data is None or not (data / "CIFAR-10" / "train").is_dir()):
        print(f"{entry.file} is left out: it needs --data FOLDER with CIFAR-10/ in it, see gallery/README.md")
        return False
    store, folder, run = Store(), "" if data is None else str(data.resolve()), ""
    existing = {network.name for network in networks.list_networks(store)}
    for command in commands(entry, "{run}", detectors):
        if not any(command == NETWORK_COMMANDS[name] for name in existing & NETWORK_COMMANDS.keys()):
            output = call(command.format(data=folder, run=run))
            run = output.splitlines()[-1] if command.startswith("compare") else run
    write(entry, Run.load(run, store), commands(entry, run, detectors))
    return True


def write(entry: Entry, run: Run, run_commands: list[str]) -> None:
    """Write the file of an entry, with the commands that computed the run.

    Args:
        entry: has the title, the story and the name of the file.
        run: the complete run.
        run_commands: the commands, as `commands` lists them.

    Raises StitchLabError where the file cannot be written.
    """
    command = " && ".join(f"python -m stitchlab {line}" for line in run_commands).replace("{data}/", "")
    packed = pack(run, title=entry.title, story=entry.story, command=command)
    run.store.write(HERE / f"{entry.file}.stitch", packed)
    print(f"{entry.file}.stitch: {len(packed) / 1e6:.2f} MB, run {run.id}")


def call(command: str) -> str:
    """Run a command of StitchLab's, and return its output."""
    print(f"python -m stitchlab {command}", flush=True)
    return subprocess.run([*PYTHON, *shlex.split(command)], check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (StitchLabError, UnknownName, subprocess.CalledProcessError) as error:
        sys.exit(str(error))

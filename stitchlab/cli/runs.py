"""Make runs (commands compare, repeat).

What computes is imported where it is needed: the other commands run where there is no PyTorch, and so does `compare`
where it asks somebody's workers.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stitchlab.catalog.data_sets import DATA_SETS, FOLDER
from stitchlab.catalog.indices import DEFAULT_INDICES, INDICES
from stitchlab.catalog.presets import PRESETS, preset
from stitchlab.cli import Command, bar, names
from stitchlab.cli.kept import print_tables
from stitchlab.errors import StitchLabError, check_names
from stitchlab.export.tables import write
from stitchlab.request import AUGMENTATION_NAMES, AUTO, METHODS
from stitchlab.results import repeating
from stitchlab.results.chance import A_COLUMN, PERMUTATIONS
from stitchlab.results.controls import NOISE, RANDOM
from stitchlab.results.duration import expected
from stitchlab.results.plan import missing, to_compute
from stitchlab.results.run import Run
from stitchlab.store import Store

if TYPE_CHECKING:
    from stitchlab.jobs import Jobs, Status

PATIENCE = 20.0  # seconds that a command waits for an estimate before work begins without
DEVICES = ("auto", "cpu", "cuda", "mps")


def add(command: Command) -> None:
    """Add the commands to a parser."""
    compare = command("compare", _compare, "Stitch a grid of layers; the run's id is the last line.")
    _compare_arguments(compare)
    compare.add_argument("--download", action="store_true", help="download the data set if it is missing")
    repeat = command(
        "repeat", _repeat, "Repeat the comparison that a run.json describes; the run's id is the last line."
    )
    repeat.add_argument("description", type=Path, metavar="RUN.json", help="what `compare --out DIR` wrote")
    repeat.set_defaults(data=None, download=False)
    for made in (compare, repeat):
        made.add_argument(
            "--workers", metavar="ADDRESS", help="a Dask scheduler, tcp://…, whose workers see the same cache"
        )
        made.add_argument("--out", type=Path, metavar="DIR", help="write cells.csv and run.json there")


def _compare(options: argparse.Namespace, store: Store) -> None:
    changes = {
        "epochs": options.tlm_epochs,
        "lr": options.tlm_lr,
        "targets": options.tlm_targets,
        "init": options.tlm_init,
        "augment": options.tlm_augment,
        "images": options.train_images,
    }
    recipe = preset(options.tlm_preset, **{key: value for key, value in changes.items() if value is not None})
    _asked(
        options,
        store,
        {
            "front": options.front,
            "end": options.end,
            "data": options.data,
            "front_layers": options.front_layers,
            "end_layers": options.end_layers,
            "methods": options.methods,
            "indices": options.indices,
            "dm_images": options.dm_images,
            "eval_images": options.eval_images,
            "null": options.null,
            "seed": options.seed,
            "tlm": recipe,
        },
    )


def _repeat(options: argparse.Namespace, store: Store) -> None:
    old = repeating.described(store, options.description)
    new = _asked(options, store, repeating.wanted(store, old))
    if why := repeating.changes(old, new):
        print(why, file=sys.stderr)


def _asked(options: argparse.Namespace, store: Store, wanted: dict[str, Any]) -> Run:
    """Compute what is wanted, here or on a cluster's workers, write and print it; the run's id comes last."""
    run = (
        _queued(options, store, wanted | {"tlm": asdict(wanted["tlm"])})
        if options.workers
        else _computed(options, store, wanted)
    )
    if options.out:
        write(run, options.out)
    print_tables(run)
    print(run.id)
    return run


def _computed(options: argparse.Namespace, store: Store, wanted: dict[str, Any]) -> Run:
    """Make the run of what is wanted and compute it in this process."""
    from stitchlab.data import registry as datasets
    from stitchlab.grid import estimate
    from stitchlab.grid.ask import ask
    from stitchlab.grid.compute import compute
    from stitchlab.models.device import pick_device
    from stitchlab.stitch.pair import load_pair

    device = pick_device(options.device)
    if options.data:
        datasets.load(options.data, store, report=bar(), download=options.download)
    run = ask(store=store, **wanted)
    if units := missing(run):
        _say(run, *estimate.total(store, load_pair(store, run.request, device), run.request, units))
    return compute(store, run, device, bar())


def _queued(options: argparse.Namespace, store: Store, wanted: dict[str, Any]) -> Run:
    """Have a cluster's workers make and compute the run of what is wanted."""
    from stitchlab.jobs import Jobs, fetching, preparing

    check_names("device", [options.device], DEVICES)  # whether the workers have it, they know
    jobs = Jobs(store, options.workers, options.device)
    try:
        if options.data in DATA_SETS and options.download:
            jobs.fetch(options.data)
            _done(jobs, fetching(options.data))
        elif (options.data or "").startswith(FOLDER):  # the workers' working directory may be another
            wanted["data"] = FOLDER + str(Path(options.data.removeprefix(FOLDER)).expanduser().resolve())
        jobs.prepare(wanted)
        run = Run.load(_done(jobs, preparing(wanted))["run"], store)
        if missing(run) and (price := jobs.estimate(run, wait=PATIENCE)).value:
            _say(run, price.value["seconds"], price.value["timed"])
        jobs.compute(run)
        status = _awaited(jobs, run.id)
    finally:
        jobs.close()
    run = Run.load(run.id, store)
    if not run.complete and status is not None:
        raise StitchLabError(f"the run is {status.state}: {status.message or 'ask again to go on where it stopped'}")
    return run


def _say(run: Run, seconds: float, timed: bool) -> None:
    """Print, before work begins, how long it should take."""
    print(f"{to_compute(run)}: {expected(seconds, timed)}", file=sys.stderr)


def _done(jobs: Jobs, job: str) -> dict[str, Any]:
    """Wait for the result of a job. Raises StitchLabError if the job ends without one."""
    status = _awaited(jobs, job)
    if status is None or status.state != "done":
        state = "gone" if status is None else status.state
        raise StitchLabError((status and status.message) or f"the workers' job is {state}; try again")
    return status.result or {}


def _awaited(jobs: Jobs, job: str) -> Status | None:
    """Show a job's progress until it has ended, and return its final state; Ctrl-C stops it."""
    report = bar()
    try:
        while (status := jobs.status(job)) is not None and status.active:
            report(status.what, status.done)
            time.sleep(0.3)
    except KeyboardInterrupt:
        jobs.cancel(job)
        raise
    return status


def _compare_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("front", metavar="FRONT", help=f"name or id of the front network, or a control: '{RANDOM}X', {NOISE}")
    add("end", metavar="END", help="name or id of the end network")
    add("--data", help="a data set's name, or folder:PATH (default: the end network's)")
    add("--front-layers", type=names, metavar="L,L", help="default: all blocks; `layers` lists what there is")
    add("--end-layers", type=names, metavar="L,L")
    add("--methods", type=names, default=list(METHODS), help="of tlm and dm (default: both; empty: none)")
    add(
        "--indices",
        type=names,
        default=list(DEFAULT_INDICES),
        help=f"of {', '.join(INDICES)} (default: {','.join(DEFAULT_INDICES)}; empty: none)",
    )
    add("--tlm-preset", default="paper", help=f"one of {', '.join(PRESETS)} (default: paper)")
    add(
        "--tlm-augment",
        choices=(AUTO, *AUGMENTATION_NAMES),
        help="how TLM's training images are augmented; auto: as the data set's usually are (default: the preset's)",
    )
    add(
        "--train-images",
        type=int,
        metavar="N",
        help="TLM trains on the first N of the training split's permutation (default: all)",
    )
    add("--tlm-epochs", type=int, metavar="E")
    add("--tlm-lr", type=float, metavar="L")
    add("--tlm-targets", help="labels, or soft: the end network's own outputs")
    add("--tlm-init", help="default, or dm: the map of direct matching")
    add("--dm-images", type=int, default=100, metavar="K", help="training images of direct matching (default: 100)")
    add("--eval-images", type=int, metavar="M", help="test images of the evaluation (default: all)")
    add(
        "--null",
        type=int,
        default=0,
        metavar="PERMUTATIONS",
        help="hold every index against so many permutations of the images: rows null95 and p in cells.csv (default: 0, "
        f"none; {PERMUTATIONS} are usual, {A_COLUMN} for each end layer where those are more)",
    )

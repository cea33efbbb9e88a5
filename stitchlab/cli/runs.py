"""Make runs (commands compare, repeat).

Code that computes is imported only where it is needed. So the other commands run without PyTorch, and so does `compare`
when a cluster's workers compute (--workers).
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
from stitchlab.results.chance import PERMUTATIONS, PERMUTATIONS_PER_COLUMN
from stitchlab.results.controls import NOISE, RANDOM
from stitchlab.results.duration import expected
from stitchlab.results.plan import missing, to_compute
from stitchlab.results.run import Run
from stitchlab.store import Store

if TYPE_CHECKING:
    from stitchlab.jobs import JobQueue, Status

ESTIMATE_WAIT_S = 20.0  # after which the work begins without an estimate of how long it takes
STATUS_INTERVAL_S = 0.3  # between two looks at the status of a job
DEVICES = ("auto", "cpu", "cuda", "mps")


def add(command: Command) -> None:
    """Add the commands to a parser."""
    compare = command("compare", _compare, "Stitch a grid of layers; the run's id is the last line.")
    _compare_arguments(compare)
    compare.add_argument("--download", action="store_true", help="download the data set if it is missing")
    repeat = command(
        "repeat", _repeat, "Repeat the comparison that a run.json describes; the run's id is the last line."
    )
    repeat.add_argument("description", type=Path, metavar="RUN.json", help="a file that `compare --out DIR` wrote")
    repeat.set_defaults(data=None, download=False)
    for parser in (compare, repeat):
        parser.add_argument(
            "--workers", metavar="ADDRESS", help="a Dask scheduler, tcp://…, whose workers see the same cache"
        )
        parser.add_argument("--out", type=Path, metavar="DIR", help="write cells.csv and run.json there")


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
    _make_run(
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
    new = _make_run(options, store, repeating.wanted(store, old))
    if why := repeating.changes(old, new):
        print(why, file=sys.stderr)


def _make_run(options: argparse.Namespace, store: Store, wanted: dict[str, Any]) -> Run:
    """Compute a run, here or on a cluster's workers, write it and print it; its id comes last.

    Args:
        options, store: of the command.
        wanted: arguments of `stitchlab.grid.ask.ask`.
    """
    run = (
        _compute_on_cluster(options, store, wanted | {"tlm": asdict(wanted["tlm"])})
        if options.workers
        else _compute_here(options, store, wanted)
    )
    if options.out:
        write(run, options.out)
    print_tables(run)
    print(run.id)
    return run


def _compute_here(options: argparse.Namespace, store: Store, wanted: dict[str, Any]) -> Run:
    """Make a run and compute it in this process."""
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
        _print_estimate(run, *estimate.total(store, load_pair(store, run.request, device), run.request, units))
    return compute(store, run, device, bar())


def _compute_on_cluster(options: argparse.Namespace, store: Store, wanted: dict[str, Any]) -> Run:
    """Have a cluster's workers make a run and compute it."""
    from stitchlab.jobs import Jobs, download_job, preparation_job

    check_names("device", [options.device], DEVICES)  # only the workers know whether they have it
    jobs = Jobs(store, options.workers, options.device)
    try:
        if options.data in DATA_SETS and options.download:
            jobs.fetch(options.data)
            _result(jobs, download_job(options.data))
        elif (options.data or "").startswith(FOLDER):  # workers may have another working directory
            wanted["data"] = FOLDER + str(Path(options.data.removeprefix(FOLDER)).expanduser().resolve())
        jobs.prepare(wanted)
        run = Run.load(_result(jobs, preparation_job(wanted))["run"], store)
        if missing(run) and (answer := jobs.estimate(run, wait=ESTIMATE_WAIT_S)).value:
            _print_estimate(run, answer.value["seconds"], answer.value["timed"])
        jobs.compute(run)
        status = _wait(jobs, run.id)
    finally:
        jobs.close()
    run = Run.load(run.id, store)
    if not run.complete and status is not None:
        raise StitchLabError(f"the run is {status.state}: {status.message or 'ask again to go on where it stopped'}")
    return run


def _print_estimate(run: Run, seconds: float, timed: bool) -> None:
    """Print how long the work should take."""
    print(f"{to_compute(run)}: {expected(seconds, timed)}", file=sys.stderr)


def _result(jobs: JobQueue, job: str) -> dict[str, Any]:
    """Wait for the result of a job. Raises StitchLabError if the job ends without one."""
    status = _wait(jobs, job)
    if status is None or status.state != "done":
        state = "gone" if status is None else status.state
        raise StitchLabError((status and status.message) or f"the workers' job is {state}; try again")
    return status.result or {}


def _wait(jobs: JobQueue, job: str) -> Status | None:
    """Show a job's progress until it has ended, and return its final state; Ctrl-C stops it."""
    report = bar()
    try:
        while (status := jobs.status(job)) is not None and status.active:
            report(status.what, status.done)
            time.sleep(STATUS_INTERVAL_S)
    except KeyboardInterrupt:
        jobs.cancel(job)
        raise
    return status


def _compare_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("front", metavar="FRONT", help=f"name or id of the front network, or a control: '{RANDOM}X', {NOISE}")
    add("end", metavar="END", help="name or id of the end network")
    add("--data", help="a data set's name, or folder:PATH (default: the end network's)")
    add("--front-layers", type=names, metavar="L,L", help="default: all blocks; `layers` lists the layers")
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
        help="compare every index with so many permutations of the images: rows null95 and p in cells.csv (default: 0, "
        f"none; {PERMUTATIONS} are usual, {PERMUTATIONS_PER_COLUMN} for each end layer where those are more)",
    )

"""Runs: the table, what can be done with a run, several together, the queue."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from handy import sure
from looks import Notes, Open, charts, drawn, fill, has, heading, sound, text, widget
from streamlit.testing.v1 import AppTest

from stitchlab.jobs import DEMO, Status
from stitchlab.results import naming, summary
from stitchlab.results.keys import result_key
from stitchlab.results.run import Run, list_runs
from stitchlab.results.together import spearman
from stitchlab.store import Store
from stitchlab.ui import run_table

PAGE = "pages/4_Runs.py"


@pytest.fixture
def three(asked: Run) -> list[Run]:
    """Three filled runs of one grid, seeds 1 to 3, the last one lacking a column; they alone are in the store."""
    runs = [fill(another(asked, seed), lacking=seed == 3) for seed in (1, 2, 3)]
    asked.store.delete("runs", asked.id)
    return runs


def another(run: Run, seed: int, **change: Any) -> Run:
    record = json.loads(json.dumps(run.record))
    record |= {"created": f"2026-0{seed + 1}-01T10:00:00+00:00"} | change
    record["request"]["seed"] = seed
    return Run(run.store, record).save()


def table(at: AppTest) -> list[dict[str, Any]]:
    """The rows of the table of runs."""
    rows: list[dict[str, Any]] = at.dataframe[0].value.to_dict("records")
    return rows


def test_the_table_says_what_was_asked_for_and_what_is_there(opened: Open, jobs: Notes, three: list[Run]) -> None:
    naming.rename(three[0].store, three[0].id, "the first")
    for run in three:
        summary.keep(run)
    at = sound(opened(three[0].store, PAGE))
    rows = table(at)
    assert [row["Id"] for row in rows] == [run.id[:8] for run in reversed(three)], "newest first"
    last, _, first = rows
    assert first["Run"] == "the first"
    assert first["Networks and data"] == "digits-a → digits-b on Digits"
    assert (first["Layers"], first["From"], first["Seed"]) == ("6×6", "here", 1)
    assert first["Methods"] == "TLM, DM, 4 indices"
    assert "paper recipe" in first["Recipe of TLM"]
    assert (first["Done"], last["Done"]) == (1.0, pytest.approx(5 / 6))
    assert first["Time"] == "4 min", "216 cells of a second each"
    assert first["Size"] > 0
    assert not charts(at)
    assert not jobs.computed


def test_a_run_without_a_summary_is_counted_and_nothing_is_written(opened: Open, three: list[Run]) -> None:
    store = three[0].store
    before = sorted(store.root.rglob("*"))
    at = sound(opened(store, PAGE))
    assert [row["Done"] for row in table(at)] == [pytest.approx(5 / 6), 1.0, 1.0]
    assert sorted(store.root.rglob("*")) == before


@pytest.mark.parametrize(("words", "found"), [("digits-A seed", 0), ("thing", 1), ("digits-a paper", 3), ("x", 0)])
def test_the_filter_looks_for_all_words(words: str, found: int, opened: Open, three: list[Run]) -> None:
    naming.rename(three[1].store, three[1].id, "Some thing")
    at = sound(opened(three[0].store, PAGE, find=words))
    assert len(table(at)) if found else not at.dataframe
    assert not found or len(table(at)) == found
    assert ("No run has all of these words" in text(at, "info")) == (not found)


def test_a_link_chooses_runs_and_an_unknown_one_is_said(opened: Open, three: list[Run]) -> None:
    at = sound(opened(three[0].store, PAGE, runs=[three[1].id, "nonsense*"]))
    assert at.header[0].value == three[1].title.replace("-", "\\-") or three[1].title in text(at, "header")
    assert "not here: nonsense*" in text(at, "warning")
    links = [link.proto for link in at.main.get("page_link")]
    assert any(f"run={three[1].id}" in link.query_string and link.page.endswith("Compare") for link in links)


def test_renaming_keeps_the_id(opened: Open, three: list[Run]) -> None:
    at = opened(three[0].store, PAGE, runs=three[0].id)
    widget(at, "text_input", f"name-{three[0].id}").set_value("  What a  name ")
    at = sound(widget(at, "button", "rename").click().run())
    (renamed,) = [run for run in list_runs(three[0].store) if run.name]
    assert (renamed.id, renamed.name, renamed.request) == (three[0].id, "What a name", three[0].request)
    assert "What a name" in text(at, "header")
    widget(at, "text_input", f"name-{three[0].id}").set_value("x\u0000y")
    assert "cannot be printed" in text(sound(widget(at, "button", "rename").click().run()), "error")


def test_deleting_asks_says_what_it_frees_and_frees_it(opened: Open, jobs: Notes, three: list[Run]) -> None:
    store = three[0].store
    at = opened(store, PAGE, runs=three[0].id)
    at = sound(widget(at, "button", "delete").click().run())
    said = text(at, "markdown")
    there = {path for path in store.root.rglob("*") if path.is_file()}
    assert Run.load(three[0].id, store)
    sound(widget(at, "button", "delete_it").click().run())
    gone = there - {path for path in store.root.rglob("*") if path.is_file()}
    assert f"in {len(gone):,} files" in said
    assert len(gone) == 216 + 72 + 2, (
        "its cells, what its stitched ones predict, its record and its end network's accuracy: the seeds share none"
    )
    assert {run.id for run in list_runs(store)} == {run.id for run in three[1:]}


def test_two_runs_are_a_difference_and_a_scatter(opened: Open, three: list[Run]) -> None:
    one, other = three[1], three[0]
    for (method, i, j), cell in other.cells.items():
        if method == "dm":
            other.store.put(
                "cells",
                result_key(other.request, "dm", i, j),
                {**cell, "accuracy": min(1.0, (cell["accuracy"] or 0.0) + 0.1 * (len(i) + len(j) < 17))},
            )
    other = Run(other.store, other.record)
    at = sound(opened(one.store, PAGE, runs=[one.id, other.id], of="Direct matching: accuracy"))
    heatmap, scatter = charts(at)
    x, y = (run.matrix("dm", "accuracy") for run in (one, other))
    np.testing.assert_allclose(drawn(heatmap), y - x)
    assert heading(heatmap).startswith("B − A: Direct matching: accuracy")
    assert f"ρ {spearman(x.ravel(), y.ravel()):.2f} over 36 cells" in heading(scatter)
    at = sound(widget(at, "button_group", "as").set_value("spread").run())
    assert [heading(figure)[:4] for figure in charts(at)] == ["Mean", "Stan"]


def test_three_runs_are_mean_and_spread(opened: Open, three: list[Run]) -> None:
    at = sound(opened(three[0].store, PAGE, runs=[run.id for run in three]))
    means, spreads = (drawn(figure) for figure in charts(at))
    values = np.stack([run.matrix("tlm", "accuracy") for run in three])
    np.testing.assert_allclose(means, values.mean(0))
    np.testing.assert_allclose(spreads, values.std(0, ddof=1))
    assert np.isnan(means[:, -1]).all(), "one run lacks the last column"


def test_runs_that_share_no_layers_say_so(opened: Open, asked: Run) -> None:
    layers = {**asked.record["request"], "front_layers": ["relu"], "seed": 5}
    other = Run(asked.store, asked.record | {"request": layers}).save()
    at = sound(opened(asked.store, PAGE, runs=[asked.id, other.id]))
    assert "no front layer in common" in text(at, "error")
    assert not charts(at)


def test_the_queue_is_shown_and_ends_what_is_cancelled(opened: Open, jobs: Notes, asked: Run) -> None:
    jobs.states |= {
        asked.id: Status("running", "layer1.0 → layer1.0", 0.25, 8.0),
        DEMO: Status("queued", "training", behind="layer1.0"),
        "making-x": Status("failed", message="the disk is full"),
    }
    at = sound(opened(asked.store, PAGE))
    assert "1 at work, 1 waiting" in text(at, "header")
    assert "Grid of digits-a → digits-b on Digits" in text(at, "caption")
    at.session_state["log"] = True
    at = sound(at.run())
    (log,) = [frame.value for frame in at.dataframe if "How it ended" in frame.value]
    assert log[["What", "How it ended", "Why"]].to_numpy().tolist() == [["Network x", "failed", "the disk is full"]]
    sound(widget(at, "button", f"end-{asked.id}").click().run())
    assert jobs.cancelled == [asked.id]
    assert not jobs.looked, "looking at the queue keeps nothing alive"


def test_nothing_yet_says_the_way_on(opened: Open, store: Store) -> None:
    at = sound(opened(store, PAGE))
    assert "Nothing is compared yet" in text(at, "info")
    assert not at.dataframe
    assert not has(at, "button", "delete")


def test_five_hundred_runs_take_a_second(opened: Open, asked: Run) -> None:
    for k in range(500):
        run = another(asked, 1000 + k, created=f"2026-01-01T{k // 60:02d}:{k % 60:02d}:00+00:00")
        run.store.put(summary.ROOM, run.id, {"done": 216, "seconds": 1.0, "bytes": 1})
    at = opened(asked.store, PAGE)
    begun = time.monotonic()
    sound(at.run())
    assert time.monotonic() - begun < 2, "a second where nothing else is at work"
    assert len(table(at)) == 501


def test_summaries_count_again_only_where_cells_have_come(store: Store, asked: Run, tmp_path: Path) -> None:
    half = fill(asked, lacking=3)
    summary.keep(half)
    known = summary.Summaries(store)
    assert sure(known.of([half], 0.0)[half.id]).done == 108
    time.sleep(0.02)
    fill(asked)
    assert sure(known.of([half], 0.0)[half.id]).done == 108, "no time to count"
    whole = known.of([Run(store, half.record)], 5.0)[half.id]
    assert whole is not None
    assert (whole.done, whole.seconds) == (216, 216.0)
    assert run_table.name_of(half) == half.title


@pytest.mark.parametrize(
    ("link", "shown"), [({"as": "Difference"}, "run {b} minus {a}"), ({"as": "Mean and spread"}, "mean of 2 runs")]
)
def test_what_several_runs_are_together_is_a_file_too(
    link: dict[str, str], shown: str, opened: Open, three: list[Run]
) -> None:
    a, b = three[:2]
    at = opened(a.store, PAGE, runs=[a.id, b.id], **link)
    at.session_state["figure"] = True
    at = sound(at.run())
    assert not at.error
    assert shown.format(a=a.id[:8], b=b.id[:8]) in at.code[0].value
    assert a.id in at.code[0].value
    assert b.id in at.code[0].value
    (button,) = at.get("download_button")
    assert button.proto.label == "Download .svg"

"""The `sluice` command: mistakes end in one message and exit status 1, without a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from rich.console import Console

from sluice.client.local import Run, Step
from sluice.client.summary import Progress, summarise
from sluice.promotion.ledger import Kind, Ledger

ROOT = Path(__file__).parents[2]
SLUICE = [str(Path(sys.executable).with_name("sluice"))]
FLIGHTS = str(ROOT / "examples" / "flights")


def sluice(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SLUICE, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, check=False)


def run(folder: Path, *settings: str, span: str = "next") -> subprocess.CompletedProcess[str]:
    places = ["--set", f"ledger={folder / 'ledger'}", "--set", f"destination={folder / 'published'}"]
    return sluice(
        "run", "-c", FLIGHTS, "--span", span, *places, *(x for s in settings for x in ("--set", s)), cwd=folder
    )


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize(
    ("settings", "span", "message"),
    [
        (["source.uri=/nowhere/span-{SPAN}.csv"], "next", "no span found"),
        (["source.uri=/nowhere/all.csv"], "next", "no such file"),
        ([], "13", "span 13 is missing\n  found: 1-12"),
        (
            ["label=delayed"],
            "1",
            "the label 'delayed' is not a column of the source\n  columns: scheduled_departure, carrier",
        ),
        (["features.numeric=[distance, altitude]", "policies.data.mode=fail"], "1", "altitude"),
        (["split.keys=[origin]", "split.ratios={train: 1000000, eval: 1}"], "1", "the split 'eval' got no rows"),
        (["trainer.steps=0"], "1", "trainer.steps: Input should be greater than or equal to 1 (given: 0)"),
        (["trainer"], "1", "--set: 'trainer' has no value"),
        (["policies.model.slices=[[airline]]"], "1", "'airline' is not a column of the examples"),
    ],
)
def test_mistakes(tmp_path: Path, settings: list[str], span: str, message: str) -> None:
    done = run(tmp_path, *settings, span=span)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert not list(tmp_path.glob("published/[0-9]*"))


@pytest.mark.usefixtures("warm")
def test_a_constant_label_is_refused_by_the_data_gate(tmp_path: Path, flights: Path) -> None:
    duckdb.sql(
        f"COPY (SELECT * REPLACE (0 AS late) FROM '{flights / 'span-01.parquet'}') TO '{tmp_path / 'c.parquet'}'"
    )
    done = run(tmp_path, f"source.uri={tmp_path / 'c.parquet'}")
    assert done.returncode == 0
    assert "Data gate: NOT_BLESSED" in done.stdout
    assert "a constant label teaches nothing" in " ".join(done.stdout.split())
    assert "Refused: nothing was published" in done.stdout


def test_a_run_tells_its_story_and_the_ledger_repeats_it(tmp_path: Path) -> None:
    done = run(tmp_path, "trainer.steps=300", span="1")
    assert done.returncode == 0, done.stderr
    for told in (
        "✓ resolve",
        "✓ push",
        "Data gate: BLESSED",
        "Service gate: BLESSED",
        "Promoted: version 1",
        "published/1",
    ):
        assert told in done.stdout
    assert done.stderr == ""
    assert {page.name for page in tmp_path.glob("runs/flights/*/*.html")} == {
        "evaluate.html",
        "train.html",
        "validate.html",
    }
    for page in tmp_path.glob("runs/flights/*/*.html"):
        text = page.read_text()
        assert "http" not in text
        assert "<script" not in text
    ledger = ("--ledger", tmp_path / "ledger")
    log = sluice("ledger", "log", *ledger, "--json", cwd=tmp_path)
    assert [(entry["number"], entry["kind"]) for entry in json.loads(log.stdout)] == [(1, "promoted")]
    assert "promoted" in sluice("ledger", "log", *ledger, cwd=tmp_path).stdout
    assert json.loads(sluice("ledger", "show", "1", *ledger, cwd=tmp_path).stdout)["span"] == "1"
    assert "version 1 of flights" in sluice("ledger", "champion", *ledger, cwd=tmp_path).stdout
    assert "1 entries" in sluice("ledger", "verify", *ledger, cwd=tmp_path).stdout
    entry = tmp_path / "ledger" / "entries" / "00000001.json"
    entry.write_text(entry.read_text().replace('"span":"1"', '"span":"2"'))
    missing = sluice("ledger", "show", "2", *ledger, cwd=tmp_path)
    assert (missing.returncode, "no entry 2" in missing.stderr) == (1, True)


def test_the_empty_ledger(tmp_path: Path) -> None:
    log = sluice("ledger", "log", "--ledger", tmp_path / "ledger", cwd=tmp_path)
    assert "nothing was judged yet" in log.stdout
    champion = sluice("ledger", "champion", "--ledger", tmp_path / "ledger", cwd=tmp_path)
    assert champion.returncode == 1
    assert "there is no champion yet" in champion.stderr


def test_no_configuration_says_what_to_do(tmp_path: Path) -> None:
    done = sluice("run", cwd=tmp_path)
    assert done.returncode == 1
    assert "no such file" in done.stderr
    assert "--config" in done.stderr


@pytest.mark.parametrize(
    ("kind", "said"), [("refused", "Refused: nothing was published"), ("withdrawn", "Withdrawn: a destination failed")]
)
def test_the_pusher_s_reasons_are_shown(tmp_path: Path, kind: str, said: str) -> None:
    ledger = str(tmp_path / "ledger")
    Ledger.at(ledger).append(Kind(kind), reasons=("the endpoint has no quota",))
    this = Run(tmp_path, Progress(console := Console(record=True, width=200)))
    this.steps.append(Step("push", values={"decision": kind, "number": 1.0}))
    summarise(console, this, [str(tmp_path / "published")], ledger)
    assert said in (text := console.export_text())
    assert "Entry 1 of the ledger holds the reasons.\n  the endpoint has no quota" in text

"""The `sluice` command: mistakes end in one message and exit status 1, without a traceback."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from rich.console import Console

from sluice.client.local import Run, Step
from sluice.client.result import result
from sluice.client.summary import Progress, summarise
from sluice.config.load import load
from sluice.gates.data.policy import DataPolicy
from sluice.gates.verdict import Outcome, Reason, verdict
from sluice.promotion.ledger import Kind, Ledger
from sluice.version import __version__

ROOT = Path(__file__).parents[2]
SLUICE = [str(Path(sys.executable).with_name("sluice"))]
FLIGHTS = str(ROOT / "examples" / "flights")


def sluice(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SLUICE, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, check=False)


def run(
    folder: Path, *settings: str, span: str = "next", flags: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    places = ["--set", f"ledger={folder / 'ledger'}", "--set", f"destination={folder / 'published'}"]
    return sluice(
        "run", "-c", FLIGHTS, "--span", span, *flags, *places, *(x for s in settings for x in ("--set", s)), cwd=folder
    )


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize(
    ("settings", "span", "status", "message"),
    [
        (["source.uri=/nowhere/span-{SPAN}.csv"], "next", 5, "no span found"),
        (["source.uri=/nowhere/all.csv"], "next", 5, "no such file"),
        ([], "13", 5, "span 13 is missing\n  found: 1-12"),
        (
            ["label=delayed"],
            "1",
            5,
            "the label 'delayed' is not a column of the source\n  columns: scheduled_departure, carrier",
        ),
        (["features.numeric=[distance, altitude]", "policies.data.mode=fail"], "1", 5, "altitude"),
        (["split.keys=[origin]", "split.ratios={train: 1000000, eval: 1}"], "1", 5, "the split 'eval' got no rows"),
        (["trainer.steps=0"], "1", 1, "trainer.steps: Input should be greater than or equal to 1 (given: 0)"),
        (["trainer"], "1", 1, "--set: 'trainer' has no value"),
        (["policies.model.slices=[[airline]]"], "1", 5, "'airline' is not a column of the examples"),
    ],
)
def test_mistakes(tmp_path: Path, settings: list[str], span: str, status: int, message: str) -> None:
    done = run(tmp_path, *settings, span=span)
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert not list(tmp_path.glob("published/[0-9]*"))


@pytest.mark.usefixtures("warm")
def test_a_constant_label_is_refused_by_the_data_gate(tmp_path: Path, flights: Path) -> None:
    duckdb.sql(
        f"COPY (SELECT * REPLACE (0 AS late) FROM '{flights / 'span-01.parquet'}') TO '{tmp_path / 'c.parquet'}'"
    )
    done = run(tmp_path, f"source.uri={tmp_path / 'c.parquet'}", flags=("--json",))
    assert done.returncode == 3
    document = json.loads(done.stdout)
    assert (document["decision"], document["exit_status"], document["entry"], document["version"]) == (
        "refused", 3, 1, None,
    )  # fmt: skip
    assert document["verdicts"]["data"]["status"] == "NOT_BLESSED"
    assert any("a constant label teaches nothing" in reason for reason in document["reasons"])
    ingest = next(step for step in document["steps"] if step["name"] == "ingest")
    assert ingest["figures"]["rows_in"] == sum(ingest["figures"]["rows"].values()) > 20_000
    assert Path(document["places"]["reports"]["validate"]).is_file()
    assert "✓ refuse" in done.stderr
    assert "refused, entry 1" in done.stderr


def test_an_interrupted_run_names_the_step_and_leaves_nothing(tmp_path: Path) -> None:
    places = ("--set", f"ledger={tmp_path / 'ledger'}", "--set", f"destination={tmp_path / 'published'}")
    command = [*SLUICE, "run", "-c", FLIGHTS, "--span", "1-3", *places]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, start_new_session=True
    ) as process:
        while "✓ resolve" not in (process.stdout or pytest.fail("no output")).readline():
            assert process.poll() is None
        while not list(tmp_path.glob("runs/flights/*/artifacts/**/examples.partial")):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        said, mistakes = process.communicate()
    assert process.returncode == 130
    assert "✗ ingest" in said
    assert mistakes.startswith("sluice: interrupted in step ingest: ")
    assert "Traceback" not in mistakes
    assert not list(tmp_path.glob("runs/flights/*/artifacts/**/examples*"))
    assert not list(tmp_path.glob("published/*"))
    ours = [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(tmp_path).encode() in _content(path)]
    assert ours == []


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended
        return b""


def test_the_version(tmp_path: Path) -> None:
    assert sluice("--version", cwd=tmp_path).stdout == f"{__version__}\n"


def test_a_run_tells_its_story_and_the_ledger_repeats_it(tmp_path: Path) -> None:
    done = run(tmp_path, "trainer.steps=300", span="1")
    assert done.returncode == 0, done.stderr
    for told in (
        "span 1, no champion yet",
        "rows: train ",
        "300 steps, loss 0.",
        "BLESSED, 3 rules, auc 0.",
        f"version 1 at {tmp_path / 'published' / '1'}",
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
    ("kind", "status", "said"),
    [
        ("refused", 3, "Refused: nothing was published"),
        ("withdrawn", 5, "Withdrawn: a destination failed"),
    ],
)
def test_the_pusher_s_reasons_are_shown(tmp_path: Path, kind: str, status: int, said: str) -> None:
    ledger = str(tmp_path / "ledger")
    Ledger.at(ledger).append(Kind(kind), reasons=("the endpoint has no quota",))
    this = Run(tmp_path, Progress(console := Console(record=True, width=200)))
    this.steps.append(Step("push", values={"decision": kind, "number": 1.0}, succeeded=True))
    outcome = result(this, load(Path(FLIGHTS), {"ledger": ledger}))
    assert outcome.exit_status == status
    summarise(console, this, outcome)
    assert said in (text := console.export_text())
    assert "Entry 1 of the ledger holds the reasons.\n  the endpoint has no quota" in text


@pytest.mark.parametrize(
    ("outcomes", "status"), [(["failed", "inconclusive"], 3), (["inconclusive"], 4), (["passed"], 3)]
)
def test_a_refusal_s_exit_status_is_that_of_its_verdicts(tmp_path: Path, outcomes: list[str], status: int) -> None:
    """The last: all gates bless it, and the pusher refuses."""
    Ledger.at(ledger := str(tmp_path / "ledger")).append(Kind.REFUSED)
    reasons = [Reason(rule="auc", subject="auc", outcome=Outcome(name), sentence=name) for name in outcomes]
    verdict("data", reasons, subjects={}, policy=DataPolicy()).save(tmp_path)
    this = Run(tmp_path, Progress(Console(record=True)))
    this.steps.append(Step("validate", outputs={"verdict": tmp_path}, succeeded=True))
    this.steps.append(Step("push", values={"decision": "refused", "number": 1.0, "version": 0.0}, succeeded=True))
    assert result(this, load(Path(FLIGHTS), {"ledger": ledger})).exit_status == status


def test_help_in_a_pipe_has_no_escape_codes() -> None:
    text = subprocess.run(["make", "help"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert "Run all tests" in text
    assert "\033" not in text

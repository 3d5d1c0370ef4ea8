"""Queries, on a real PostgreSQL and on stand-ins for Snowflake and BigQuery: types, spans, secrets, errors, memory."""

from __future__ import annotations

import contextlib
import math
import os
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sluice.config.load import load
from sluice.errors import SluiceError
from sluice.examples import spans
from sluice.examples.dataset import Examples
from sluice.examples.formats import query, warehouses
from sluice.examples.ingest import ingest
from sluice.examples.manifest import Manifest
from sluice.examples.source import Source
from sluice.examples.split import Split
from sluice.stages.runtime import parse

ALL = Split(ratios={"train": 1.0})
MONTHS = {"first": "2024-01-01", "step": "month", "last": 3}
BY_MONTH = "SELECT * FROM {t} WHERE d >= @span_begin AND d < @span_end"
COLUMNS = {"postgresql": "id bigint, f float8, s text, d date, b boolean, n numeric(10,2), tz timestamptz, ts timestamp",
           "snowflake": "id int, f float, s text, d date, b boolean, n number(10,2), tz timestamp_tz, ts timestamp_ntz",
           "bigquery": "id int64, f float64, s string, d date, b bool, n numeric, tz timestamp, ts datetime"}  # fmt: skip
VALUES = [
    "1, 1.5, 'x', '2024-01-02', true, 12.34, '2024-01-02 10:00:00+02:00', '2024-01-02 10:00:00'",
    "2, NULL, NULL, '2024-02-29', NULL, NULL, '2024-02-29 12:00:00+00:00', '2024-02-29 12:00:00'",
    "3, {nan}, '', '2024-03-31', false, 0.01, '2024-03-31 12:00:00+00:00', '2024-03-31 12:00:00'",
]
NAN = {"postgresql": "'NaN'", "snowflake": "'NaN'::float", "bigquery": "CAST('NaN' AS FLOAT64)"}


def run_in(kind: str, uri: str) -> Callable[[str], None]:
    """What runs statements there, as its own client does."""
    if kind == "postgresql":
        from adbc_driver_postgresql import dbapi

        def run(text: str) -> None:
            with dbapi.connect(uri, autocommit=True) as connection, connection.cursor() as cursor:
                cursor.execute(text)

    elif kind == "snowflake":

        def run(text: str) -> None:
            from snowflake import connector

            place = dict(zip(("account", "database", "schema"), uri.split("/")[2:], strict=True))
            who = {
                name: os.environ[f"SNOWFLAKE_{name.upper()}"]
                for name in ("user", "password", "host", "port", "protocol")
            }
            with connector.connect(**place, **who) as session:
                session.cursor().execute(text)

    else:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud.bigquery import Client

        def run(text: str) -> None:
            with contextlib.closing(Client(project=uri.split("/")[2], credentials=AnonymousCredentials())) as client:
                client.query(text).result()

    return run


@pytest.fixture(params=["postgresql", "redshift", "snowflake", "bigquery"])
def made(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A URI, and a table of three rows, one a month."""
    kind = request.param.replace("redshift", "postgresql")
    uri: str = request.getfixturevalue(kind)
    run, table = run_in(kind, uri), "d.t" if kind == "bigquery" else "t"
    run(f"CREATE TABLE {table} ({COLUMNS[kind]})")
    for values in VALUES:
        run(f"INSERT INTO {table} VALUES ({values.format(nan=NAN[kind])})")
    return uri.replace("postgresql", request.param), table


def read(source: Source, out: Path, span: str = "") -> tuple[Manifest, list[dict[str, Any]]]:
    manifest = ingest(source, ALL, span, out)
    rows = [
        {name.lower(): value for name, value in row.items()} for row in Examples.load(out).table("train").to_pylist()
    ]
    return manifest, sorted(rows, key=lambda row: row["id"])


def test_values_come_through(made: tuple[str, str], tmp_path: Path) -> None:
    """NULL and NaN, decimals, times to UTC, dates, booleans; whole numbers stay whole."""
    uri, table = made
    manifest, rows = read(Source(uri=uri, query=f"SELECT * FROM {table}"), tmp_path / "out")
    assert {name.lower(): kind for name, kind in manifest.columns.items()} == {
        "id": "int64", "f": "double", "s": "string", "d": "timestamp[us]", "b": "bool", "n": "double",
        "tz": "timestamp[us]", "ts": "timestamp[us]",
    }  # fmt: skip
    assert rows[0] == {
        "id": 1, "f": 1.5, "s": "x", "d": datetime(2024, 1, 2), "b": True, "n": 12.34,
        "tz": datetime(2024, 1, 2, 8), "ts": datetime(2024, 1, 2, 10),
    }  # fmt: skip
    assert (rows[1]["f"], rows[1]["s"], rows[1]["b"], rows[1]["n"]) == (None, None, None, None)
    assert math.isnan(rows[2]["f"])
    assert (rows[2]["s"], rows[2]["b"], rows[2]["n"]) == ("", False, 0.01)
    assert [source.uri for source in manifest.sources] == [uri]


def test_spans_are_bound(made: tuple[str, str], tmp_path: Path) -> None:
    uri, table = made
    source = Source.model_validate({"uri": uri, "query": BY_MONTH.format(t=table), "spans": MONTHS, "window": 2})
    assert [row["id"] for row in read(source, tmp_path / "one", "2")[1]] == [2]
    manifest, rows = read(source, tmp_path / "two", spans.select(source, "latest", None))
    assert [row["id"] for row in rows] == [2, 3]
    assert manifest.spans == ["2", "3"]
    assert [row["id"] for row in read(source, tmp_path / "apart", "1,3")[1]] == [1, 3]
    with pytest.raises(SluiceError, match="span 4 is missing"):
        read(source, tmp_path / "none", "4")


def test_spans_of_numbers_are_bound(made: tuple[str, str], tmp_path: Path) -> None:
    uri, table = made
    text = f"SELECT * FROM {table} WHERE id >= @span_begin AND id < @span_end"
    source = Source.model_validate({"uri": uri, "query": text, "spans": {"first": 1, "step": 2, "last": 2}})
    assert [row["id"] for row in read(source, tmp_path / "one", "1")[1]] == [1, 2]
    assert [row["id"] for row in read(source, tmp_path / "two", "2")[1]] == [3]


def test_what_the_database_refuses(made: tuple[str, str], tmp_path: Path) -> None:
    uri, _ = made
    with pytest.raises(SluiceError, match="the database says") as caught:
        read(Source(uri=uri, query="SELECT *\nFROM nowhere.nothing"), tmp_path / "out")
    assert re.search("nowhere|nothing", caught.value.what, re.I)
    assert not (tmp_path / "out").exists()


def test_null_times(postgresql: str, tmp_path: Path) -> None:
    """On PostgreSQL: the stand-in for Snowflake writes 1970 for them."""
    text = "SELECT 1 AS id, NULL::timestamptz AS tz, NULL::timestamp AS ts, NULL::date AS d"
    _, (row,) = read(Source(uri=postgresql, query=text), tmp_path / "out")
    assert row == {"id": 1, "tz": None, "ts": None, "d": None}


def test_numbers_of_postgresql(postgresql: str, tmp_path: Path) -> None:
    text = (
        "SELECT 1 AS id, 2::smallint AS small, 9007199254740993::numeric(20,0) AS whole, 'NaN'::numeric AS nan, "
        "'-Infinity'::float8 AS low, 1.25::real AS r, NULL::numeric AS none, 'c'::char(3) AS c;"
    )
    manifest, (row,) = read(Source(uri=postgresql, query=text), tmp_path / "out")
    assert math.isnan(row.pop("nan"))
    assert row == {
        "id": 1,
        "small": 2,
        "whole": 9007199254740993,
        "low": -math.inf,
        "r": 1.25,
        "none": None,
        "c": "c  ",
    }
    assert manifest.columns["whole"] == "int64"


@pytest.mark.parametrize(("column", "says"), [
    ("'1.50'::money AS m", "'m' is money"), ("9007199254740993::numeric AS m", "'m' has whole numbers of more digits than a double"),
])  # fmt: skip
def test_numbers_that_would_lose_digits_are_refused(postgresql: str, tmp_path: Path, column: str, says: str) -> None:
    with pytest.raises(SluiceError, match=says):
        read(Source(uri=postgresql, query=f"SELECT 1 AS id, {column}"), tmp_path / "out")


def test_whole_numbers_that_int64_does_not_hold_are_text(postgresql: str, tmp_path: Path) -> None:
    text = "SELECT 1 AS id, 1e30::numeric(40,0) AS big, 12345678901234567890::numeric(38,0) AS long, 12.50::numeric(9,2) AS price"
    _, (row,) = read(Source(uri=postgresql, query=text), tmp_path / "out")
    assert row == {"id": 1, "big": "1" + "0" * 30, "long": "12345678901234567890", "price": 12.5}


def test_columns_that_examples_do_not_hold_are_left_out_or_refused_by_name(postgresql: str, tmp_path: Path) -> None:
    source = Source(uri=postgresql, query="SELECT 1 AS id, ARRAY[1, 2] AS a, interval '1 day' AS i")
    manifest, (row,) = read(source, tmp_path / "out")
    assert row == {"id": 1}
    assert manifest.warnings == [
        "column 'a' is left out: examples hold no INTEGER[]", "column 'i' is left out: examples hold no INTERVAL",
    ]  # fmt: skip
    with pytest.raises(SluiceError, match="'a' has a type that examples cannot hold"):
        read(source.model_copy(update={"columns": ["id", "a"]}), tmp_path / "out")


def test_an_empty_result(made: tuple[str, str], tmp_path: Path) -> None:
    uri, table = made
    with pytest.raises(SluiceError, match="no rows"):
        read(Source(uri=uri, query=f"SELECT * FROM {table} WHERE id > 9"), tmp_path / "out")


def test_a_result_is_never_held_whole(postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warehouses, "ROWS", 1000)
    text = "SELECT i AS id, repeat('x', 100) AS s FROM generate_series(1, 10500) i"
    batches: Iterator[Any] = warehouses.postgresql(postgresql, text, {})
    sizes = [len(batch) for batch in batches]
    assert sizes == [1000] * 10 + [500, 0]
    assert read(Source(uri=postgresql, query=text), tmp_path / "out")[0].rows_in == 10500


def test_only_what_reads_is_run(made: tuple[str, str], tmp_path: Path) -> None:
    uri, table = made
    for text in (
        f"INSERT INTO {table} SELECT * FROM {table}",
        f"DROP TABLE {table}",
        f"SELECT 1 AS id; DROP TABLE {table}",
    ):
        with pytest.raises(SluiceError, match="the database says"):
            read(Source(uri=uri, query=text), tmp_path / "out")
    assert read(Source(uri=uri, query=f"SELECT * FROM {table};  "), tmp_path / "out")[0].rows_in == 3


# Secrets, and what is not there.


@pytest.mark.parametrize("uri", [
    "postgresql://me:sesame@127.0.0.1/d", "postgresql://127.0.0.1/d?password=sesame", "snowflake://me:sesame@a/d/s",
    "redshift://127.0.0.1/d?sslmode=require&PASSWORD=sesame", "snowflake://a/d?token=sesame",
])  # fmt: skip
def test_a_secret_in_a_uri_is_refused(uri: str, tmp_path: Path) -> None:
    """Before anything runs, wherever a use case is read."""
    (tmp_path / "sluice.yaml").write_text(yaml.safe_dump({"name": "n", "source": {"uri": uri, "query": "SELECT 1"}}))
    for reading in (
        lambda: Source(uri=uri, query="SELECT 1"), lambda: parse(Source, {"uri": uri}, "source"), lambda: load(tmp_path),
    ):  # fmt: skip
        with pytest.raises(SluiceError, match="may hold no password") as caught:
            reading()
        assert "sesame" not in f"{caught.value} {caught.value.__cause__}"


def test_a_wrong_password_is_not_told(
    postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PGPASSWORD", "opensesame")
    with pytest.raises(SluiceError, match="password authentication failed") as caught:
        read(Source(uri=postgresql, query="SELECT 1 AS id"), tmp_path / "out")
    assert "environment" in caught.value.remedy
    assert "opensesame" not in str(caught.value) + "".join(capfd.readouterr())


def test_a_password_file_is_taken(postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPASSWORD")
    (tmp_path / "pgpass").write_text("127.0.0.1:*:*:sluice:sesame\n")
    (tmp_path / "pgpass").chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    assert read(Source(uri=postgresql, query="SELECT 1 AS id"), tmp_path / "out")[0].rows_in == 1


def test_nobody_answers(tmp_path: Path) -> None:
    pytest.importorskip("adbc_driver_postgresql", reason="the extra postgresql is not installed")
    with pytest.raises(SluiceError, match="the database says"):
        read(Source(uri="postgresql://127.0.0.1:1/d", query="SELECT 1 AS id"), tmp_path / "out")


@pytest.mark.parametrize(("uri", "module", "extra"), [
    ("postgresql://h/d", "adbc_driver_postgresql", "postgresql"), ("redshift://h/d", "adbc_driver_postgresql", "postgresql"),
    ("snowflake://a/d", "snowflake.connector", "snowflake"), ("bigquery://p", "google.cloud.bigquery_storage", "bigquery"),
])  # fmt: skip
def test_an_extra_that_is_absent(
    uri: str, module: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith(module)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Absent(module), *sys.meta_path])
    with pytest.raises(SluiceError, match=f"needs the extra '{extra}'") as caught:
        read(Source(uri=uri, query="SELECT 1"), tmp_path / "out")
    assert f"kfp-sluice[{extra}]" in caught.value.remedy


class _Absent:
    """An importer that does not find a package."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(self, name: str, *_: Any) -> None:
        if name == self.package or name.startswith(f"{self.package}."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


# Over files.


def test_a_query_over_files(tmp_path: Path) -> None:
    duckdb.sql(f"COPY (SELECT i AS id, DATE '2024-01-01' + i::INT AS d FROM range(91) t(i)) TO '{tmp_path}/t.parquet'")
    uri = str(tmp_path / "t.parquet")
    _, rows = read(Source(uri=uri, query="SELECT id, id % 2 = 0 AS even FROM source WHERE id < 3"), tmp_path / "out")
    assert rows == [{"id": 0, "even": True}, {"id": 1, "even": False}, {"id": 2, "even": True}]
    bound = Source.model_validate({"uri": uri, "query": BY_MONTH.format(t="source"), "spans": MONTHS})
    assert read(bound, tmp_path / "bound", "2")[0].rows_in == 29
    with pytest.raises(SluiceError, match="nowhere"):
        read(Source(uri=uri, query="SELECT * FROM nowhere"), tmp_path / "none")
    (tmp_path / "t.csv").write_text("id\n1\n")
    with pytest.raises(SluiceError, match="hold their types"):
        read(Source(uri=str(tmp_path / "t.csv"), query="FROM source"), tmp_path / "text")


# Bounds.


def query_of(**given: Any) -> Source:
    return Source.model_validate({"uri": "postgresql://h/d", "query": BY_MONTH, "spans": given})


@pytest.mark.parametrize(("step", "second"), [
    ("day", (date(2024, 1, 2), date(2024, 1, 3))), ("week", (date(2024, 1, 8), date(2024, 1, 15))),
    ("month", (date(2024, 2, 1), date(2024, 3, 1))), ("year", (date(2025, 1, 1), date(2026, 1, 1))),
])  # fmt: skip
def test_bounds(step: str, second: tuple[date, date]) -> None:
    assert query.query_bounds(query_of(first="2024-01-01", step=step), 2) == second


@given(first=st.dates(date(2000, 1, 1), date(2030, 1, 1)).filter(lambda day: day.day <= 28),
       step=st.sampled_from(["day", "week", "month", "year"]), number=st.integers(1, 500))  # fmt: skip
def test_spans_leave_no_gap(first: date, step: str, number: int) -> None:
    source = query_of(first=first.isoformat(), step=step)
    begin, end = query.query_bounds(source, number)
    assert begin < end == query.query_bounds(source, number + 1)[0]  # type: ignore[operator]


def test_the_last_span_is_over() -> None:
    today = datetime.now(UTC).date()
    source = query_of(first="2024-01-01", step="month")
    last = query.available_spans(source)[-1]
    assert query.query_bounds(source, last)[1] <= today < query.query_bounds(source, last + 1)[1]  # type: ignore[operator]
    assert query.available_spans(query_of(first=today.isoformat(), step="day")) == []


@pytest.mark.parametrize(("given", "says"), [
    ({"query": "SELECT @span_begin"}, "needs spans"),
    ({"query": "SELECT 1", "spans": MONTHS}, "bound by @span_begin and @span_end"),
    ({"query": BY_MONTH, "spans": {"first": 1, "step": 1}}, "need a last one"),
    ({"query": BY_MONTH, "spans": {"first": "2024-01-01", "step": 3}}, "go together"),
    ({"query": BY_MONTH, "spans": {"first": "2024-01-31", "step": "month"}}, "28th"),
    ({"version": 1, "timestamp": "2024-01-01T00:00:00Z"}, "not both"),
])  # fmt: skip
def test_what_cannot_be_meant(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Source.model_validate({"uri": "postgresql://h/d", **given})

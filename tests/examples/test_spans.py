"""Spans: explicit, latest, next, versions, dates; what is missing is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from sluice.errors import SluiceError
from sluice.examples import spans
from sluice.examples.ingest import ingest
from sluice.examples.source import Source
from sluice.examples.split import Split


@pytest.fixture
def source(tmp_path: Path) -> Source:
    for number in (1, 2, 3, 4, 5, 7):
        (tmp_path / f"span-{number:02d}.parquet").touch()
    return Source(uri=str(tmp_path / "span-{SPAN}.parquet"), window=2)


@pytest.mark.parametrize(
    ("span", "last", "selected"),
    [
        ("4", None, "4"),
        ("2-4", None, "2-4"),
        ("next", None, "1-2"),
        ("next", "1-2", "2-3"),
        ("next", "3", "3-4"),
        ("next", "0", "1"),
    ],
)
def test_select(source: Source, span: str, last: str | None, selected: str) -> None:
    assert spans.select(source, span, last) == selected


@pytest.mark.parametrize(
    ("span", "last", "message"),
    [
        ("6", None, "span 6 is missing"),
        ("latest", None, "span 6 is missing"),
        ("4-8", None, "span 6, 8 is missing"),
        ("next", "6-7", "no span after 7"),
        ("4-2", None, "is not a span"),
        ("soon", None, "is not a span"),
    ],
)
def test_what_is_not_there_lists_what_is(source: Source, span: str, last: str | None, message: str) -> None:
    with pytest.raises(SluiceError, match=message) as caught:
        spans.select(source, span, last)
    if "is not a span" not in message:
        assert "found: 1-5, 7" in str(caught.value)


def test_uris_are_those_of_the_span(source: Source) -> None:
    assert [uri[-10:] for uri in spans.uris(source, "2-3")] == ["02.parquet", "03.parquet"]


def test_a_source_without_spans_has_none(tmp_path: Path) -> None:
    assert spans.select(Source(uri=str(tmp_path / "all.parquet")), "next", None) == ""


def test_no_span_at_all(tmp_path: Path) -> None:
    with pytest.raises(SluiceError, match="no span found"):
        spans.select(Source(uri=str(tmp_path / "none-{SPAN}.csv")), "latest", None)


def made(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_what_is_excluded_is_left_out_and_windows_reach_further_back(source: Source) -> None:
    holed = source.model_copy(update={"exclude": [4, 6], "window": 3})
    assert spans.select(holed, "latest", None) == "3,5,7"
    assert spans.select(holed, "next", "1-3") == "2-3,5"
    assert spans.select(holed, "next", "2-3,5") == "3,5,7"
    assert spans.select(holed, "3-5", None) == "3,5"
    assert [uri[-10:] for uri in spans.uris(holed, "3,5,7")] == ["03.parquet", "05.parquet", "07.parquet"]
    with pytest.raises(SluiceError, match="span 4 is excluded"):
        spans.select(holed, "4", None)


def test_the_newest_version_is_read_or_the_one_named(tmp_path: Path) -> None:
    made(tmp_path, "span-1/v1/d.csv", "span-2/v1/d.csv", "span-2/v9/d.csv", "span-2/v10/d.csv", "span-3/v10/d.csv")
    source = Source(uri=str(tmp_path / "span-{SPAN}" / "v{VERSION}" / "*.csv"), window=2)
    assert spans.select(source, "latest", None) == "2-3@10"
    assert spans.select(source, "1-3", None) == "1@1,2-3@10"
    assert spans.select(source, "2@9", None) == "2@9"
    assert spans.select(source, "next", "1@1,2@9") == "2-3@10"
    assert [uri.removeprefix(str(tmp_path)) for uri in spans.uris(source, "1@1,2@9")] == [
        "/span-1/v1/*.csv",
        "/span-2/v9/*.csv",
    ]
    parts = spans.read(source, "1@1,2@9")
    assert ([part.label for part in parts], spans.versions(parts)) == (["1", "2"], "1,9")
    with pytest.raises(SluiceError, match="version 3 of span 2 is missing") as caught:
        spans.select(source, "2@3", None)
    assert "found: 1, 9, 10" in str(caught.value)


def test_days_follow_the_calendar(tmp_path: Path) -> None:
    made(tmp_path, "2026/01/30.csv", "2026/01/31.csv", "2026/02/01.csv", "2026/02/02.csv")
    source = Source(uri=str(tmp_path / "{YYYY}/{MM}/{DD}.csv"), window=2)
    assert spans.select(source, "latest", None) == "20260201-20260202"
    assert spans.select(source, "next", "20260130-20260131") == "20260131-20260201"
    assert [uri[-10:] for uri in spans.uris(source, "20260131-20260201")] == [
        "2026/01/31.csv"[-10:],
        "2026/02/01.csv"[-10:],
    ]
    for span, message in (("20260203", "span 20260203 is missing"), ("20260230", "is no date"), ("4", "is no date")):
        with pytest.raises(SluiceError, match=message) as caught:
            spans.select(source, span, None)
        assert "20260130-20260202" in str(caught.value) or "write 20260131" in str(caught.value)


def test_months_and_years(tmp_path: Path) -> None:
    made(tmp_path, "m-202512.csv", "m-202601.csv", "y-2025.csv", "y-2026.csv")
    months = Source(uri=str(tmp_path / "m-{YYYY}{MM}.csv"), window=2)
    assert spans.select(months, "latest", None) == "202512-202601"
    assert spans.select(Source(uri=str(tmp_path / "y-{YYYY}.csv")), "next", "2025") == "2026"


def test_files_that_are_no_dates_and_spans_that_are_there_twice(tmp_path: Path) -> None:
    made(tmp_path, "20261301.csv", "s-1.csv", "s-01.csv")
    with pytest.raises(SluiceError, match="'20261301' is no date"):
        spans.select(Source(uri=str(tmp_path / "{YYYY}{MM}{DD}.csv")), "latest", None)
    with pytest.raises(SluiceError, match="one span is there twice"):
        spans.select(Source(uri=str(tmp_path / "s-{SPAN}.csv")), "latest", None)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("{SPAN}/{SPAN}.csv", "may stand once"),
        ("{SPAN}/{YYYY}.csv", "not both"),
        ("{MM}{DD}.csv", "begins with its year"),
        ("{VERSION}.csv", "needs {SPAN} or a date"),
        ("{SPLIT}.csv", "{SPLIT} is no placeholder"),
    ],
)
def test_placeholders_that_mean_nothing_are_refused(uri: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Source(uri=uri)


def test_the_manifest_names_spans_and_versions(tmp_path: Path) -> None:
    for version in (1, 2):
        (tmp_path / f"s-7-v{version}.csv").write_text("id\n" + "".join(f"{i * version}\n" for i in range(50)))
    source = Source(uri=str(tmp_path / "s-{SPAN}-v{VERSION}.csv"))
    manifest = ingest(source, Split(), spans.select(source, "7@1", None), tmp_path / "out")
    assert (manifest.spans, manifest.version) == (["7"], "1")
    assert [Path(file.uri).name for file in manifest.sources] == ["s-7-v1.csv"]

"""Spans: explicit, latest, next; what is missing is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.errors import SluiceError
from sluice.examples import spans
from sluice.examples.source import Source


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

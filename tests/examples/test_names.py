"""Names of columns: what ingest takes, in every format that can write them, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
import pytest

from sluice.errors import SluiceError
from sluice.examples.dataset import Examples
from sluice.examples.ingest import ingest
from sluice.examples.names import check
from sluice.examples.source import Source
from sluice.examples.split import Split
from tests.names import CATEGORIES, KEY, LABEL, NUMBERS, REFUSED, TAKEN, TIME, TOGETHER, table


def written(kind: str, content: pa.Table, folder: Path) -> str:
    """The table as a file of a format."""
    file = folder / f"table.{kind}"
    if kind == "parquet":
        pq.write_table(content, file)
    elif kind == "csv":
        arrow_csv.write_csv(content, file)
    else:
        rows = content.set_column(
            content.schema.get_field_index(TIME), TIME, content[TIME].cast(pa.string())
        ).to_pylist()
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return str(file)


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_every_name_is_kept_as_it_is_and_holds_its_own_values(kind: str, tmp_path: Path) -> None:
    content = table(100)
    split = Split(ratios={"train": 0.8, "eval": 0.2}, keys=[KEY])
    ingest(Source(uri=written(kind, content, tmp_path)), split, "", tmp_path / "out", label=LABEL)
    examples = Examples.load(tmp_path / "out")
    assert list(examples.manifest.columns) == list(TAKEN)
    found = pa.concat_tables([examples.table("train"), examples.table("eval")]).sort_by(KEY)
    assert (
        found.select([*NUMBERS, *CATEGORIES]).to_pylist()
        == content.sort_by(KEY).select([*NUMBERS, *CATEGORIES]).to_pylist()
    )
    assert (
        examples.table("eval", ["a.b", "a"]).select(["a"]).to_pylist()
        == examples.table("eval").select(["a"]).to_pylist()
    )


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_is_none_is_refused_by_its_place(name: str) -> None:
    with pytest.raises(SluiceError, match=REFUSED[name]) as caught:
        check(["fine", name], "table.csv", ("__cause", "__text"))
    assert "column 2" in str(caught.value) or repr(name) in str(caught.value)


@pytest.mark.parametrize("names", TOGETHER)
def test_names_that_cannot_be_told_apart_are_refused(names: tuple[str, str]) -> None:
    with pytest.raises(SluiceError, match=TOGETHER[names]):
        check(["fine", *names], "table.csv")


def test_ingest_refuses_before_it_reads(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1], "two\nlines": [2]}), tmp_path / "table.parquet")
    split = Split(ratios={"train": 0.8, "eval": 0.2})
    with pytest.raises(SluiceError, match=r"the name of column 2, 'two\\nlines', has a control character \(U\+000A\)"):
        ingest(Source(uri=str(tmp_path / "table.parquet")), split, "", tmp_path / "out")
    assert not (tmp_path / "out").exists()

"""Writing an examples artifact: each split's Parquet file, and what the rows hold all together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice import digest
from sluice.errors import SluiceError
from sluice.examples import hashing, row_hashes
from sluice.examples.manifest import SplitFacts
from sluice.examples.rows import batch_rows
from sluice.examples.split import TRAIN, in_order
from sluice.examples.sql import quote as _quote
from sluice.progress import progress

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from sluice.examples.split import Split

HASHES = "hashes.parquet"
MANY = 0.1
"""Where more of the rows repeat, those that do not are counted as well."""


class Splits:
    """The files of the splits, written a row group at a time: the same rows give the same bytes.

    Args:
        folder: the artifact's.
        columns: column to Arrow type, as stored.
    """

    def __init__(self, folder: Path, columns: dict[str, str]) -> None:
        self._folder, self._columns, self._group = folder, columns, batch_rows(columns)
        self._waiting: dict[str, list[pa.RecordBatch]] = {}
        self._writers: dict[str, Any] = {}
        self._rows: dict[str, int] = {}

    def add(self, name: str, batch: pa.RecordBatch) -> None:
        """Rows of a split, in order."""
        self._rows[name] = self._rows.get(name, 0) + len(batch)
        waiting = self._waiting.setdefault(name, [])
        waiting.append(batch.select(list(self._columns)))
        if sum(map(len, waiting)) >= self._group:
            self._flush(name)

    def close(self, named: list[str]) -> dict[str, SplitFacts]:
        """Write what waits, and say what each split holds.

        Args:
            named: the splits that have to be there.

        Returns:
            Split name to its facts, in the splits' fixed order.

        Raises:
            SluiceError: one got no rows, or there are none at all.
        """
        if not self._rows:
            raise SluiceError("no rows were read", where="source", remedy="give a source that holds some")
        if empty := [name for name in named if not self._rows.get(name)]:
            raise SluiceError(f"the split {empty[0]!r} got no rows", where="split",
                              remedy="give more data, a larger weight, other keys, or another time")  # fmt: skip
        facts = {}
        for name in in_order(self._rows):
            self._flush(name, last=True)
            self._writers[name].close()
            facts[name] = SplitFacts.of(self._folder, name)
            progress(f"{name}: {facts[name].rows:,} rows")
        return facts

    def _file(self, name: str) -> Path:
        return self._folder / name / "part-00000.parquet"

    def _flush(self, name: str, *, last: bool = False) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if name not in self._writers:
            self._file(name).parent.mkdir()
            texts = [column for column, kind in self._columns.items() if kind == "string"]
            self._writers[name] = pq.ParquetWriter(
                self._file(name), self._waiting[name][0].schema, compression="snappy", use_dictionary=texts
            )
        table = pa.Table.from_batches(self._waiting[name])
        whole = len(table) if last else len(table) // self._group * self._group
        self._writers[name].write_table(table.slice(0, whole), row_group_size=self._group)
        self._waiting[name] = table.slice(whole).to_batches()


class Content:
    """What the rows hold all together: their content id, which repeat and which stand in several splits.

    The content id is the digest of the columns and, for each split, of its rows' number, the sum of their hashes and the
    sum of the hashes mixed once more: the same rows in the same splits give the same id, whatever their order, the parts
    and the files they came from; repeated rows count. The sums have 64 bits and no key: two sets of rows with the same id
    can be made on purpose. It names content; what proves that bytes are unchanged is the sha256 of each part.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / HASHES
        self._splits: dict[str, list[int]] = {}  # rows and the two sums
        self._writer: Any = None

    def place(self, name: str, hashes: pa.Array) -> None:
        """Hashes of rows that a split got, of all their columns."""
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        facts = self._splits.setdefault(name, [0, 0, 0])
        facts[0] += len(hashes)
        for index, values in enumerate((hashes, hashing.mix(hashes)), 1):
            facts[index] = (facts[index] + (pc.sum(values).as_py() or 0)) % hashing.SPACE
        number = pa.repeat(pa.scalar(list(self._splits).index(name), pa.int32()), len(hashes))
        batch = pa.record_batch({"hash": hashes, "split": number})
        self._writer = self._writer or pq.ParquetWriter(
            self._file, batch.schema, compression="none", use_dictionary=["split"]
        )
        self._writer.write_batch(batch)

    def facts(self, database: duckdb.DuckDBPyConnection, columns: dict[str, str], split: Split) -> dict[str, Any]:
        """`content_id`, `duplicates`, `single`, `shared` and `row_hashes` of the manifest.

        By hash or time, equal rows fall in one split; only a source can have put them in two.
        """
        self._writer.close()
        found = f"read_parquet({_quote(str(self._file))})"
        trained, others, distinct = None, "", 0
        if TRAIN in self._splits:
            of_train = f"split = {list(self._splits).index(TRAIN)}"
            trained = row_hashes.write(database, f"SELECT hash FROM {found} WHERE {of_train}", self._file.parent)  # noqa: S608
            others, distinct = f"WHERE NOT {of_train}", trained.rows or 0
        shared = 0
        if split.column:
            others, distinct = "", 0
            (shared,) = database.execute(
                f"SELECT count(*) FROM (SELECT 1 FROM {found} GROUP BY hash HAVING min(split) <> max(split))"  # noqa: S608
            ).fetchall()[0]
        distinct += database.execute(f"SELECT count(DISTINCT hash) FROM {found} {others}").fetchall()[0][0]  # noqa: S608
        rows = sum(held for held, *_ in self._splits.values())
        duplicates, single = rows - distinct, None
        if duplicates > MANY * rows:
            once = f"SELECT 1 FROM {found} GROUP BY hash HAVING count(*) = 1"  # noqa: S608
            (single,) = database.execute(f"SELECT count(*) FROM ({once})").fetchall()[0]  # noqa: S608
        self._file.unlink()
        sums = {name: list(map(str, facts)) for name, facts in self._splits.items()}
        named = digest.of_json({"columns": columns, "hash": hashing.VERSION, "splits": sums})
        return {
            "content_id": named,
            "duplicates": duplicates,
            "single": single,
            "shared": shared,
            "row_hashes": trained,
        }

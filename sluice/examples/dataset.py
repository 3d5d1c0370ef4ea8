"""Reading an examples artifact: Arrow record batches of a split, in bounded memory, of parts that are what ingest wrote."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sluice import parts
from sluice.errors import SluiceError
from sluice.examples.manifest import Manifest, SplitFacts, split_files
from sluice.gates.verdict import JudgedRows
from sluice.progress import progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from sluice.parts import Part

BATCH_ROWS = 65_536
REMEDY = "the examples are not those that ingest wrote: run ingest again, and the steps after it"


@dataclass(frozen=True)
class Examples:
    """An examples artifact on disk.

    Each part is checked against the manifest before its first row is used, once for each object. A manifest of format 1 lists
    no parts: a split's rows are counted instead.

    Attributes:
        folder: the artifact's folder, ``<split>/part-*.parquet`` and ``examples.json``.
        manifest: its manifest.
    """

    folder: Path
    manifest: Manifest
    _checked: set[str] = field(default_factory=set, compare=False, repr=False)
    _seen: dict[str, SplitFacts] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def load(cls, folder: Path) -> Examples:
        """Open an examples artifact.

        Raises:
            SluiceError: the folder holds none, or its manifest was edited.
        """
        manifest = Manifest.load(folder)
        if manifest.format == 1:
            progress("these examples list no parts (format 1): their rows are counted, their bytes cannot be checked")
        return cls(folder, manifest)

    def files(self, split: str) -> list[Path]:
        """The split's Parquet files, in order, checked.

        Raises:
            SluiceError: there is no such split, it is empty, or a part was changed, swapped, added or removed.
        """
        return [self._check(part) for part in self._parts(split)]

    def batches(
        self, split: str, columns: Sequence[str] | None = None, batch_rows: int = BATCH_ROWS
    ) -> Iterator[pa.RecordBatch]:
        """Record batches of at most `batch_rows` rows, in file order; memory is bounded by the batch.

        Raises:
            SluiceError: as for `files`; before the first row of the part.
        """
        import pyarrow.parquet as pq

        for part in self._parts(split):
            with pq.ParquetFile(self._check(part)) as parquet:
                yield from parquet.iter_batches(batch_size=batch_rows, columns=list(columns) if columns else None)

    def judged(self, split: str) -> JudgedRows:
        """The split's rows, and the digest of its parts, which are checked: for a verdict that is on them.

        Raises:
            SluiceError: as for `files`.
        """
        self.files(split)
        return self.listed(split)

    def listed(self, split: str) -> JudgedRows:
        """The same by what the manifest lists, or by the parts that are there where it lists none: for a comparison.

        Raises:
            SluiceError: there is no such split, or (format 1) its rows are not those that the manifest names.
        """
        facts = self._facts(split)
        return JudgedRows(rows=facts.rows, digest=facts.digest)

    def _facts(self, split: str) -> SplitFacts:
        """What the manifest lists of a split; where it lists no parts (format 1), those that are there.

        Raises:
            SluiceError: they do not hold the rows that the manifest names.
        """
        listed = self.manifest.splits.get(split)
        if listed is None:
            raise self._absent(split)
        if self.manifest.format > 1:
            return listed
        if split not in self._seen:
            found = SplitFacts.of(self.folder, split)
            if found.rows != listed.rows:
                raise SluiceError(f"the split {split!r} was changed after it was written: {listed.rows:,} rows expected, "
                                  f"{found.rows:,} found", where=str(self.folder), remedy=REMEDY)  # fmt: skip
            self._seen[split] = found
        return self._seen[split]

    def _parts(self, split: str) -> tuple[Part, ...]:
        """The split's parts, whose files are there, and no others.

        Raises:
            SluiceError: there is no such split, it is empty, or a part was added or removed.
        """
        facts = self._facts(split)
        if facts.rows == 0:
            raise self._absent(split)
        listed = facts.parts
        parts.check_names(self.folder, listed, split_files(self.folder, split), REMEDY)
        return listed

    def _absent(self, split: str) -> SluiceError:
        return SluiceError(
            f"the split {split!r} {'is empty' if split in self.manifest.splits else 'does not exist'}",
            where=str(self.folder),
            remedy=f"splits: {', '.join(f'{k} ({v.rows:,} rows)' for k, v in self.manifest.splits.items())}; "
            "change `split` in sluice.yaml or give more data",
        )

    def _check(self, part: Part) -> Path:
        """The file of a part, which has the listed size, sha256 and rows."""
        import pyarrow.parquet as pq

        file = self.folder / part.name
        if part.name not in self._checked:
            parts.check(self.folder, part, REMEDY)
            parts.check_rows(self.folder, part, pq.read_metadata(file).num_rows, REMEDY)
            self._checked.add(part.name)
        return file

    def table(self, split: str, columns: Sequence[str] | None = None) -> pa.Table:
        """The whole split in memory."""
        import pyarrow as pa

        return pa.Table.from_batches(self.batches(split, columns))

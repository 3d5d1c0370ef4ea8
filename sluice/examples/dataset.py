"""Reading an examples artifact: Arrow record batches of a split, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice.errors import SluiceError
from sluice.examples.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

BATCH_ROWS = 65_536


@dataclass(frozen=True)
class Examples:
    """An examples artifact on disk.

    Attributes:
        folder: the artifact's folder, ``<split>/part-*.parquet`` and ``examples.json``.
        manifest: its manifest.
    """

    folder: Path
    manifest: Manifest

    @classmethod
    def load(cls, folder: Path) -> Examples:
        """Open an examples artifact.

        Raises:
            SluiceError: the folder holds none.
        """
        return cls(folder, Manifest.load(folder))

    def files(self, split: str) -> list[Path]:
        """The split's Parquet files, in order.

        Raises:
            SluiceError: there is no such split, or it is empty.
        """
        facts = self.manifest.splits.get(split)
        if facts is None or facts.rows == 0:
            raise SluiceError(
                f"the split {split!r} {'is empty' if facts else 'does not exist'}",
                where=str(self.folder),
                remedy=f"splits: {', '.join(f'{k} ({v.rows:,} rows)' for k, v in self.manifest.splits.items())}; "
                "change `split` in sluice.yaml or give more data",
            )
        return sorted((self.folder / split).glob("part-*.parquet"))

    def batches(
        self, split: str, columns: Sequence[str] | None = None, batch_rows: int = BATCH_ROWS
    ) -> Iterator[pa.RecordBatch]:
        """Record batches of at most `batch_rows` rows, in file order; memory is bounded by the batch."""
        import pyarrow.parquet as pq

        for file in self.files(split):
            with pq.ParquetFile(file) as parquet:
                yield from parquet.iter_batches(batch_size=batch_rows, columns=list(columns) if columns else None)

    def table(self, split: str, columns: Sequence[str] | None = None) -> pa.Table:
        """The whole split in memory."""
        import pyarrow as pa

        return pa.Table.from_batches(self.batches(split, columns))

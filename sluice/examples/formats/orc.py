"""ORC, by pyarrow, a stripe at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from sluice.examples.formats import arrow

if TYPE_CHECKING:
    import duckdb

    from sluice.examples.formats import Reading
    from sluice.examples.formats.filesystem import Files
    from sluice.examples.source import Source


class Orc:
    """ORC, as every writer compresses it."""

    suffixes = (".orc",)

    def open(self, database: duckdb.DuckDBPyConnection, source: Source, files: Files) -> Reading:
        """A part for each schema among the files."""
        del source
        return arrow.read(database, files, Stripes, "ORC")


class Stripes:
    """One open file."""

    def __init__(self, file: BinaryIO, where: str) -> None:
        from pyarrow import orc

        del where
        self._file = orc.ORCFile(file)
        self.schema, self.left_out = self._file.schema, dict[str, str]()

    def batches(self) -> arrow.Batches:
        """A batch a stripe."""
        for number in range(self._file.nstripes):
            yield self._file.read_stripe(number)

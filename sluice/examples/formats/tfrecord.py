"""TFRecord of tf.Example without TensorFlow: frames of length, checksum and bytes; each a message of tf.Example.

The layout is that of ``tensorflow/core/lib/io/record_writer.h``: a little-endian uint64 length, its masked CRC32C, the
bytes, their masked CRC32C. The message's descriptor is ``tensorflow/core/example/{example,feature}.proto``.
"""

from __future__ import annotations

import gzip
import struct
from functools import cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from sluice.errors import SluiceError
from sluice.examples.formats import arrow
from sluice.examples.inference import MOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    import pyarrow as pa

    from sluice.examples.formats import Reading
    from sluice.examples.formats.filesystem import Files
    from sluice.examples.source import Source

    Record = dict[str, tuple[str, list[Any]]]

NUMBERS = {"int64_list", "float_list"}
LISTS = {"bytes_list": ("BytesList", 12), "float_list": ("FloatList", 2), "int64_list": ("Int64List", 3)}


class TFRecord:
    """TFRecord of tf.Example."""

    suffixes = (".tfrecord", ".tfrecords")

    def open(self, database: duckdb.DuckDBPyConnection, source: Source, files: Files) -> Reading:
        """A part for each set of features among the files."""
        del source
        return arrow.read(database, files, Examples, "TFRecord")


class Examples:
    """One open file: its columns are the features of its first records.

    Args:
        file: the records.
        where: its name; ``.gz`` where it is compressed.

    Raises:
        SluiceError: a frame that is cut or damaged.
    """

    def __init__(self, file: BinaryIO, where: str) -> None:
        import pyarrow as pa

        self._where, self._rows = where, _rows(file, where)
        self._held = list(_first(self._rows))
        kinds: dict[str, set[str]] = {}
        several: set[str] = set()
        for row in self._held:
            for name, (kind, values) in row.items():
                kinds.setdefault(name, set()).update([kind] if kind else [])
                if len(values) > 1:
                    several.add(name)
        self.schema = pa.schema(
            {
                name: _type(kind, listed=name in several)
                for name, kind in sorted(kinds.items())
                if len(kind - NUMBERS) <= 1 and not (kind & NUMBERS and kind - NUMBERS)
            }
        )
        self.left_out = {
            name: " or ".join(sorted(kind)) for name, kind in kinds.items() if name not in self.schema.names
        }
        self._takes: dict[str, tuple[set[str], bool]] = {name: (set(LISTS), True) for name in self.left_out}
        for item in self.schema:
            listed = pa.types.is_list(item.type)
            self._takes[item.name] = (_takes(item.type.value_type if listed else item.type), listed)

    def batches(self) -> arrow.Batches:
        """Its rows; a feature without a value is missing."""
        import pyarrow as pa

        number, rows = 0, chain(self._held, self._rows)
        self._held = []
        size = arrow.batch_rows(len(self.schema))
        while held := list(islice(rows, size)):
            for row in held:
                number += 1
                self._check(row, number)
            yield pa.RecordBatch.from_arrays([self._column(item, held) for item in self.schema], schema=self.schema)

    def _check(self, row: Record, number: int) -> None:
        for name, (kind, values) in row.items():
            takes, listed = self._takes.get(name, (None, False))
            if takes is None:
                what = f"feature {name!r} is not in the first records"
            elif kind and len(values) > 1 and not listed:
                what = f"feature {name!r} has {len(values)} values, and one in the first records"
            elif kind and kind not in takes:
                what = f"feature {name!r} is a {kind}, and another in the first records"
            else:
                continue
            raise SluiceError(what, where=f"{self._where}, record {number}", remedy="write every feature in one way")

    def _column(self, item: pa.Field, rows: list[Record]) -> pa.Array:
        import pyarrow as pa

        empty: tuple[str, list[Any]] = ("", [])
        found = [row.get(item.name, empty)[1] for row in rows]
        if pa.types.is_list(item.type):
            return pa.array(found, item.type)
        return pa.array([values[0] if values else None for values in found], item.type)


def _first(rows: Iterator[Record]) -> Iterator[Record]:
    """The rows that show what features there are: fewer of wider ones."""
    cells = 0
    for row in islice(rows, MOST):
        yield row
        cells += len(row)
        if cells >= arrow.CELLS:
            return


def begins(head: bytes) -> bool:
    """Whether a file's first bytes are a record's length and its checksum."""
    return len(head) >= 12 and _sound(head[:8], head[8:12])


def _type(kinds: set[str], *, listed: bool) -> pa.DataType:
    import pyarrow as pa

    plain = {"bytes_list": pa.binary(), "int64_list": pa.int64(), "float_list": pa.float32()}
    made = pa.null() if not kinds else pa.float64() if len(kinds) > 1 else plain[next(iter(kinds))]
    return pa.list_(made) if listed else made


def _takes(kind: pa.DataType) -> set[str]:
    import pyarrow as pa

    if pa.types.is_floating(kind):
        return {"float_list"} if pa.types.is_float32(kind) else NUMBERS
    return {"bytes_list"} if pa.types.is_binary(kind) else {"int64_list"} if pa.types.is_int64(kind) else set()


def _rows(file: BinaryIO, where: str) -> Iterator[Record]:
    for payload in frames(file, where):
        features = message("Example").FromString(payload).features.feature
        yield {name: (kind, list(getattr(feature, kind).value) if kind else [])
               for name, feature in features.items() for kind in [feature.WhichOneof("kind") or ""]}  # fmt: skip


def frames(file: BinaryIO, where: str) -> Iterator[bytes]:
    """The records' bytes, each held against its checksum."""
    with gzip.open(file) if where.endswith(".gz") else file as handle:
        number = 0
        while head := handle.read(12):
            number += 1
            length = struct.unpack("<Q", head[:8])[0] if len(head) == 12 and _sound(head[:8], head[8:]) else None
            body = handle.read(length + 4) if length is not None else b""
            if length is None or len(body) != length + 4 or not _sound(body[:-4], body[-4:]):
                raise SluiceError(f"record {number} is cut or damaged", where=where, remedy="write the file anew")
            yield body[:-4]


def masked(data: bytes) -> int:
    """TFRecord's masked CRC32C."""
    import google_crc32c

    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _sound(data: bytes, checksum: bytes) -> bool:
    return struct.pack("<I", masked(data)) == checksum


@cache
def message(name: str) -> Any:
    """The class of a message of ``tensorflow.Example``'s file, made from its descriptor."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="sluice/example.proto", package="tensorflow", syntax="proto3")

    def add(parent: Any, field: str, number: int, kind: int, of: str = "", repeated: bool = False) -> Any:
        made = parent.field.add(
            name=field, number=number, type=cast("Any", kind), label=cast("Any", 3 if repeated else 1)
        )
        if of:
            made.type_name = f".tensorflow.{of}"
        return made

    for list_name, kind in LISTS.values():
        add(file.message_type.add(name=list_name), "value", 1, kind, repeated=True)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (field, (list_name, _)) in enumerate(LISTS.items(), 1):
        add(feature, field, number, 11, list_name).oneof_index = 0
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    add(entry, "key", 1, 9)
    add(entry, "value", 2, 11, "Feature")
    add(features, "feature", 1, 11, "Features.FeatureEntry", repeated=True)
    add(file.message_type.add(name="Example"), "features", 1, 11, "Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tensorflow.{name}"))

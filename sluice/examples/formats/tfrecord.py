"""TFRecord of tf.Example without TensorFlow: frames of length, checksum and bytes; each a message of tf.Example.

The layout is that of ``tensorflow/core/lib/io/record_writer.h``: a little-endian uint64 length, its masked CRC32C, the
bytes, their masked CRC32C. The message's descriptor is ``tensorflow/core/example/{example,feature}.proto``.
"""

from __future__ import annotations

import gzip
import struct
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from sluice.errors import SluiceError

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTS = {"bytes_list": ("BytesList", 12), "float_list": ("FloatList", 2), "int64_list": ("Int64List", 3)}


def rows(file: BinaryIO, where: str) -> Iterator[dict[str, Any]]:
    """Each example as name to its one value; None where it has none.

    Args:
        file: the records.
        where: its name; ``.gz`` where it is compressed.

    Raises:
        SluiceError: a frame that is cut or damaged, a feature of several values, or bytes that are not text.
    """
    for number, payload in enumerate(frames(file, where), 1):
        example = message("Example").FromString(payload)
        yield {
            name: _value(feature, name, f"{where}, record {number}")
            for name, feature in example.features.feature.items()
        }


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


def _value(feature: Any, name: str, where: str) -> Any:
    kind = feature.WhichOneof("kind")
    values = getattr(feature, kind).value if kind else []
    if len(values) > 1:
        raise SluiceError(
            f"feature {name!r} has {len(values)} values", where=where, remedy="examples hold one a column"
        )
    if not values:
        return None
    if kind != "bytes_list":
        return values[0]
    try:
        return values[0].decode()
    except UnicodeDecodeError as error:
        raise SluiceError(f"feature {name!r} is not text in UTF-8", where=where, remedy="leave it out") from error


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

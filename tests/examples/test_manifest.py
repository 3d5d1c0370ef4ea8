"""The manifest names its bytes: parts that were changed, swapped, added or removed, and an edited manifest, are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sluice import digest
from sluice.errors import SluiceError
from sluice.examples.dataset import Examples
from sluice.examples.ingest import ingest
from sluice.examples.manifest import MANIFEST_1, Manifest
from sluice.examples.source import Quarantine, Source
from sluice.examples.split import Split
from sluice.parts import Part
from sluice.stored import NewerFormatError
from tests import made

FROZEN = Path(__file__).parents[1] / "compatibility" / "f727216" / "run" / "ingest" / "examples"
PART = "part-00000.parquet"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    table = pa.table({"x": list(range(100)), "label": [i % 2 for i in range(100)]})
    return made.examples(tmp_path / "examples", table, every=2).folder


def change(folder: Path) -> None:
    """One value, in a file of the same size."""
    content = bytearray((folder / "train" / PART).read_bytes())
    content[20] ^= 1
    (folder / "train" / PART).write_bytes(content)


def swap(folder: Path) -> None:
    one, other = folder / "train" / PART, folder / "eval" / PART
    moved = one.rename(folder / "moved")
    other.rename(one)
    moved.rename(other)


def add(folder: Path) -> None:
    shutil.copy(folder / "train" / PART, folder / "train" / "part-00001.parquet")


def remove(folder: Path) -> None:
    (folder / "train" / PART).unlink()


def replace(folder: Path) -> None:
    """By fewer rows."""
    pq.write_table(pq.read_table(folder / "train" / PART).slice(1), folder / "train" / PART)


@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        (change, r"train/part-00000\.parquet was changed after it was written: sha256:\w+ expected, sha256:\w+ found"),
        (swap, r"train/part-00000\.parquet was changed after it was written: .* expected, .* found"),
        (replace, r"train/part-00000\.parquet was changed after it was written: .* expected, .* found"),
        (add, r"train/part-00001\.parquet is not listed: it was added after the artifact was written"),
        (remove, r"train/part-00000\.parquet is missing: it was removed after the artifact was written"),
    ],
)
def test_a_part_that_is_not_what_was_written(folder: Path, tamper: Callable[[Path], None], message: str) -> None:
    tamper(folder)
    for read in (Examples.files, Examples.table, Examples.judged, lambda held, split: next(held.batches(split))):
        with pytest.raises(SluiceError, match=message) as error:
            read(Examples.load(folder), "train")  # type: ignore[operator]
        assert "run ingest again" in error.value.remedy


def test_a_part_is_checked_once_before_its_first_row(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = list[str]()
    of_file = digest.of_file
    monkeypatch.setattr(digest, "of_file", lambda path: (hashed.append(path.parent.name), of_file(path))[1])
    held = Examples.load(folder)
    batches = held.batches("train")
    assert hashed == [], "nothing is read yet"
    next(batches)
    held.table("train")
    held.files("train")
    assert hashed == ["train"]


def test_rows_that_the_manifest_does_not_name(folder: Path) -> None:
    manifest = Manifest.load(folder)
    facts = manifest.splits["train"]
    part = facts.parts[0].model_copy(update={"rows": 51})
    splits = {**manifest.splits, "train": facts.model_copy(update={"parts": (part,)})}
    manifest.model_copy(update={"splits": splits}).save(folder)
    with pytest.raises(SluiceError, match="51 rows expected, 50 found"):
        Examples.load(folder).table("train")


@pytest.mark.parametrize(
    ("path", "value"),
    [("rows_in", 99), ("columns.x", "string"), ("splits.train.rows", 49), ("split", {"keys": ["x"]}), ("duplicates", 7), ("digest", "sha256:0"),
     ("splits.train.parts", [])],
)  # fmt: skip
def test_an_edited_manifest_is_refused(folder: Path, path: str, value: object) -> None:
    plain = json.loads((folder / "examples.json").read_text())
    *parents, last = path.split(".")
    inner = plain
    for key in parents:
        inner = inner[key]
    assert inner[last] != value
    inner[last] = value
    (folder / "examples.json").write_text(json.dumps(plain))
    with pytest.raises(SluiceError, match="the manifest was edited: its content has the digest sha256:"):
        Manifest.load(folder)


def test_spaces_and_the_order_of_keys_are_no_edit_and_unknown_fields_count(folder: Path) -> None:
    plain = json.loads((folder / "examples.json").read_text())
    (folder / "examples.json").write_text(json.dumps(dict(reversed(plain.items()))))
    assert Manifest.load(folder).digest == plain["digest"]
    plain["of_a_later_release"] = 1
    plain["digest"] = digest.of_json({key: value for key, value in plain.items() if key != "digest"})
    (folder / "examples.json").write_text(json.dumps(plain))
    assert Manifest.load(folder).digest == plain["digest"], "it does not depend on the fields that this release knows"


def test_a_newer_format_names_the_release_that_wrote_it(folder: Path) -> None:
    plain = json.loads((folder / "examples.json").read_text())
    (folder / "examples.json").write_text(json.dumps({**plain, "format": 3, "release": "9.9"}))
    with pytest.raises(NewerFormatError, match=r"format 3; this release reads up to format 2 \(written by sluice 9\.9"):
        Manifest.load(folder)


def test_what_is_no_manifest_is_told_in_words(folder: Path) -> None:
    for content in (
        "{",
        "[]",
        "{}",
        '{"format": 2}',
        '{"format": 1, "digest": "sha256:0", "parts": []}',
        '{"format": "x"}',
    ):
        (folder / "examples.json").write_text(content)
        with pytest.raises(SluiceError, match=r"examples\.json: "):
            Manifest.load(folder)


def test_parts_and_quarantined_files_are_listed(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("id,x\n" + "".join(f"{i},{i}\n" for i in range(200)) + "200,?\n")
    source = Source.model_validate({"uri": str(tmp_path / "d.csv"), "types": {"x": "int64"}})
    source = source.model_copy(update={"quarantine": Quarantine(max_rows=5, max_fraction=0.5)})
    manifest = ingest(source, Split(), "", tmp_path / "out")
    (part,) = manifest.splits["train"].parts
    file = tmp_path / "out" / part.name
    assert (part.digest, part.bytes) == (digest.of_file(file), file.stat().st_size)
    assert part.rows == manifest.splits["train"].rows == pq.read_metadata(file).num_rows
    (aside,) = manifest.quarantine
    assert (aside.name, aside.rows) == ("quarantine/part-00000.parquet", 1)
    assert aside.digest == digest.of_file(tmp_path / "out" / aside.name)
    judged = Examples.load(tmp_path / "out").judged("train")
    assert (judged.rows, judged.digest) == (part.rows, manifest.split_digest("train"))
    assert manifest.split_digest("train") != manifest.split_digest("eval")
    assert manifest.split_digest("no such") is None


def test_format_1_is_read_and_its_rows_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(FROZEN, tmp_path / "examples")
    held = Examples.load(tmp_path / "examples")
    assert "list no parts (format 1)" in capsys.readouterr().err
    assert held.manifest.digest == json.loads((FROZEN / "examples.json").read_text())["digest"]
    assert (held.manifest.content_id, held.manifest.split_digest("eval")) == (None, None)
    assert (held.table("train").num_rows, held.table("eval").num_rows, held.judged("eval").rows) == (3211, 789, 789)
    change_rows = Examples.load(tmp_path / "examples")
    add(tmp_path / "examples")
    with pytest.raises(SluiceError, match="3,211 rows expected, 6,422 found"):
        change_rows.table("train")


def test_a_manifest_of_format_1_does_not_hide_other_bytes(folder: Path) -> None:
    """Who writes the manifest anew in the old format, under the same digest, is seen by the digest of the split."""
    held = Examples.load(folder)
    before = held.judged("train")
    table = pq.read_table(folder / "train" / PART)
    pq.write_table(
        table.set_column(0, "x", [[value + 1 for value in table.column("x").to_pylist()]]), folder / "train" / PART
    )
    plain = json.loads((folder / "examples.json").read_text())
    old = {key: value for key, value in plain.items() if key in MANIFEST_1}
    old["splits"] = {name: {"rows": s["rows"], "bytes": s["bytes"], "files": 1} for name, s in plain["splits"].items()}
    (folder / "examples.json").write_text(json.dumps({**old, "format": 1}))
    forged = Examples.load(folder)
    assert forged.manifest.digest == held.manifest.digest
    assert forged.judged("train") != before


def test_notes_say_what_is_not_in_the_splits_and_what_is_a_guess() -> None:
    told = Manifest(
        sources=[], columns={"a": "int64", "b": "timestamp[us]"}, inferred=["a", "b"], splits={}, split={}, rows_in=1200,
        quarantined=12, left_out=100, warnings=["b looks like phone numbers"],
        quarantine=(Part(name="quarantine/part-00000.parquet", digest="sha256:0", bytes=0, rows=12),),
    ).notes()  # fmt: skip
    assert told == [
        "12 of 1,200 rows could not be read as the columns' types, and are in quarantine/part-00000.parquet",
        "100 of 1,200 rows lie between the splits by time, and are in none",
        "b looks like phone numbers",
        "types inferred from text: a int64, b timestamp[us]",
    ]
    many = Manifest(
        sources=[], columns={f"c{i}": "int64" for i in range(30)}, inferred=[f"c{i}" for i in range(30)], splits={}, split={},
        rows_in=0,
    ).notes()  # fmt: skip
    assert many[0].endswith("c19 int64 and 10 more (examples.json lists them)")

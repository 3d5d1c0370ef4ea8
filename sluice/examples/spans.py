"""Spans: the numbered pieces in which data arrives, e.g. one a month."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sluice import storage
from sluice.errors import SluiceError

if TYPE_CHECKING:
    from sluice.examples.source import Source

PLACE = "{SPAN}"
_SPAN = re.compile(r"^(\d+)(?:-(\d+))?$")


def select(source: Source, span: str, last: str | None) -> str:
    """The span that a run reads, in explicit form.

    Args:
        source: the source; one without ``{SPAN}`` has no spans, and the answer is ``""``.
        span: ``4``; ``2-4``; ``latest``, the newest window; or ``next``, the window that ends one span after the
            one judged last.
        last: what was judged last, e.g. ``1-3``; None where nothing was: ``next`` is then the first window.

    Raises:
        SluiceError: the text is none of these, or the spans are not there; lists those found.
    """
    if PLACE not in source.uri:
        return ""
    found = sorted(available(source))
    listed = f"found: {_listed(found)}"
    if not found:
        raise SluiceError("no span found", where=source.uri, remedy="check the path; {SPAN} stands for a number")
    if span == "latest":
        first, end = found[-1] - source.window + 1, found[-1]
    elif span == "next":
        newest = parse(last)[1] if last else found[0] + source.window - 2
        first, end = newest - source.window + 2, newest + 1
        if end > found[-1]:
            raise SluiceError(f"no span after {newest}, which was judged last", where=source.uri,
                              remedy=f"{listed}; name one with --span to judge it again")  # fmt: skip
    else:
        first, end = parse(span)
    if span in ("latest", "next"):
        first = max(first, found[0])  # the first windows are shorter
    if missing := [number for number in range(first, end + 1) if number not in found]:
        raise SluiceError(f"span {_listed(missing)} is missing", where=source.uri, remedy=listed)
    return str(end) if first == end else f"{first}-{end}"


def parse(span: str) -> tuple[int, int]:
    """``2-4`` to (2, 4), ``4`` to (4, 4).

    Raises:
        SluiceError: it is not a span.
    """
    match = _SPAN.match(span)
    if not match or (match[2] and int(match[2]) < int(match[1])):
        raise SluiceError(f"{span!r} is not a span", where="span", remedy="write 4, 2-4, latest or next")
    return int(match[1]), int(match[2] or match[1])


def available(source: Source) -> dict[int, str]:
    """Span number to the file (or glob) that holds it, of all that are there."""
    folder, pattern = _folder_and_pattern(source.uri)
    head, _, tail = pattern.partition(PLACE)
    matcher = re.compile(f"^{_regex(head)}(\\d+){_regex(tail)}$")
    found: dict[int, str] = {}
    for key in _keys(folder):
        if match := matcher.match(key):
            found[int(match[1])] = source.uri.replace(PLACE, match[1])
    return found


def uris(source: Source, span: str) -> list[str]:
    """The files (or globs) of a span in explicit form; the source's own URI where it has no spans.

    Raises:
        SluiceError: the span is not there.
    """
    if PLACE not in source.uri:
        return [source.uri]
    first, end = parse(select(source, span, None))
    found = available(source)
    return [found[number] for number in range(first, end + 1)]


def _folder_and_pattern(uri: str) -> tuple[str, str]:
    """Split a URI at the last folder that holds no place-holder and no glob."""
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


def _regex(text: str) -> str:
    return re.escape(text).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")


def _listed(numbers: list[int]) -> str:
    """``[1, 2, 3, 7]`` as ``1-3, 7``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)

"""What people read is cut between words, and says that it was cut."""

from __future__ import annotations

import pytest

from sluice.errors import shorten


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("the disk is full", 20, "the disk is full"),
        ("the disk is full", 16, "the disk is full"),
        ("the disk is full of data", 16, "the disk is..."),
        ("the disk is full of data", 15, "the disk is..."),
        ("0123456789" * 5, 20, "01234567890123456..."),
        ("a 0123456789012345678901234567890", 20, "a 012345678901234..."),
        ("  spaces  ", 6, "spaces"),
    ],
)
def test_shorten(text: str, width: int, shown: str) -> None:
    assert shorten(text, width) == shown
    assert len(shorten(text, width)) <= width

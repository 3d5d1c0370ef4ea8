"""The transformed examples' manifest, ``transformed.json``: what they were made of, and their arrays."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic looks annotations up
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from sluice import digest, parts
from sluice.errors import SluiceError
from sluice.models.manifest import Task  # noqa: TC001
from sluice.parts import Part
from sluice.progress import progress
from sluice.stored import Stored

if TYPE_CHECKING:
    from sluice.examples.dataset import Examples

FACTS_FILE = "transformed.json"
FACTS_1 = frozenset(("task", "classes", "label", "examples", "splits"))
"""The fields of ``transformed.json`` of format 1."""
REMEDY = "run transform again, and the steps after it"


class TransformedSplit(BaseModel):
    """One split of transformed examples.

    Attributes:
        rows: rows of each array.
        examples: digest of the split's parts in the raw examples; empty in format 1.
        arrays: its files; none are listed in format 1.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    rows: int
    examples: str = ""
    arrays: tuple[Part, ...] = ()


class Transformed(Stored):
    """What an artifact of transformed examples holds.

    Attributes:
        format: of ``transformed.json``; 1 named the examples alone, and listed no arrays.
        release: the sluice release that wrote it.
        task: what a model is to predict.
        classes: the label's values as text, in the order of their numbers; none for a regression.
        label: the label's column.
        examples: digest of the raw examples.
        splits: split name to its facts.
        preprocessing: digest of the preprocessing that made them; None in format 1, as are those that follow.
        statistics: digest of the statistics that it was set from.
        schema_digest: digest of their schema.
    """

    WHAT: ClassVar[str] = "the transformed examples' manifest"
    INDENT: ClassVar[bool] = True

    format: int = 2
    task: Task
    classes: list[str]
    label: str
    examples: str
    splits: dict[str, TransformedSplit]
    preprocessing: str | None = None
    statistics: str | None = None
    schema_digest: str | None = None

    @classmethod
    def upgrade(cls, content: dict[str, Any], number: int) -> dict[str, Any]:
        """Format 1: rows by split, and no arrays."""
        if unknown := sorted(content.keys() - FACTS_1):
            raise ValueError(f"not in format {number}: {', '.join(unknown)}")
        return {**content, "release": "", "splits": {name: {"rows": rows} for name, rows in content["splits"].items()}}

    def tree_digest(self, folder: Path) -> str:
        """Digest of the artifact, as `digest.of_tree` has it, by what is listed: the arrays are hashed where they are checked.

        Args:
            folder: of the transformed examples; in format 1, which lists no arrays, they are hashed here.
        """
        if self.format == 1:
            return digest.of_tree(folder)
        listed = {part.name: part.digest for split in self.splits.values() for part in split.arrays}
        return digest.of_names({**listed, FACTS_FILE: self.digest})

    def lineage(self, folder: Path) -> dict[str, Any]:
        """Artifact to its digest, for what a model is trained on: these transformed examples, and what they were made of.

        Args:
            folder: of the transformed examples.
        """
        return {"examples": self.examples, "transformed": self.tree_digest(folder), "preprocessing": self.preprocessing,
                "statistics": self.statistics, "schema": self.schema_digest}  # fmt: skip

    def save(self, folder: Path) -> None:
        """Write ``transformed.json``."""
        (folder / FACTS_FILE).write_bytes(self.to_bytes())

    @classmethod
    def load(cls, folder: Path) -> Transformed:
        """Read ``transformed.json``.

        Raises:
            NewerFormatError: a later release wrote it.
            SluiceError: the folder holds no transformed examples.
        """
        if not (folder / FACTS_FILE).is_file():
            raise SluiceError(f"no transformed examples here: {FACTS_FILE} is missing", where=str(folder),
                              remedy="give the folder that transform wrote, or run transform again if it was interrupted")  # fmt: skip
        return cls.read(folder / FACTS_FILE, REMEDY)

    def check(self, folder: Path, examples: Examples, preprocessing: Path) -> None:
        """They are of these examples and this preprocessing, and the arrays are those that transform wrote.

        Args:
            folder: of the transformed examples.
            examples: the raw examples given.
            preprocessing: folder of the preprocessing given.

        Raises:
            SluiceError: they are of others, or an array was changed, swapped, added or removed.
        """
        where = str(folder)
        if self.examples != examples.manifest.digest:
            raise SluiceError(f"the transformed examples were made of other examples: {self.examples} expected, "
                              f"{examples.manifest.digest} found", where=where, remedy="run transform again on the examples given here")  # fmt: skip
        if self.format == 1:
            if examples.manifest.format > 1:
                raise SluiceError(f"{FACTS_FILE} lists no arrays (format 1), and the examples are of a later format", where=where,
                                  remedy=REMEDY)  # fmt: skip
            progress("these transformed examples list no arrays (format 1): their bytes cannot be checked")
            return
        seen = {name: examples.listed(name).digest for name in examples.manifest.splits}
        if {name: split.examples for name, split in self.splits.items()} != seen:
            raise SluiceError("the transformed examples were made of other rows than the examples hold", where=where,
                              remedy="run transform again on the examples given here")  # fmt: skip
        if (found := digest.of_tree(preprocessing)) != self.preprocessing:
            raise SluiceError(f"another preprocessing made the transformed examples: {self.preprocessing} expected, {found} found",
                              where=str(preprocessing), remedy=REMEDY)  # fmt: skip
        listed = [part for split in self.splits.values() for part in split.arrays]
        parts.check_names(folder, listed, folder.rglob("*.npy"), REMEDY)
        for part in listed:
            parts.check(folder, part, REMEDY)

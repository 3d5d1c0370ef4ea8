"""Personal data: columns whose values look like it, found in a sample of the rows by Presidio's recognisers.

E-mail addresses, phone and card numbers, bank accounts and national identifiers are found by their form and their
check digits; names by a spaCy model, where one is named, and by the column's own name. A sample can miss what is rare.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from heapq import heappush, heappushpop
from importlib.util import find_spec
from itertools import count
from typing import TYPE_CHECKING, Any

from sluice.errors import SluiceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from sluice.examples.source import Pii

SAMPLE = 400
SCORE = 0.4  # Presidio's score of what has the form, but no check digit
NAMED = re.compile(r"(^|_)(first|last|full|given|family|sur|maiden)_?name$", re.I)
LOOKED_FOR = {
    "EMAIL_ADDRESS": "e-mail addresses", "PHONE_NUMBER": "phone numbers", "CREDIT_CARD": "card numbers", "IBAN_CODE": "bank accounts",
    "US_SSN": "US social security numbers", "US_ITIN": "US taxpayer numbers", "UK_NHS": "UK NHS numbers", "ES_NIF": "Spanish NIFs",
    "IT_FISCAL_CODE": "Italian fiscal codes", "PL_PESEL": "Polish PESELs", "FI_PERSONAL_IDENTITY_CODE": "Finnish identity codes",
    "IN_AADHAAR": "Indian Aadhaar numbers", "IN_PAN": "Indian PANs", "AU_TFN": "Australian tax file numbers", "SG_NRIC_FIN": "Singapore NRICs",
    "PERSON": "names of people",
}  # fmt: skip
CHECKED = {"CREDIT_CARD", "UK_NHS", "IN_AADHAAR", "AU_TFN", "PL_PESEL"}
"""What a whole number may be: it has check digits, so that chance does not make one out of any number."""


class Scan:
    """A look for personal data in the rows of a stream.

    Args:
        policy: what to do about it.
        columns: column to Arrow type; texts and whole numbers are looked at.

    Raises:
        SluiceError: Presidio, or the model named, is not installed.
    """

    def __init__(self, policy: Pii, columns: dict[str, str]) -> None:
        self._policy = policy
        self._columns = {
            column: kind for column, kind in columns.items()
            if policy.action != "off" and kind in ("string", "int64") and column not in policy.allow
        }  # fmt: skip
        self._kept: list[tuple[int, int, tuple[Any, ...]]] = []
        self._order = count()
        self._recognisers = _recognisers(policy.model) if self._columns else []

    def see(self, batch: pa.RecordBatch, hashes: pa.Array) -> None:
        """Keep the rows with the lowest hashes: a sample that is the same whatever the order of rows."""
        if not self._columns:
            return
        import pyarrow.compute as pc

        lowest = pc.bottom_k_unstable(hashes, SAMPLE)
        rows = batch.select(list(self._columns)).take(lowest).to_pylist()
        for value, row in zip(hashes.take(lowest).to_pylist(), rows, strict=True):
            item = (-value, next(self._order), tuple(row.values()))
            if len(self._kept) < SAMPLE:
                heappush(self._kept, item)
            elif item[0] > self._kept[0][0]:
                heappushpop(self._kept, item)

    def close(self) -> list[str]:
        """A sentence for each column that looks like personal data.

        Raises:
            SluiceError: there is one, and the policy refuses it.
        """
        found = []
        for index, (column, kind) in enumerate(self._columns.items()):
            values = {str(row[index]) for *_, row in self._kept if row[index] is not None}
            if told := self._told(column, kind, values):
                found.append(f"column {column!r} looks like {told}")
        if found and self._policy.action == "refuse":
            raise SluiceError("; ".join(found), where="source.pii",
                              remedy="leave such columns out of the source or make them unrecognisable; one that is none "
                                     "goes into source.pii.allow")  # fmt: skip
        return found

    def _told(self, column: str, kind: str, values: set[str]) -> str:
        if kind == "string" and NAMED.search(column):
            return f"{LOOKED_FOR['PERSON']}, by its own name"
        seen = Counter(entity for value in values for entity in self._entities(value, kind))
        entity, times = max(seen.items(), key=lambda item: (item[1], item[0]), default=("", 0))
        if not times or times < self._policy.share * len(values):
            return ""
        return f"{LOOKED_FOR[entity]}, {times} of {len(values)} values"

    def _entities(self, value: str, kind: str) -> set[str]:
        found = set()
        for recogniser, entities in self._recognisers:
            for result in recogniser(value, entities):
                plausible = result in CHECKED if kind == "int64" else True
                if plausible and not (result == "PERSON" and any(map(str.isdigit, value))):
                    found.add(result)
        return found


def _recognisers(model: str) -> list[tuple[Any, list[str]]]:
    """What finds entities in a text, with the entities that it finds."""
    if not find_spec("presidio_analyzer"):
        raise SluiceError("the scan for personal data needs Presidio", where="source.pii",
                          remedy="install kfp-sluice[pii], or set source.pii.action to off")  # fmt: skip
    import tldextract
    from presidio_analyzer import RecognizerRegistry

    # Its list of top-level domains is the one that it ships: nothing is fetched.
    setattr(tldextract, "extract", tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None))  # noqa: B010 - it is typed as a function
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en", "es", "it", "pl", "fi"])
    made = []
    for recogniser in registry.recognizers:
        entities = [entity for entity in recogniser.supported_entities if entity in LOOKED_FOR and entity != "PERSON"]
        if entities:
            made.append((_by_form(recogniser), entities))
    return [*made, (_by_model(model), ["PERSON"])] if model else made


def _by_form(recogniser: Any) -> Any:
    def find(value: str, entities: list[str]) -> Iterable[str]:
        return [found.entity_type for found in recogniser.analyze(value, entities, None) or [] if found.score >= SCORE]

    return find


def _by_model(name: str) -> Any:
    if not find_spec(name):
        raise SluiceError(f"the spaCy model {name!r} is not installed", where="source.pii.model",
                          remedy="install its package where ingest runs, or leave it out")  # fmt: skip
    import spacy

    model = spacy.load(name)

    def find(value: str, entities: list[str]) -> Iterable[str]:
        return [entity.label_ for entity in model(value).ents if entity.label_ in entities]

    return find

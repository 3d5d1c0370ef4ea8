"""Push: whatever the graph around it says, only what three verdicts blessed is published.

Steps, in order: check the verdicts, stage the model (its digest is taken of what is copied), keep the evidence, append
the entry (the commit point), publish, remove what is no longer kept. Cut off before the entry, nothing has happened;
cut off after it, the next run publishes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sluice import digest
from sluice.errors import SluiceError
from sluice.examples.split import EVAL
from sluice.gates.verdict import CHAMPION_STATISTICS, JudgedRows, Verdict
from sluice.models.manifest import ModelManifest
from sluice.progress import progress
from sluice.promotion import approved_policies, signature
from sluice.promotion.ledger import Entry, Kind, Ledger, OutrunError
from sluice.promotion.notes import notes
from sluice.promotion.policy import PushPolicy
from sluice.promotion.publish import publish, repair, retain, staged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sluice.examples.manifest import Manifest
    from sluice.promotion.approved_policies import Policies

GATES = ("data", "model", "service")
IMAGE = "SLUICE_IMAGE"
"""Environment variable that names the image a step runs in; every compiled step has it."""


def push(
    *, model: Path, statistics: Path, schema: Path, verdicts: dict[str, Path], policies: dict[str, dict[str, Any]],
    examples: Manifest, destinations: Sequence[str], ledger: str, run: dict[str, Any], objections: Sequence[str] = (),
) -> Entry:  # fmt: skip
    """Check the three verdicts again, publish the model, and append to the ledger.

    Args:
        model: folder of the candidate.
        statistics: folder of the statistics it was trained on.
        schema: folder of their schema.
        verdicts: gate to the folder of its verdict.
        policies: gate (and ``push``) to its policy as the use case has it.
        examples: the manifest of the examples it was trained on.
        destinations: URIs under which versions are published.
        ledger: URI of the ledger.
        run: for the record: ``use_case``, ``span``, ``run`` (a `RunReference`), and ``facts`` (who, commit, ...).
        objections: reasons against it that were found on the way here.

    Returns:
        The entry: promoted; refused, with the reasons; or withdrawn, where a destination failed.

    Raises:
        SluiceError: a store or a destination fails; says what was done by then.
    """
    book = Ledger.at(ledger)
    champion = repair(book, destinations)
    progress("checking the three verdicts")
    given = approved_policies.read(policies)
    judged, unreadable = _load(verdicts)
    reasons = [*objections, *unreadable]
    subjects = {"examples": examples.digest, "statistics": digest.of_tree(statistics), "schema": digest.of_tree(schema)}
    reasons += _objections(judged, given, subjects, champion)
    reasons += _other_rows(judged, examples)
    reasons += approved_policies.objections(book, given)
    reasons += _lineage(model, examples)
    reasons += _unsigned(model, verdicts, PushPolicy.model_validate(given.applied["push"]))
    record: dict[str, Any] = {
        **run, "facts": {**run.get("facts", {}), **_images(judged)}, "destinations": tuple(destinations),
        "verdicts": {gate: verdict.digest for gate, verdict in judged.items()}, "policies": given.digests,
        "notes": notes(judged.values()),
    }  # fmt: skip
    kept = {f"verdict-{gate}": book.keep(verdicts[gate]) for gate in judged}
    case = _Case(book, champion, judged, record, kept)
    if reasons:
        found = digest.of_tree(model)
        return case.refused([*reasons, *_other_model(judged, found, champion)], found)
    entry = case.committed(model, statistics, schema, given)
    if entry.kind is Kind.PROMOTED:
        entry = publish(book, entry, previous=champion)
    if entry.kind is Kind.PROMOTED:
        retain(book, entry, given.applied["push"]["keep"])
    return entry


@dataclass(frozen=True)
class _Case:
    """What is decided on.

    Attributes:
        book: the ledger.
        champion: the champion that the push rests on.
        judged: gate to its verdict.
        record: what every entry about it holds.
        kept: names of the evidence kept so far to their digests.
    """

    book: Ledger
    champion: Entry | None
    judged: dict[str, Verdict]
    record: dict[str, Any]
    kept: dict[str, str]

    def refused(self, why: list[str], model: str) -> Entry:
        """Put on record that a model of this digest is refused."""
        return self.book.append(Kind.REFUSED, **self.record, model=model, evidence=self.kept, reasons=tuple(why))

    def committed(self, model: Path, statistics: Path, schema: Path, policies: Policies) -> Entry:
        """Stage the model and promote it; what was staged has to be what was judged, and the champion the same still."""
        book, champion = self.book, self.champion
        try:
            with staged(book, model, self.record["destinations"], champion) as here:
                if swapped := _other_model(self.judged, here.digest, champion):
                    here.discard()
                    return self.refused(swapped, here.digest)
                evidence = {
                    **self.kept, "statistics": book.keep(statistics), "schema": book.keep(schema),
                    "policies": approved_policies.keep(book, policies),
                }  # fmt: skip
                return book.append(
                    Kind.PROMOTED, after=champion, staged=here.name, model=here.digest, **self.record, evidence=evidence,
                    reasons=tuple(_praise(self.judged)),
                )  # fmt: skip
        except (OutrunError, FileNotFoundError) as error:
            outrun = OutrunError(book.champion())
            if not isinstance(error, OutrunError) and book.champion() == champion:
                raise  # what was staged is gone, and no faster run has swept it
            return self.refused([f"{outrun.what}; {outrun.remedy}"], self.judged["model"].subjects["model"])


def _images(judged: dict[str, Verdict]) -> dict[str, str]:
    """The images of this step and of the gates that name theirs."""
    own = {"image": image} if (image := os.environ.get(IMAGE)) else {}
    return own | {
        f"image-{gate}": str(found) for gate, verdict in judged.items() if (found := verdict.evidence.get("image"))
    }


def _load(folders: dict[str, Path]) -> tuple[dict[str, Verdict], list[str]]:
    """The verdicts that can be read, and why the others cannot."""
    judged, reasons = {}, []
    for gate in GATES:
        try:
            judged[gate] = Verdict.load(folders[gate])
        except KeyError:
            reasons.append(f"there is no verdict of the {gate} gate")
        except SluiceError as error:
            reasons.append(f"the verdict of the {gate} gate: {error.what}")
    return judged, reasons


def _objections(
    judged: dict[str, Verdict], policies: Policies, subjects: dict[str, str], champion: Entry | None
) -> list[str]:
    """Why these verdicts do not bless what is given, but for the model's own digest."""
    found = []
    for gate, verdict in judged.items():
        if verdict.gate != gate:
            found.append(f"the verdict given for the {gate} gate is one of the {verdict.gate} gate")
            continue
        if not verdict.blessed:
            found.append(
                f"the {gate} gate says {verdict.status}: " + "; ".join(r.sentence for r in verdict.reasons if r.closes)
            )
        for name in JUDGED[gate]:
            if name in subjects and verdict.subjects.get(name) != subjects[name]:
                found.append(_swapped(gate, name))
        if not approved_policies.same(gate, verdict.policy, policies.applied[gate]):
            found.append(f"the {gate} gate judged by another policy than the use case has")
    if "model" in judged and judged["model"].baseline != (champion.version if champion else None):
        found.append(f"the model was judged against {_named(judged['model'].baseline)}, and the champion is now "
                     f"{_named(champion.version if champion else None)}: run the pipeline again")  # fmt: skip
    compared = judged["model"].subjects.get(CHAMPION_STATISTICS) if "model" in judged else None
    if champion and compared not in (None, champion.evidence.get("statistics")):
        found.append(
            "the model gate counted the rows that the champion was trained on by other statistics than the champion's"
        )
    return found


def _other_model(judged: dict[str, Verdict], model: str, champion: Entry | None) -> list[str]:
    """Why the verdicts do not bless the model of this digest."""
    found = [_swapped(gate, "model") for gate, verdict in judged.items()
             if "model" in JUDGED[gate] and verdict.gate == gate and verdict.subjects.get("model") != model]  # fmt: skip
    if champion and champion.model == model:
        found.append(f"the model is the champion, version {champion.version}: there is nothing to push")
    return found


JUDGED = {"data": ("examples", "statistics", "schema"), "model": ("model", "examples"), "service": ("model",)}
"""What each gate judges."""


def _other_rows(judged: dict[str, Verdict], examples: Manifest) -> Iterator[str]:
    """Why the verdicts are not about the rows that they have to be about: all splits, and the evaluation split."""
    if examples.format == 1:
        yield "the examples are of an earlier release and list no parts, which cannot be checked: run the pipeline again"
        return
    for gate, asked in {"data": tuple(examples.splits), "model": (EVAL,)}.items():
        verdict = judged.get(gate)
        if verdict is None or verdict.gate != gate:
            continue
        if verdict.format == 1:
            yield f"the verdict of the {gate} gate is of an earlier release and does not say which rows it judged: run the pipeline again"
        elif set(verdict.splits) != set(asked):
            yield (
                f"the {gate} gate judged the rows of {', '.join(sorted(verdict.splits)) or 'no split'}, "
                f"and a push asks for a verdict on {', '.join(sorted(asked))}"
            )
        else:
            for split in asked:
                facts = examples.splits.get(split)
                if facts is None or verdict.splits[split] != JudgedRows(rows=facts.rows, digest=facts.digest):
                    yield _swapped(gate, f"rows of {split}")


def _swapped(gate: str, name: str) -> str:
    return f"the {gate} gate judged other {name} than these: they were changed or swapped after its verdict"


def _unsigned(model: Path, verdicts: dict[str, Path], policy: PushPolicy) -> Iterator[str]:
    """Why the policy's signers do not vouch for the model and the verdicts."""
    if policy.signers:
        for name, folder in {
            "model": model,
            **{f"verdict of the {gate} gate": path for gate, path in verdicts.items()},
        }.items():
            if why := signature.objection(folder, policy.signers):
                yield f"the {name} {why}"


def _lineage(model: Path, examples: Manifest) -> Iterator[str]:
    """Why the model was not trained on these examples."""
    try:
        trained_on = ModelManifest.load(model).training.get("examples")
    except SluiceError as error:
        yield f"the model cannot be read: {error.what}"
        return
    if trained_on != examples.digest:
        yield "the model was trained on other examples than the data gate judged"


def _praise(judged: dict[str, Verdict]) -> Iterator[str]:
    for gate, verdict in judged.items():
        for waiver in verdict.evidence.get("waivers", []):
            yield f"{waiver['by']} waived {', '.join(waiver['rules'])} until {waiver['expires']}: {waiver['reason']}"
        against = f" against version {verdict.baseline}" if verdict.baseline else ""
        yield f"the {gate} gate blessed it{against}: {len(verdict.reasons)} rules" + (
            " (bootstrap)" if verdict.bootstrap else ""
        )


def _named(version: int | None) -> str:
    return f"version {version}" if version else "no champion"

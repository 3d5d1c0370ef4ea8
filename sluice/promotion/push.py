"""Push: whatever the graph around it says, only what three verdicts blessed is published.

Steps, in order: check, stage, keep the evidence, append the entry (the commit point), publish. Cut off before the
entry, nothing has happened; cut off after it, the next run publishes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice import digest
from sluice.errors import SluiceError
from sluice.gates.data.policy import DataPolicy
from sluice.gates.model.policy import ModelPolicy
from sluice.gates.service.policy import ServicePolicy
from sluice.gates.verdict import Verdict
from sluice.models.manifest import ModelManifest
from sluice.progress import progress
from sluice.promotion import destination as destinations
from sluice.promotion.ledger import Entry, Kind, Ledger, OutrunError
from sluice.promotion.resolve import repair

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sluice.examples.manifest import Manifest
    from sluice.gates.policy import Policy

GATES: dict[str, type[Policy]] = {"data": DataPolicy, "model": ModelPolicy, "service": ServicePolicy}


def push(
    *, model: Path, statistics: Path, schema: Path, verdicts: dict[str, Path], policies: dict[str, dict[str, Any]],
    examples: Manifest, destination: str, ledger: str, run: dict[str, str],
) -> Entry:  # fmt: skip
    """Check the three verdicts again, publish the model, and append to the ledger.

    Args:
        model: folder of the candidate.
        statistics: folder of the statistics it was trained on.
        schema: folder of their schema.
        verdicts: gate to the folder of its verdict.
        policies: gate to its policy as the use case has it.
        examples: the manifest of the examples it was trained on.
        destination: URI under which versions are published.
        ledger: URI of the ledger.
        run: facts for the record: ``use_case``, ``span``, ``run``.

    Returns:
        The entry: promoted, or refused with the reasons.
    """
    book = Ledger.at(ledger)
    champion = book.champion()
    repair(champion)
    progress("checking the three verdicts")
    judged, reasons = _load(verdicts)
    subjects = {
        "model": digest.of_tree(model), "examples": examples.digest,
        "statistics": digest.of_tree(statistics), "schema": digest.of_tree(schema),
    }  # fmt: skip
    reasons += _objections(judged, policies, subjects, champion)
    reasons += _lineage(model, examples)
    evidence = {f"verdict-{gate}": book.keep(verdicts[gate]) for gate in judged}
    record: dict[str, Any] = {
        **run, "model": subjects["model"], "destination": destination,
        "verdicts": {gate: verdict.digest for gate, verdict in judged.items()},
        "policies": {gate: verdict.policy_digest for gate, verdict in judged.items()},
    }  # fmt: skip
    if reasons:
        return book.append(Kind.REFUSED, **record, evidence=evidence, reasons=tuple(reasons))
    evidence |= {"statistics": book.keep(statistics), "schema": book.keep(schema)}
    progress("publishing")
    place = destinations.at(destination)
    staged = place.stage(model)
    try:
        entry = book.append(
            Kind.PROMOTED, after=champion, staged=staged, **record, evidence=evidence, reasons=tuple(_praise(judged))
        )
    except OutrunError as outrun:
        place.discard(staged)
        return book.append(Kind.REFUSED, **record, evidence=evidence, reasons=(f"{outrun.what}; {outrun.remedy}",))
    place.publish(staged, entry.number)
    return entry


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
    judged: dict[str, Verdict], policies: dict[str, dict[str, Any]], subjects: dict[str, str], champion: Entry | None
) -> list[str]:
    """Why these verdicts do not bless this model."""
    found = []
    for gate, verdict in judged.items():
        if verdict.gate != gate:
            found.append(f"the verdict given for the {gate} gate is one of the {verdict.gate} gate")
            continue
        if not verdict.blessed:
            found.append(
                f"the {gate} gate says {verdict.status}: " + "; ".join(r.sentence for r in verdict.reasons if r.closes)
            )
        for name in _judged_by(gate):
            if verdict.subjects.get(name) != subjects[name]:
                found.append(
                    f"the {gate} gate judged other {name} than these: they were changed or swapped after its verdict"
                )
        wanted = GATES[gate].model_validate(policies[gate]).model_dump(mode="json")
        if digest.of_json(wanted) != verdict.policy_digest:
            found.append(f"the {gate} gate judged by another policy than the use case has")
    if "model" in judged and judged["model"].baseline != (champion.number if champion else None):
        found.append(f"the model was judged against {_named(judged['model'].baseline)}, and the champion is now "
                     f"{_named(champion.number if champion else None)}: run the pipeline again")  # fmt: skip
    if champion and champion.model == subjects["model"]:
        found.append(f"the model is the champion, version {champion.number}: there is nothing to push")
    return found


def _judged_by(gate: str) -> tuple[str, ...]:
    return {"data": ("examples", "statistics", "schema"), "model": ("model", "examples"), "service": ("model",)}[gate]


def _lineage(model: Path, examples: Manifest) -> Iterator[str]:
    """Why the model was not trained on these examples."""
    trained_on = ModelManifest.load(model).training.get("examples")
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

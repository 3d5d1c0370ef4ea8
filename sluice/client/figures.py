"""The figures of a step: what its output parameters and the metadata of its artifacts say, as facts and in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sluice.client.local import Step

Figures = dict[str, Any]
SHOWN_METRICS = 2
"""Metrics of the model gate that its line shows: those that the policy names first."""


def figures(step: Step) -> Figures:
    """Facts about what a step did, JSON types only; empty for a step that failed or is not of the training pipeline."""
    return FACTS[step.name](step) if step.succeeded and step.name in FACTS else {}


def line(step: Step) -> str:
    """The figures in one line for a person; empty where there are none."""
    facts = figures(step)
    return LINES[step.name](facts) if facts else ""


def whole(number: Any) -> Any:
    """KFP carries every number as a double: whole ones are integers again."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _of(step: Step, artifact: str) -> Figures:
    return {name: whole(value) for name, value in step.metadata.get(artifact, {}).items()}


def _prefixed(metadata: Figures, prefix: str) -> Figures:
    return {name.removeprefix(prefix): value for name, value in metadata.items() if name.startswith(prefix)}


def _resolve(step: Step) -> Figures:
    return {"champion": whole(step.values["version"]), "span": step.values["span"]}


def _resolve_line(facts: Figures) -> str:
    span = f"span {facts['span']}, " if facts["span"] else ""
    return f"{span}{'champion ' + str(facts['champion']) if facts['champion'] else 'no champion yet'}"


def _ingest(step: Step) -> Figures:
    metadata = _of(step, "examples")
    counts: Figures = {name: metadata.pop(name) for name in ("rows_in", "quarantined", "left_out") if name in metadata}
    return {**counts, "rows": _prefixed(metadata, "rows_")} if counts else {}


def _ingest_line(facts: Figures) -> str:
    told = [f"{facts['rows_in']:,} rows: {', '.join(f'{name} {count:,}' for name, count in facts['rows'].items())}"]
    told += [f"{facts[name]:,} {word}" for name, word in (("quarantined", "quarantined"), ("left_out", "left out"))
             if facts.get(name)]  # fmt: skip
    return "; ".join(told)


def _transform(step: Step) -> Figures:
    metadata = _of(step, "preprocessing")
    kinds = _prefixed(metadata, "features_")
    return {"features": kinds, "left_out": metadata.get("left_out", [])} if kinds else {}


def _transform_line(facts: Figures) -> str:
    kinds, without = facts["features"], facts["left_out"]
    told = f"{sum(kinds.values()):,} features: {', '.join(f'{count} {kind}' for kind, count in kinds.items())}"
    return f"{told}; {len(without)} columns left out" if without else told


def _train(step: Step) -> Figures:
    metadata = _of(step, "metrics")
    return {name: metadata[name] for name in ("steps", "steps_trained", "loss", "validation_loss") if name in metadata}


def _train_line(facts: Figures) -> str:
    told = [f"{facts['steps_trained']:,} steps"] if "steps_trained" in facts else []
    if told and facts["steps"] != facts["steps_trained"]:
        told = [f"{told[0]}, kept step {facts['steps']:,}"]
    told += [f"loss {facts['loss']:.4f}"] if "loss" in facts else []
    told += [f"{facts['validation_loss']:.4f} on rows held back"] if "validation_loss" in facts else []
    return ", ".join(told)


def _gate(step: Step) -> Figures:
    metadata = _of(step, "verdict")
    return {name: metadata[name] for name in ("status", "rules", "warnings") if name in metadata}


def _gate_line(facts: Figures) -> str:
    told = f"{facts['status']}, {facts['rules']:,} rules"
    return f"{told}, {facts['warnings']} warnings" if facts["warnings"] else told


def _evaluate(step: Step) -> Figures:
    metadata, gate = _of(step, "metrics"), _gate(step)
    ours = {name: value for name, value in metadata.items() if not name.startswith("champion_")}
    metrics = {
        name: {"challenger": value, "champion": metadata.get(f"champion_{name}")} for name, value in ours.items()
    }
    return {**gate, "metrics": metrics} if gate else {}


def _evaluate_line(facts: Figures) -> str:
    metrics = [
        f"{name} {value['challenger']:.4f}" + (f" (champion {value['champion']:.4f})" if value["champion"] is not None else "")
        for name, value in list(facts["metrics"].items())[:SHOWN_METRICS]
    ]  # fmt: skip
    return ", ".join([_gate_line(facts), *metrics])


def _push(step: Step) -> Figures:
    facts = {"decision": step.values["decision"], "entry": whole(step.values["number"])}
    if facts["decision"] != "promoted":
        return facts
    version = whole(step.values["version"])
    return {**facts, "version": version, "places": places(step.inputs.get("destinations", []), version)}


def _push_line(facts: Figures) -> str:
    if facts["decision"] != "promoted":
        return f"{facts['decision']}, entry {facts['entry']}"
    first, *more = facts["places"] or ["nowhere"]
    return f"version {facts['version']} at {first}{f' and {len(more)} more' if more else ''}"


def places(destinations: Iterable[str], version: int) -> list[str]:
    """Where a version is published: a folder below each destination; a destination that is a service as it is named."""
    return [uri if "?" in uri else f"{uri.rstrip('/')}/{version}" for uri in destinations]


def _refuse(step: Step) -> Figures:
    return {"decision": "refused", "entry": whole(step.values["Output"])}


FACTS: dict[str, Callable[[Step], Figures]] = {
    "resolve": _resolve, "ingest": _ingest, "validate": _gate, "transform": _transform, "train": _train,
    "evaluate": _evaluate, "probe": _gate, "push": _push, "refuse": _refuse,
}  # fmt: skip
LINES: dict[str, Callable[[Figures], str]] = {
    "resolve": _resolve_line, "ingest": _ingest_line, "validate": _gate_line, "transform": _transform_line,
    "train": _train_line, "evaluate": _evaluate_line, "probe": _gate_line, "push": _push_line,
    "refuse": lambda facts: f"refused, entry {facts['entry']}",
}  # fmt: skip

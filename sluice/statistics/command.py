"""The work behind `sluice validate` and `sluice schema`: the data gate on examples, outside any pipeline.

Runs in the component environment; the client makes examples of files and starts it (`sluice.client.validate`).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from sluice.errors import SluiceError
from sluice.examples.dataset import Examples
from sluice.features.spec import Features
from sluice.gates.data.policy import DataPolicy
from sluice.stages.runtime import FAILURE_MARK, parse, quiet
from sluice.statistics.artifact import is_statistics, load_schema, save_schema
from sluice.statistics.foreign import judge_statistics
from sluice.statistics.inferred import relax_domain, relax_presence
from sluice.training.spec import Label

WHOLE = "train"
"""The split that files become (`sluice.client.data`)."""


def main() -> None:
    """Do one job; a user's mistake ends it with one message."""
    job, *rest = sys.argv[1:]
    quiet()
    try:
        {"validate": _validate, "schema": _schema}[job](rest)
    except SluiceError as error:
        print(f"{FAILURE_MARK}{job}: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)


def _validate(arguments: list[str]) -> None:
    from sluice.statistics.validate import validate

    parser = argparse.ArgumentParser()
    for name in ("data", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("schema", "against", "policy"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--label", default="")
    given = parser.parse_args(arguments)
    policy, features, target = _rules(given.policy, given.label)
    label = target.column if target else ""
    if is_statistics(given.data):
        judged = judge_statistics(
            given.data, label=label, features=features, policy=policy, schema=given.schema, baseline=given.against,
            schema_out=given.out / "schema", report_out=given.out / "report.html",
        )  # fmt: skip
        judged.save(given.out)
        return
    examples = Examples.load(given.data)
    baseline = None
    if given.against is not None:
        baseline = given.out / "against" / "statistics"
        validate(
            Examples.load(given.against), label=label, target=target, features=features, policy=policy, schema=None,
            baseline=None, baseline_version=None, statistics_out=baseline, schema_out=given.out / "against" / "schema",
            report_out=given.out / "against" / "report.html",
        )  # fmt: skip
    schema = given.schema or (given.out / "against" / "schema" if given.against else None)
    verdict = validate(
        examples, label=label, target=target, features=features, policy=policy, schema=schema, baseline=baseline,
        baseline_version=0 if baseline else None, statistics_out=given.out / "statistics", schema_out=given.out / "schema",
        report_out=given.out / "report.html",
    )  # fmt: skip
    verdict.save(given.out)


def _rules(file: Path | None, column: str) -> tuple[DataPolicy, Features, Label | None]:
    """Policy, features and label: of a use case, or of a data policy by itself; the defaults for none.

    Args:
        file: a use case or a data policy.
        column: the label's column, which goes before the use case's; empty: the use case's.
    """
    other = Label(column=column) if column else None
    if file is None:
        return DataPolicy(), Features(), other
    try:
        content: Any = yaml.safe_load(file.read_text())
    except OSError as error:
        raise SluiceError(f"cannot be read: {error.strerror}", where=str(file)) from None
    if isinstance(content, dict) and "policies" in content:
        label = parse(Label, content["label"], f"{file}: label") if content.get("label") else None
        policy = parse(DataPolicy, content["policies"].get("data") or {}, f"{file}: policies.data")
        features = parse(Features, content.get("features") or {}, f"{file}: features")
        return policy, features, other if other and (label is None or other.column != label.column) else label
    return parse(DataPolicy, content or {}, str(file)), Features(), other


def _schema(arguments: list[str]) -> None:
    from google.protobuf import text_format

    parser = argparse.ArgumentParser()
    parser.add_argument("job", choices=("infer", "show", "diff", "accept", "relax"))
    for name in ("schema", "other", "data", "policy"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--feature", default="")
    parser.add_argument("--label", default="")
    for name in ("domain-mass", "present"):
        parser.add_argument(f"--{name}", type=float)
    given = parser.parse_args(arguments)
    if given.job == "infer":
        _infer(given)
    elif given.job == "show":
        print(json.dumps(_described(load_schema(given.schema))))  # noqa: T201
    elif given.job == "diff":
        print(json.dumps(_differences(load_schema(given.schema), load_schema(given.other))))  # noqa: T201
    elif given.job == "accept":
        print(text_format.MessageToString(_accept(given), as_utf8=True))  # noqa: T201
    else:
        print(text_format.MessageToString(_relax(given), as_utf8=True))  # noqa: T201


def _infer(given: argparse.Namespace) -> None:
    """A first schema of data, with the environments TRAINING and SERVING; the label is absent when serving."""
    from sluice.statistics.compute import compute
    from sluice.statistics.schema import environments, infer

    _, features, label = _rules(given.policy, given.label)
    examples = Examples.load(given.data)
    made = compute(lambda: examples.batches(WHOLE), categorical=features.counted_as_text())
    schema = environments(infer(made.statistics), label.column if label else "")
    save_schema(schema, given.schema)


def _described(schema: Any) -> list[dict[str, Any]]:
    """Each feature in words: type, presence, domain, where it may be absent."""
    from tensorflow_metadata.proto.v0 import schema_pb2

    domains = {domain.name: list(domain.value) for domain in schema.string_domain}
    described = []
    for feature in schema.feature:
        values = domains.get(feature.domain) or list(feature.string_domain.value)
        row: dict[str, Any] = {"feature": feature.name, "type": schema_pb2.FeatureType.Name(feature.type).lower()}
        row["present"] = round(feature.presence.min_fraction, 4)
        row["values"] = sorted(values)
        row["known"] = round(feature.distribution_constraints.min_domain_mass, 4) if values else None
        row["absent when"] = list(feature.not_in_environment)
        described.append(row)
    return described


def _differences(old: Any, new: Any) -> list[dict[str, Any]]:
    """What a new schema allows or asks that an old one does not, feature by feature."""
    before, after = ({row["feature"]: row for row in _described(schema)} for schema in (old, new))
    found: list[dict[str, Any]] = [{"feature": name, "change": "removed"} for name in sorted(set(before) - set(after))]
    found += [{"feature": name, "change": "added"} for name in sorted(set(after) - set(before))]
    for name in sorted(set(before) & set(after)):
        for key, was in before[name].items():
            now = after[name][key]
            if was != now and key == "values":
                more, fewer = sorted(set(now) - set(was)), sorted(set(was) - set(now))
                found.append({"feature": name, "change": "values", "added": more, "removed": fewer})
            elif was != now:
                found.append({"feature": name, "change": key, "was": was, "now": now})
    return found


def _feature(schema: Any, name: str, where: Path) -> Any:
    for feature in schema.feature:
        if feature.name == name:
            return feature
    raise SluiceError(
        f"no feature {name!r} in the schema",
        where=str(where),
        remedy=f"features: {', '.join(f.name for f in schema.feature)}",
    )


def _accept(given: argparse.Namespace) -> Any:
    """Take over from another schema (one feature, or all) what it says: the only way a schema widens."""
    old, new = load_schema(given.schema), load_schema(given.other)
    if not given.feature:
        return new
    taken = _feature(new, given.feature, given.other)
    for feature in old.feature:
        if feature.name == given.feature:
            feature.CopyFrom(taken)
            break
    else:
        old.feature.add().CopyFrom(taken)
    for domain in new.string_domain:
        if domain.name == taken.domain:
            for index, held in enumerate(old.string_domain):
                if held.name == domain.name:
                    del old.string_domain[index]
                    break
            old.string_domain.add().CopyFrom(domain)
    return old


def _relax(given: argparse.Namespace) -> Any:
    """Loosen one feature: how much of it must be known values, how often it must be there."""
    schema = load_schema(given.schema)
    feature = _feature(schema, given.feature, given.schema)
    for name, value in (("domain-mass", given.domain_mass), ("present", given.present)):
        if value is not None and not 0 <= value <= 1:
            raise SluiceError(f"{value} is not a share from 0 to 1", where=f"--{name}")
    try:
        if given.domain_mass is not None:
            relax_domain(feature, schema, given.domain_mass)
        if given.present is not None:
            relax_presence(feature, given.present)
    except ValueError as error:
        raise SluiceError(
            str(error), where=f"{given.schema}: {given.feature}", remedy="`sluice schema show` tells what it asks"
        ) from None
    return schema


if __name__ == "__main__":
    main()

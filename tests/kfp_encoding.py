"""KFP's encoding of parameters, and what of it reaches the code of each component.

`encodings` are the ways by which a parameter travels to a step: a protobuf Struct, as KFP's local runner has it (keys in
an order of the process's own, every number a double), and the JSON of Kubeflow's and Vertex's backends, written in Go
(keys sorted, whole numbers without a point). Nulls are lost in both, lists keep their order.

``python -m tests.kfp_encoding SEED [--unguarded] COMPONENT...`` runs in a fresh process, since the order of a Struct's keys
is the process's own. It executes components by KFP's own executor with each encoding of full use cases, keys written in
many orders, and prints what arrived at the function behind the stage, and where that differs from what arrives without
any encoding. ``--unguarded`` takes away what guards against the encoding, so that the differences show.
"""

from __future__ import annotations

import importlib
import itertools
import json
import random
import re
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
COMPONENTS = sorted(file.parent.name for file in (ROOT / "components").glob("*/component.py"))
ORDERS = 8
"""Orders of the keys that a process tries, beside the one that was written: all orders where there are no more."""

USE_CASES: dict[str, dict[str, Any]] = {
    "keras": {
        "name": "late-flights",
        "source": {
            "uri": "gs://bucket/{YYYY}/{MM}/{DD}/v{VERSION}-*.csv", "window": 3, "exclude": [20260131, 20260102],
            "csv": {"delimiter": ";", "header": False, "names": ["zeta", "id", "late", "alpha"], "null": "NA"},
            "types": {"zeta": "string", "late": "bool", "id": "int64", "alpha": "double", "at": "timestamp[us]"},
            "quarantine": {"max_rows": 10, "max_fraction": 0.5},
            "pii": {"action": "warn", "share": 1, "allow": ["zeta", "alpha"]},
        },
        "label": {"column": "late", "task": "binary", "positive": "true"},
        "features": {
            "numeric": [
                {"name": "zeta", "clip": [-1, 2.5], "impute": 3, "buckets": 4}, {"name": "alpha", "impute": "median"},
                {"name": "wide", "clip": [0, 100]},
            ],
            "categorical": [{"name": "origin", "top_k": 100}, "carrier"],
            "boolean": ["wet"],
            "datetime": [{"name": "at", "parts": ["month", "hour"], "encode": "category"}],
            "text": [{"name": "remarks", "ngrams": 2, "vocabulary": ["wet snow", "fog"]}],
            "crosses": [["origin", "carrier"], ["carrier", "at_month"]],
            "preprocess": {"module": "package.features", "columns": ["second", "first"]},
        },
        "split": {"ratios": {"train": 4, "eval": 1, "calibration": 1}, "keys": ["passenger", "id"]},
        "trainer": {
            "name": "mlp", "hidden": [64, 8], "steps": 500, "epochs": 3, "learning_rate": 1, "dropout": 0.25,
            "class_weights": {"true": 3, "false": 1, "1": 2}, "validation": 0.1, "patience": 2, "seed": 7,
        },
        "policies": {
            "data": {
                "min_rows": 100, "anomalies": {"zeta:UNKNOWN_TYPE": "error", "FEATURE_TYPE_LOW_FRACTION_PRESENT": "warning"},
                "drift": {"error": 0.2, "features": {"zeta": {"error": 1}, "alpha": {"error": 0.3}, "origin": {"measure": "linf"}}},
                "label_shift": False, "ranges": {"zeta": {"at_least": 0}, "alpha": {"at_most": 1, "at_least": -3}, "b": {"at_most": 2}},
                "freshness": {"column": "at", "days": 2}, "beam": ["--runner=FnApiRunner", "--workers=2"], "slices": ["origin", "carrier"],
                "association": False, "leakage": 0.99, "weight": "weight",
            },
            "model": {
                "metrics": ["brier", "accuracy"], "slices": [["origin", "carrier"], ["distance"], ["carrier"]],
                "bins": {"distance": [500, 1000.5], "alpha": [0, 1], "zeta": [3]},
                "rules": [
                    {"metric": "auc", "at_least": 0.65}, {"metric": "log_loss", "non_inferior_by": 0.01, "slices": [["origin"]]},
                    {"metric": "auc", "superior_by": 0, "when_inconclusive": "warn"},
                ],
                "costs": {"false_positive": 1, "false_negative": 5}, "group": "passenger", "waivers": "gs://bucket/waivers",
                "waiver_keys": ["zkey", "akey"],
            },
            "service": {"server": "kserve", "protocols": ["v2", "v1"], "max_p99_ms": 250, "soak_seconds": 1.5},
            "push": {"keep": 3},
        },
        "destination": ["gs://bucket/zz", "gs://bucket/aa"],
        "ledger": "memory:///ledger",
    },
    "sklearn": {
        "name": "sold",
        "source": {
            "uri": "postgresql://db.example.org:5432/shop", "spans": {"first": 86400, "step": 3600, "last": 172800},
            "query": "SELECT * FROM orders WHERE second >= @span_begin AND second < @span_end",
        },
        "label": "amount",
        "features": {"numeric": ["b", "a"], "categorical": ["d", "c"]},
        "split": {"column": "fold", "names": {"TRAIN": "train", "test": "eval", "Dev": "dev", "A": "train"}},
        "trainer": {
            "name": "sklearn", "estimator": "sklearn.ensemble.RandomForestRegressor",
            "hyperparameters": {"n_estimators": 10, "max_features": 1, "max_samples": 1.0, "min_samples_split": 4, "z": {"y": [2, 1.0], "x": 1}},
        },
        "policies": {
            "model": {"rules": [{"metric": "rmse", "at_most": 3}], "floor": False, "uncertainty": "point"},
            "data": {"label_shift": {"error": 1, "flat": True}, "drift": False},
        },
        "destination": "gs://nowhere/published",
        "ledger": "memory:///ledger",
    },
}  # fmt: skip
"""Use cases, as sluice.yaml has them, which together set what means something by its order, its type or its being there."""

GIVEN = {"champion_version": 3, "span": "2-4"}
"""What other steps hand on."""
PLACEHOLDER = "0f5a4b3c-late-flights-1"
"""What KFP puts in for a placeholder, such as a run's ID."""


class Arrived(BaseException):
    """What arrived at the function behind a stage."""

    def __init__(self, what: dict[str, str]) -> None:
        self.what = what


def struct(component: Any, values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A component's executor input, as KFP's local runner makes it."""
    from kfp import dsl
    from kfp.local import executor_input_utils

    artifacts = {
        name: dsl.Artifact(name=name, uri=str(folder / name)) for name in component.input_definitions.artifacts
    }
    made = executor_input_utils.construct_executor_input(component, {**values, **artifacts}, str(folder / "out"), False)
    return executor_input_utils.executor_input_to_dict(made, component)


def backend(executor_input: dict[str, Any]) -> dict[str, Any]:
    """The same, as Kubeflow's launcher hands it over: Go sorts keys, and writes a whole double without a point."""
    return json.loads(json.dumps(executor_input, sort_keys=True), parse_float=_number)  # type: ignore[no-any-return]


def _number(text: str) -> float | int:
    value = float(text)
    return int(value) if value.is_integer() else value


def orders(value: Any, seed: int, count: int = ORDERS) -> Iterator[Any]:
    """A value with its mappings' keys in other orders: every order of a single small mapping, else a seeded sample."""
    draw = random.Random(seed)
    if (
        isinstance(value, dict)
        and len(value) <= 3
        and not any(isinstance(item, dict | list) for item in value.values())
    ):
        yield from ({key: value[key] for key in keys} for keys in itertools.permutations(value))
        return
    yield _turned(value)
    for _ in range(count - 1):
        yield _shuffled(value, draw)


def _turned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _turned(item) for key, item in reversed(value.items())}
    return [_turned(item) for item in value] if isinstance(value, list) else value


def _shuffled(value: Any, draw: random.Random) -> Any:
    if isinstance(value, dict):
        keys = draw.sample(list(value), len(value))
        return {key: _shuffled(value[key], draw) for key in keys}
    return [_shuffled(item, draw) for item in value] if isinstance(value, list) else value


def definition(component: str) -> Any:
    """A component's spec; ``tests/test_builds.py`` holds the compiled file against it."""
    function = getattr(importlib.import_module(f"components.{component}.component"), component)
    return next(iter(function.pipeline_spec.components.values()))


def parameters(component: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A component's parameters, as the pipeline `training` hands its own arguments to it.

    Raises:
        LookupError: nobody here knows what it would be given for one.
    """
    from google.protobuf import json_format

    from pipelines.training import training

    spec = json_format.MessageToDict(training.pipeline_spec)
    wired: dict[str, Any] = {}
    for dag in [spec["root"], *spec["components"].values()]:
        for task in dag.get("dag", {}).get("tasks", {}).values():
            if re.sub(r"-\d+$", "", task["componentRef"]["name"].removeprefix("comp-")) == component:
                wired |= task.get("inputs", {}).get("parameters", {})
    known = arguments | GIVEN
    made = {}
    for name in definition(component).input_definitions.parameters:
        if "runtimeValue" in wired.get(name, {}):
            made[name] = PLACEHOLDER
            continue
        source = wired.get(name, {}).get("componentInputParameter", name).removeprefix("pipelinechannel--")
        if (source if source in known else name) not in known:
            raise LookupError(f"{component} takes {name!r}: say in tests/kfp_encoding.py what it would be given")
        made[name] = known[source if source in known else name]
    return made


def _execute(function: Any, executor_input: dict[str, Any]) -> dict[str, str]:
    """What arrives behind a component's stage, argument by argument: its `repr`, which shows orders and types."""
    from kfp.dsl.executor import Executor

    try:
        Executor(executor_input, function).execute()
    except Arrived as arrived:
        return arrived.what
    raise AssertionError(f"{function} ended without reaching the function behind its stage")


BEHIND = {
    "resolve": "sluice.examples.spans.select", "ingest": "sluice.examples.ingest.ingest", "probe": "sluice.serving.probe.probe",
    "validate": "sluice.statistics.validate.validate", "transform": "sluice.features.transform.transform",
    "train": "sluice.training.train.train", "evaluate": "sluice.evaluation.evaluate.evaluate", "push": "sluice.promotion.push.push",
    "refuse": "sluice.promotion.refuse.refuse",
}  # fmt: skip
"""Component to the function that gets what its stage has read of the parameters."""


def stand_ins() -> None:
    """Put recorders behind the stages, and artifacts in front of them that need not be there."""
    from sluice.examples.dataset import Examples
    from sluice.examples.manifest import Manifest
    from sluice.promotion import approved_policies

    def shown(argument: Any) -> str:
        if isinstance(argument, dict) and {*argument} == {*approved_policies.POLICIES}:  # what `push` begins with
            return repr(approved_policies.read(argument))
        if isinstance(argument, dict):  # the record of a run, which is kept as canonical JSON
            return json.dumps(argument, sort_keys=True, default=str)
        return repr(argument)

    def arrive(*args: Any, **kwargs: Any) -> None:
        raise Arrived({str(name): shown(value) for name, value in [*enumerate(args), *kwargs.items()]})

    for path in BEHIND.values():
        module, _, name = path.rpartition(".")
        if module.startswith("sluice.examples"):
            setattr(importlib.import_module(module), name, arrive)
        else:  # these import what only a component's image has
            sys.modules[module] = types.ModuleType(module)
            setattr(sys.modules[module], name, arrive)
    sys.modules["sluice.promotion.resolve"] = types.ModuleType("sluice.promotion.resolve")
    sys.modules["sluice.promotion.resolve"].resolve = lambda *_, **__: None  # type: ignore[attr-defined]
    for kind in (Examples, Manifest):
        setattr(kind, "load", classmethod(lambda _, folder: str(folder)))  # noqa: B010


def main(seed: int, names: list[str], *, unguarded: bool = False) -> None:
    """Try components, and print what arrived: without encoding, and otherwise."""
    from sluice.config import base
    from sluice.config.load import arguments
    from sluice.config.usecase import UseCase
    from sluice.stages import runtime

    stand_ins()
    if unguarded:
        base.sorted_keys = runtime.whole_numbers = lambda value: value
    told: dict[str, Any] = {"plain": {}, "meant": {}, "tried": {}, "different": []}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in names:
            component = definition(name)
            function = getattr(importlib.import_module(f"components.{name}.component"), name)
            for case, content in USE_CASES.items():
                use_case = UseCase.model_validate(content)
                told["meant"][case] = [repr(part) for part in (use_case, use_case.policies) for _, part in part]
                values = parameters(name, arguments(use_case, "2-4", {"by": "me", "commit": "abc"}))
                plain = struct(component, values, folder)
                plain["inputs"]["parameterValues"] = values
                expected = _hidden(_execute(function, plain), folder)
                told["plain"][f"{name}/{case}"] = expected
                for number, turned in enumerate(orders(values, seed)):
                    sent = struct(component, turned, folder)
                    for way, executor_input in (("struct", sent), ("backend", backend(sent))):
                        told["tried"][name] = told["tried"].get(name, 0) + 1
                        got = _hidden(_execute(function, executor_input), folder)
                        for argument in expected.keys() | got.keys():
                            if expected.get(argument) != got.get(argument):
                                told["different"].append({
                                    "component": name, "use_case": case, "encoding": way, "order": number, "argument": argument,
                                    "expected": expected.get(argument), "got": got.get(argument),
                                })  # fmt: skip
    json.dump(told, sys.stdout)


def _hidden(what: dict[str, str], folder: Path) -> dict[str, str]:
    """The same without the process's own scratch folder."""
    return {name: text.replace(str(folder), "") for name, text in what.items()}


if __name__ == "__main__":
    _, given_seed, *given = sys.argv
    flags = {"--unguarded"} & set(given)
    main(int(given_seed), [name for name in given if name not in flags], unguarded=bool(flags))

"""The work behind `sluice evaluate`: judge models or files of predictions, outside any pipeline.

Runs in the component environment; the client starts it (`sluice.client.evaluate`).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from sluice import digest
from sluice.errors import SluiceError
from sluice.evaluation.evaluate import PREDICTIONS, assess, evaluate
from sluice.evaluation.evidence import CHALLENGER, CHAMPION
from sluice.evaluation.scoring import read
from sluice.examples.dataset import Examples
from sluice.gates.model.policy import ModelPolicy
from sluice.gates.verdict import JudgedRows
from sluice.stages.runtime import FAILURE_MARK, parse, quiet

if TYPE_CHECKING:
    from sluice.gates.verdict import Verdict


def main() -> None:
    """Judge, save the verdict, and print it as JSON."""
    given = _arguments()
    quiet()
    try:
        verdict = _judge(given)
    except SluiceError as error:
        print(f"{FAILURE_MARK}evaluate: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    verdict.save(given.out)
    print(json.dumps(verdict.model_dump(mode="json")))  # noqa: T201


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("candidate", "policy", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("baseline", "examples"):
        parser.add_argument(f"--{name}", type=Path)
    for name, default in (("split", "eval"), ("task", "binary"), ("label", ""), ("key", "")):
        parser.add_argument(f"--{name}", default=default)
    return parser.parse_args()


def _judge(given: argparse.Namespace) -> Verdict:
    policy = parse(ModelPolicy, _policy(given.policy), str(given.policy))
    places = {"evaluation_out": given.out, "report_out": given.out / "report.html"}
    version = 0 if given.baseline else None
    if given.candidate.is_dir():
        if given.examples is None:
            raise SluiceError("a model needs examples to be scored on", remedy="name their folder with --examples")
        verdict, _ = evaluate(
            Examples.load(given.examples), model=given.candidate, champion=given.baseline, champion_version=version,
            policy=policy, split=given.split, **places,
        )  # fmt: skip
        return verdict
    if not given.label or not given.key:
        raise SluiceError(
            "files of predictions need --label and --key", remedy="name the label's column and one that names a row"
        )
    files = {CHALLENGER: given.candidate, **({CHAMPION: given.baseline} if given.baseline else {})}
    scored = read(files, task=given.task, label=given.label, key=given.key, policy=policy)
    judged = JudgedRows(rows=scored.table.num_rows, digest=digest.of_file(given.candidate))
    same = given.baseline is not None and digest.of_file(given.baseline) == judged.digest
    return assess(
        scored, policy, {PREDICTIONS: judged.digest}, version, splits={PREDICTIONS: judged}, identical=same, **places
    )


def _policy(file: Path) -> object:
    """A model policy by itself, a use case that holds one, or TFMA's EvalConfig as JSON or text."""
    try:
        text = file.read_text()
    except OSError as error:
        raise SluiceError(f"cannot be read: {error.strerror}", where=str(file)) from None
    if file.suffix in (".pbtxt", ".textproto"):
        from google.protobuf import json_format, text_format
        from tensorflow_model_analysis.proto import config_pb2

        try:
            return {"eval_config": json_format.MessageToDict(text_format.Parse(text, config_pb2.EvalConfig()))}
        except text_format.ParseError as error:
            raise SluiceError(f"not an EvalConfig: {error}", where=str(file)) from None
    content = yaml.safe_load(text)  # JSON is YAML
    if isinstance(content, dict) and {"metricsSpecs", "metrics_specs"} & set(content):
        return {"eval_config": content}
    if isinstance(content, dict) and "policies" in content:
        return content["policies"].get("model")
    return content


if __name__ == "__main__":
    main()

"""Parameters through KFP's encoding: every component gets what the use case says, in every order and from every process."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from sluice.config.load import arguments
from sluice.config.usecase import UseCase
from sluice.errors import SluiceError
from tests.kfp_encoding import COMPONENTS, ROOT, USE_CASES, orders

PROCESSES = 3
MODELS = (
    "Source(", "Split(", "Features(", "Label(", "Trainer(", "DataPolicy(", "ModelPolicy(", "ServicePolicy(", "PushPolicy(",
)  # fmt: skip


def fresh(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.kfp_encoding", *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE
    )


def printed(process: subprocess.Popen[str]) -> Any:
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, "see what it wrote to standard error"
    return json.loads(out)


@pytest.fixture(scope="module")
def processes() -> list[Any]:
    """What arrived in each of several fresh processes."""
    return [printed(process) for process in [fresh(str(seed), *COMPONENTS) for seed in range(PROCESSES)]]


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_gets_what_it_got_before(processes: list[Any], component: str) -> None:
    for found in processes:
        assert found["tried"][component] >= 2 * len(USE_CASES) * 4, "both encodings, in several orders"
        assert [one for one in found["different"] if one["component"] == component] == []
    plain = [
        {key: value for key, value in found["plain"].items() if key.startswith(f"{component}/")} for found in processes
    ]
    assert plain[0]
    assert plain == [plain[0]] * PROCESSES


@pytest.mark.parametrize("case", USE_CASES)
def test_what_arrives_is_what_the_use_case_says(processes: list[Any], case: str) -> None:
    """Parameter by parameter, in orders and types too: nothing is lost on the client before the encoding either."""
    arrived = {
        text for key, what in processes[0]["plain"].items() if key.endswith(f"/{case}") for text in what.values()
        if text.startswith(MODELS)
    }  # fmt: skip
    assert len(arrived) >= 7, "source, label, features, split, trainer and the gates' policies"
    assert arrived <= set(processes[0]["meant"][case])


def test_the_harness_finds_what_it_is_for() -> None:
    """Without the guards a Struct's order reaches the models, and a span's first second becomes a day in 1970."""
    found = printed(fresh("1", "--unguarded", "validate", "train"))
    arguments = {one["argument"] for one in found["different"]}
    assert {"policy", "trainer"} <= arguments


ORDER = """
import json, sys
from google.protobuf import json_format
from kfp.compiler.pipeline_spec_builder import to_protobuf_value
print(json.dumps(json_format.MessageToDict(to_protobuf_value(json.loads(sys.argv[1])))))
"""


def test_the_encoding_is_as_facts_say() -> None:
    """Where KFP comes to keep orders or whole numbers, the guards can go."""
    written = {f"key{index}": index for index in range(12)}
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", ORDER, json.dumps(written)], capture_output=True, text=True, check=True
        )
        got = json.loads(done.stdout)
        assert got == written
        assert "0.0" in done.stdout
        if list(got) != list(written):
            return
    pytest.fail("five processes kept the order of twelve keys")


def test_every_order_of_few_keys_is_tried() -> None:
    tried = [list(turned) for turned in orders({"train": 4, "eval": 1, "test": 1}, seed=0)]
    assert len({tuple(keys) for keys in tried}) == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trainer": {"seed": 2**53 + 1}}, "trainer.seed: KFP carries whole numbers as doubles"),
        ({"features": {"numeric": [{"name": "x", "clip": [0, float("inf")]}]}}, "features.numeric.0.clip.1: KFP carries no number like inf"),
    ],
)  # fmt: skip
def test_a_number_that_would_arrive_as_another_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SluiceError, match=message):
        arguments(UseCase.model_validate(USE_CASES["keras"] | changes), "1")

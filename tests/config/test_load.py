"""sluice.yaml: a wrong key, a wrong type, a policy that means nothing: one message that names file, path and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.config.load import arguments, load
from sluice.errors import SluiceError
from sluice.gates.data.policy import DataPolicy
from sluice.gates.model.policy import ModelPolicy

FLIGHTS = Path(__file__).parents[2] / "examples" / "flights"


def written(folder: Path, **changes: Any) -> Path:
    content = yaml.safe_load((FLIGHTS / "sluice.yaml").read_text())
    for dotted, value in changes.items():
        target = content
        *parents, last = dotted.split("__")
        for key in parents:
            target = target[key]
        target[last] = value
    (folder / "sluice.yaml").write_text(yaml.safe_dump(content))
    return folder


def test_flights_loads_and_local_uris_become_absolute() -> None:
    use_case = load(FLIGHTS)
    assert use_case.source.uri == str(FLIGHTS / "data" / "span-{SPAN}.parquet")
    assert use_case.label.column == "late"
    assert Path(use_case.ledger).is_absolute()


def test_code_and_checkpoints_are_beside_the_file(tmp_path: Path) -> None:
    code = {"module": "code/mine.py", "sha256": "0" * 64}
    trainer = {"name": "own", "code": code, "checkpoints": "kept"}
    use_case = load(written(tmp_path, trainer=trainer, features__preprocess=code))
    assert use_case.features.preprocess.module == use_case.trainer.code.module == str(tmp_path / "code" / "mine.py")
    assert use_case.trainer.checkpoints == str(tmp_path / "kept")
    named = load(
        written(tmp_path, trainer={"name": "own", "code": "package.model"}, features__preprocess="package.model")
    )
    assert named.features.preprocess.module == named.trainer.code.module == "package.model"


def test_a_rule_is_left_out_by_name_and_stays_out_in_the_run(tmp_path: Path) -> None:
    """YAML reads a plain off as false; KFP's structs hold no null: neither may bring the default back."""
    (tmp_path / "sluice.yaml").write_text(
        (FLIGHTS / "sluice.yaml").read_text().replace("  data:\n", "  data:\n    leakage: off\n")
    )
    use_case = load(tmp_path, {"policies.model.floor": False})
    given = arguments(use_case, "1")
    assert DataPolicy.model_validate(given["data_policy"]) == use_case.policies.data
    assert (use_case.policies.data.leakage, use_case.policies.model.floor) == ("off", "off")
    assert ModelPolicy.model_validate(given["model_policy"]) == use_case.policies.model


def test_remote_uris_stay(tmp_path: Path) -> None:
    use_case = load(written(tmp_path, source__uri="gs://bucket/span-{SPAN}.csv", ledger="s3://bucket/ledger"))
    assert (use_case.source.uri, use_case.ledger) == ("gs://bucket/span-{SPAN}.csv", "s3://bucket/ledger")


def test_the_arguments_hold_no_null(tmp_path: Path) -> None:
    def nulls(value: Any) -> bool:
        if isinstance(value, dict):
            return any(map(nulls, value.values()))
        return any(map(nulls, value)) if isinstance(value, list) else value is None

    given = arguments(load(FLIGHTS), "next")
    assert not nulls(given)
    assert given["span"] == "next"
    assert given["model_policy"]["rules"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lable": "late"}, "lable: unknown key; did you mean 'label'?"),
        ({"trainer__stepz": 5}, "trainer.stepz: unknown key; did you mean 'steps'?"),
        ({"trainer__steps": "many"}, "trainer.steps: Input should be a valid integer"),
        ({"name": "My Flights"}, "name: String should match pattern"),
        ({"policies__model__rules": []}, "policies.model.rules: Tuple should have at least 1 item"),
        (
            {"policies__model__rules": [{"metric": "auk", "at_least": 0.5}]},
            "policies.model.rules.0.metric: Input should be 'auc'",
        ),
        ({"policies__model__rules": [{"metric": "auc"}]}, "a rule makes one demand; this one makes none"),
        ({"policies__model__rules": [{"metric": "auc", "at_most": 0.9}]}, "it would never refuse a bad model"),
        ({"policies__model__rules": [{"metric": "log_loss", "at_least": 0.1}]}, "it would never refuse a bad model"),
        ({"policies__data": {"mode": "explode"}}, "policies.data.mode: Input should be 'report', 'block' or 'fail'"),
        ({"features": {"numeric": ["a"], "categorical": ["a"]}}, "features: named twice: a"),
        (
            {"features": {"numeric": [2019]}},
            "features: YAML reads 2019 here, which is no text: put a column's name in quotes",
        ),
        ({"features": {"numeric": [{"name": 1.5}]}}, "features: YAML reads 1.5 here"),
        ({"features": {"categorical": ["a", "b"], "crosses": [["a", True]]}}, "features: YAML reads True here"),
        ({"split": {"ratios": {"train": 0}}}, "split.ratios: give each split a weight above 0"),
    ],
)
def test_mistakes_name_file_path_and_remedy(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SluiceError) as caught:
        load(written(tmp_path, **changes))
    assert str(tmp_path / "sluice.yaml") in str(caught.value)
    assert message in str(caught.value)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    written(tmp_path)
    content = yaml.safe_load((tmp_path / "sluice.yaml").read_text())
    del content["label"]
    (tmp_path / "sluice.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(SluiceError, match="label: required, and missing"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "not YAML"), ("- 1", "a mapping is expected"), ("", "a mapping is expected")]
)
def test_what_is_not_a_use_case(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "sluice.yaml").write_text(text)
    with pytest.raises(SluiceError, match=message):
        load(tmp_path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(SluiceError, match="no such file"):
        load(tmp_path)


def test_overrides_go_over_the_file() -> None:
    assert load(FLIGHTS, {"trainer.steps": 7, "split.ratios": {"train": 1, "eval": 1}}).trainer.steps == 7
    with pytest.raises(SluiceError, match="is not a mapping"):
        load(FLIGHTS, {"name.first": "x"})


def test_destinations_travel_as_a_list_whatever_is_in_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "two words"
    folder.mkdir()
    (folder / "sluice.yaml").write_text((FLIGHTS / "sluice.yaml").read_text())
    for given, expected in (
        ("published", [str(folder / "published")]),
        ("a b", [str(folder / "a b")]),
        (["a b", "gs://bucket/c d"], [str(folder / "a b"), "gs://bucket/c d"]),
    ):
        use_case = load(folder, {"destination": given})
        assert arguments(use_case, "1")["destinations"] == expected
    for given, said in (("a gs://b/c", "several destinations are a list"), ([], "at least 1"), ("", "at least 1")):
        with pytest.raises(SluiceError, match=said):
            load(folder, {"destination": given})

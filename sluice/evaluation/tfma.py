"""TFMA's own files: an EvalConfig, and MetricsForSlice of challenger and champion, as `tfma.load_eval_result` reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.gates.model.evidence import ModelEvidence
    from sluice.gates.model.policy import ModelPolicy

METRICS_FILE = "metrics-00000-of-00001.tfrecord"
CONFIG_FILE = "eval_config.json"
NAMES = {"accuracy": "binary_accuracy", "log_loss": "binary_crossentropy", "average_precision": "auc_precision_recall"}
"""Our name of a metric to TFMA's, where they differ, for a binary task."""
CLASSES = {
    "auc": "AUC",
    "average_precision": "AUCPrecisionRecall",
    "accuracy": "BinaryAccuracy",
    "log_loss": "BinaryCrossEntropy",
    "precision": "Precision",
    "recall": "Recall",
}
"""Our name of a metric to the class that computes it in TFMA, for a binary task."""


def eval_config(label: str, policy: ModelPolicy, *, champion: bool, counts: bool = False) -> Any:
    """The `EvalConfig` that says to TFMA what the policy says to us; with `counts`, and what the floor needs."""
    from tensorflow_model_analysis.proto import config_pb2

    keys = keys_of(label, policy)
    specs = [
        config_pb2.ModelSpec(
            name=model,
            label_key=keys[label],
            prediction_key=keys[f"prediction_{model}"],
            is_baseline=model == "champion",
        )
        for model in (("challenger", "champion") if champion else ("challenger",))
    ]
    metrics = [config_pb2.MetricConfig(class_name="ExampleCount")]
    named = [CLASSES[name] for name in policy.measured() if name in CLASSES]
    if counts:
        named += ["MeanLabel", CLASSES["log_loss"], *policy.tfma]
    metrics += [config_pb2.MetricConfig(class_name=name) for name in dict.fromkeys(named)]
    slicing = [config_pb2.SlicingSpec(), *(config_pb2.SlicingSpec(feature_keys=group) for group in policy.sliced())]
    return config_pb2.EvalConfig(
        model_specs=specs, slicing_specs=slicing,
        metrics_specs=[config_pb2.MetricsSpec(metrics=metrics, model_names=[spec.name for spec in specs])],
    )  # fmt: skip


def keys_of(label: str, policy: ModelPolicy) -> dict[str, str]:
    """The label and the predictions to their keys in TFMA's input: with a `_` where a column of a slice has the name."""
    keys: dict[str, str] = {}
    taken = {column for group in policy.sliced() for column in group}
    for name in (label, "prediction_challenger", "prediction_champion"):
        key = name
        while key in taken:
            key += "_"
        keys.setdefault(name, key)
        taken.add(key)
    return keys


def save(out: Path, evidence: ModelEvidence, label: str, policy: ModelPolicy) -> None:
    """Write the EvalConfig and the metrics of every slice and model."""
    import tensorflow as tf
    from google.protobuf import json_format
    from tensorflow_model_analysis.proto import config_pb2
    from tensorflow_model_analysis.version import VERSION

    out.mkdir(parents=True, exist_ok=True)
    models = {"challenger": "", **({"champion": ""} if evidence.champion is not None else {})}
    run = config_pb2.EvalRun(
        eval_config=eval_config(label, policy, champion=len(models) > 1), version=VERSION, data_location="", file_format="parquet",
        model_locations=models,
    )  # fmt: skip
    (out / CONFIG_FILE).write_text(json_format.MessageToJson(run, sort_keys=True))
    with tf.io.TFRecordWriter(str(out / METRICS_FILE)) as writer:
        for piece in evidence.slices:
            writer.write(_metrics_for_slice(piece, evidence, list(models)).SerializeToString(deterministic=True))


def _metrics_for_slice(piece: str, evidence: ModelEvidence, models: list[str]) -> Any:
    from tensorflow_model_analysis.proto import metrics_for_slice_pb2

    held, message = evidence.slices[piece], metrics_for_slice_pb2.MetricsForSlice()
    for column, text in evidence.keys.get(piece, ()):
        message.slice_key.single_slice_keys.add(column=column, bytes_value=text.encode())
    for model in models:
        measured = held.champion if model == "champion" else held.challenger
        values = {NAMES.get(name, name) if evidence.task == "binary" else name: m.value for name, m in measured.items()}
        for name, number in {"example_count": float(held.rows), **values}.items():
            added = message.metric_keys_and_values.add()
            added.key.name, added.key.model_name = name, model if len(models) > 1 else ""
            added.value.double_value.value = number
    return message

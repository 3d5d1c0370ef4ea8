"""Training: from a span of data to a served model, through three gates."""

from kfp import dsl

from components.evaluate.component import evaluate
from components.ingest.component import ingest
from components.probe.component import probe
from components.push.component import push
from components.refuse.component import refuse
from components.resolve.component import resolve
from components.train.component import train
from components.transform.component import transform
from components.validate.component import validate

OPEN = "open"


@dsl.pipeline(name="training", description="Train a challenger; publish it if the data, model and service gates open.")
def training(
    name: str,
    source: dict,
    label: dict,
    features: dict,
    split: dict,
    trainer: dict,
    data_policy: dict,
    model_policy: dict,
    service_policy: dict,
    destinations: list,
    ledger: str,
    push_policy: dict = {},
    schema: str = "",
    span: str = "next",
    facts: dict = {},
    run_page: str = "",
    weights: list = [],
):
    """The story: resolve, ingest, judge the data, transform, train, judge the model, judge the service, push."""
    champion = resolve(ledger=ledger, source=source, span=span)
    champion.set_display_name("Resolve the champion").set_caching_options(False)
    record = {
        "ledger": ledger,
        "name": name,
        "span": champion.outputs["span"],
        "run": dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
        "run_id": dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        "run_page": run_page,
        "facts": facts,
    }

    examples = ingest(
        source=source, split=split, label=label, span=champion.outputs["span"], given_schema=schema,
    ).set_display_name("Ingest")  # fmt: skip
    data = validate(
        examples=examples.outputs["examples"], label=label, features=features, policy=data_policy,
        champion_statistics=champion.outputs["statistics"], champion_schema=champion.outputs["schema"],
        champion_version=champion.outputs["version"], given_schema=schema, weights=weights, run_page=run_page,
    ).set_display_name("Data gate")  # fmt: skip

    with dsl.If(data.outputs["gate"] == OPEN, name="data-gate-open"):
        prepared = transform(
            examples=examples.outputs["examples"], statistics=data.outputs["statistics"], schema=data.outputs["schema"],
            features=features, label=label,
        ).set_display_name("Transform")  # fmt: skip
        trained = train(
            transformed=prepared.outputs["transformed"], preprocessing=prepared.outputs["preprocessing"],
            examples=examples.outputs["examples"], champion_model=champion.outputs["model"],
            trainer=trainer, label=label,
        ).set_display_name("Train")  # fmt: skip
        quality = evaluate(
            examples=examples.outputs["examples"], model=trained.outputs["model"], policy=model_policy,
            champion_model=champion.outputs["model"], champion_version=champion.outputs["version"],
            champion_statistics=champion.outputs["statistics"], run_page=run_page,
        ).set_display_name("Model gate")  # fmt: skip

        with dsl.If(quality.outputs["gate"] == OPEN, name="model-gate-open"):
            service = probe(
                model=trained.outputs["model"], golden=trained.outputs["golden"], policy=service_policy,
                run_page=run_page,
            ).set_display_name("Service gate")  # fmt: skip
            push(
                model=trained.outputs["model"], examples=examples.outputs["examples"],
                statistics=data.outputs["statistics"], schema=data.outputs["schema"],
                data_verdict=data.outputs["verdict"], data_policy=data_policy,
                model_verdict=quality.outputs["verdict"], model_policy=model_policy,
                service_verdict=service.outputs["verdict"], service_policy=service_policy,
                push_policy=push_policy, destinations=destinations, **record,
            ).set_display_name("Push").set_caching_options(False)  # fmt: skip
        with dsl.Else(name="model-gate-closed"):
            refuse(verdict=quality.outputs["verdict"], **record).set_display_name(
                "Record the refusal"
            ).set_caching_options(False)
    with dsl.Else(name="data-gate-closed"):
        refuse(verdict=data.outputs["verdict"], **record).set_display_name("Record the refusal").set_caching_options(
            False
        )

"""Pipelines that get past the gates, each in a way of its own, as someone in a hurry would write them."""

from pathlib import Path

from kfp import components, dsl

NAMES = ("validate", "evaluate", "probe", "push")
WAYS = {
    "nested": {"push-past-a-closed-gate"},
    "loop": {"push-past-a-closed-gate"},
    "exit": {"push-past-a-closed-gate"},
    "else": {"push-past-a-closed-gate"},
    "not-closed": {"push-past-a-closed-gate"},
    "renamed": {"push-past-a-closed-gate"},
    "other-examples": {"other-data-judged"},
    "other-schema": {"other-data-judged"},
    "constant-policy": {"other-policy"},
    "other-judge": {"other-model-judged"},
    "own-verdict": {"verdict-not-from-its-gate"},
    "own-pusher": {"published-without-push"},
    "own-upload": {"published-without-push"},
    "command-line": {"published-without-push"},
}
"""Way past the gates to the rules that tell of it."""


@dsl.component(base_image="docker.io/library/python:3.13", install_kfp_package=False)
def forged(verdict: dsl.Output[dsl.Artifact]):
    open(verdict.path, "w").close()


@dsl.component(base_image="docker.io/library/python:3.13", install_kfp_package=False)
def own_pusher(model: dsl.Input[dsl.Model]):
    from sluice.promotion.publish import publish

    publish(model.path)


@dsl.component(base_image="docker.io/library/python:3.13", install_kfp_package=False)
def own_upload(model: dsl.Input[dsl.Model]):
    from google.cloud import aiplatform

    aiplatform.Model.upload(artifact_uri=model.uri)


@dsl.container_component
def command(line: str):
    return dsl.ContainerSpec(image="docker.io/google/cloud-sdk:500.0.0", command=["sh", "-c"], args=[line])


@dsl.container_component
def deploy():
    return dsl.ContainerSpec(
        image="docker.io/google/cloud-sdk:500.0.0", command=["sh", "-c", "gcloud ai endpoints deploy-model 1"]
    )


def limited(task):
    return task.set_cpu_limit("1").set_memory_limit("1Gi")


def imported(name, kind=dsl.Artifact):
    return dsl.importer(artifact_uri=f"gs://b/{name}", artifact_class=kind).output


def loaded(folder: Path, way: str):
    texts = {name: (folder / f"{name}.yaml").read_text() for name in NAMES}
    if way == "renamed":
        texts["push"] = texts["push"].replace("- push\n", "- ship_it\n").replace("def push(", "def ship_it(")
    return {name: components.load_component_from_text(text) for name, text in texts.items()}


def bypass(folder: Path, way: str):
    """A pipeline wired right but for one way past the gates; none for an empty text."""
    found = loaded(folder, way)

    def publish(model, examples, data, quality, service, policy):
        return limited(found["push"](
            model=model, service_policy=policy, service_verdict=service.outputs["verdict"],
            examples=imported("others", dsl.Dataset) if way == "other-examples" else examples,
            statistics=data.outputs["statistics"], schema=imported("schema") if way == "other-schema" else data.outputs["schema"],
            data_verdict=limited(forged()).output if way == "own-verdict" else data.outputs["verdict"],
            data_policy={"min_rows": 1} if way == "constant-policy" else policy,
            model_verdict=quality.outputs["verdict"], model_policy=policy, destinations=["gs://b/p"], ledger="gs://b/l",
        ))  # fmt: skip

    def judged(model, examples, policy):
        none = imported("none")
        data = found["validate"](
            examples=examples, label={"column": "x"}, features={}, policy=policy, champion_statistics=none,
            champion_schema=none, champion_version=0,
        )  # fmt: skip
        quality = found["evaluate"](
            examples=examples, model=imported("good", dsl.Model) if way == "other-judge" else model, policy=policy,
            champion_model=imported("champion", dsl.Model), champion_version=0,
        )  # fmt: skip
        service = found["probe"](model=model, golden=none, policy=policy)
        return limited(data), limited(quality), limited(service)

    @dsl.pipeline(name="inner")
    def inner(model: dsl.Input[dsl.Model], examples: dsl.Input[dsl.Dataset], policy: dict):
        data, quality, service = judged(model, examples, policy)
        publish(model, examples, data, quality, service, policy)

    def guarded(model, examples, policy):
        data, quality, service = judged(model, examples, policy)
        given = (model, examples, data, quality, service, policy)
        if way == "loop":
            with dsl.ParallelFor([1, 2]), dsl.If(data.outputs["gate"] == "open"):
                publish(*given)
        elif way == "else":
            with dsl.If(data.outputs["gate"] == "open"), dsl.If(quality.outputs["gate"] == "open"):
                limited(forged())
            with dsl.Else():
                publish(*given)
        elif way == "not-closed":
            with dsl.If(data.outputs["gate"] == "open"), dsl.If(quality.outputs["status"] != "NOT_BLESSED"):
                publish(*given)
        elif way == "elif":
            with dsl.If(data.outputs["gate"] == "closed"):
                limited(forged())
            with dsl.Elif(data.outputs["gate"] == "open"), dsl.If(quality.outputs["gate"] == "open"):
                publish(*given)
        elif way == "renamed":
            publish(*given)
        else:
            with dsl.If(data.outputs["gate"] == "open"), dsl.If(quality.outputs["gate"] == "open"):
                publish(*given)

    @dsl.pipeline(name="whole")
    def whole(policy: dict):
        guarded(imported("model", dsl.Model), imported("examples", dsl.Dataset), policy)

    @dsl.pipeline(name="bypass")
    def pipeline(policy: dict):
        if way == "exit":
            with dsl.ExitHandler(whole(policy=policy)):
                limited(command(line="true"))
            return
        model, examples = imported("model", dsl.Model), imported("examples", dsl.Dataset)
        if way == "nested":
            inner(model=model, examples=examples, policy=policy)
        else:
            guarded(model, examples, policy)
        for name, step in (("own-pusher", own_pusher), ("own-upload", own_upload)):
            if way == name:
                limited(step(model=model))
        if way == "command-line":
            limited(deploy())

    return pipeline

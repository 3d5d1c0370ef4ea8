"""Pipelines with problems, one each, as others would write them; KFP reads their annotations as they are."""

from typing import NamedTuple

from kfp import components, dsl

FIXED = {"base_image": "docker.io/library/python:3.13", "install_kfp_package": False}


@dsl.component(**FIXED)
def say(word: str) -> str:
    return word


@dsl.component(**FIXED)
def publish(places: list) -> int:
    return len(places)


@dsl.component(**FIXED)
def judge() -> NamedTuple("Verdict", [("status", str), ("score", float)]):
    return ("good", 1.0)


@dsl.component(**FIXED)
def make(out: dsl.Output[dsl.Dataset]):
    open(out.path, "w").close()


@dsl.component(**FIXED)
def use(given: dsl.Input[dsl.Dataset]):
    print(given.path)


@dsl.component(base_image="docker.io/library/python:latest", install_kfp_package=False)
def floating() -> str:
    return ""


@dsl.component(base_image="docker.io/library/python:3.13", packages_to_install=["pandas"])
def installing() -> str:
    return ""


@dsl.component(**FIXED)
def keyed(api_key: str = "sk_live_4eC39HqLyjWDarjtT1zdp7dc") -> str:
    return api_key


@dsl.component(**FIXED)
def signed() -> str:
    password = "correct-horse-battery"
    return password.upper()


@dsl.container_component
def flagged():
    return dsl.ContainerSpec(
        image="docker.io/library/python:3.13", command=["login"], args=["--user", "me", "--password", "correct-horse"]
    )


@dsl.container_component
def assigned():
    return dsl.ContainerSpec(
        image="docker.io/library/python:3.13", command=["login"], args=["--password=correct-horse"]
    )


@dsl.container_component
def foreign():
    return dsl.ContainerSpec(image="docker.io/library/python:3.13", command=["true"])


@dsl.container_component
def long():
    return dsl.ContainerSpec(image="docker.io/library/python:3.13", command=["echo", "x" * 140_000])


@dsl.container_component
def upload():
    return dsl.ContainerSpec(
        image="gcr.io/ml-pipeline/google-cloud-pipeline-components:2.20.0", args=["--type", "UploadModel"]
    )


def limited(task):
    return task.set_cpu_limit("1").set_memory_limit("1Gi")


@dsl.pipeline(name="fine")
def fine(word: str = "hello"):
    limited(say(word=word))


@dsl.pipeline(name="unpinned-image")
def unpinned_image():
    limited(floating())


@dsl.pipeline(name="missing-limits")
def missing_limits():
    say(word="a").set_cpu_limit("1")


@dsl.pipeline(name="install-at-run-time")
def install_at_run_time():
    limited(installing())


@dsl.pipeline(name="secret-in-the-clear")
def secret_in_the_clear(password: str = "hunter2-for-real"):
    limited(say(word=password))


@dsl.pipeline(name="secret-in-an-environment")
def secret_in_an_environment():
    limited(say(word="a")).set_env_variable("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")


@dsl.pipeline(name="importer-in-condition")
def importer_in_condition(word: str = "a"):
    with dsl.If(word == "a"):
        given = dsl.importer(artifact_uri="gs://bucket/x", artifact_class=dsl.Dataset)
        limited(use(given=given.output))


@dsl.pipeline(name="one-of-artifacts")
def one_of_artifacts(word: str = "a"):
    with dsl.If(word == "a"):
        one = limited(make())
    with dsl.Else():
        two = limited(make())
    limited(use(given=dsl.OneOf(one.outputs["out"], two.outputs["out"])))


@dsl.pipeline(name="optional-input")
def optional_input(word: str = None):
    limited(say(word=word))


@dsl.pipeline(name="if-without-else")
def if_without_else():
    judged = limited(judge())
    with dsl.If(judged.outputs["status"] == "good"):
        limited(say(word="a"))


@dsl.pipeline(name="quote-in-condition")
def quote_in_condition(word: str = "a"):
    with dsl.If(word == "it's"):
        limited(say(word="a"))


@dsl.pipeline(name="outer-input-in-loop")
def outer_input_in_loop(word: str = "a"):
    with dsl.ParallelFor([1, 2]):
        limited(say(word=word))


@dsl.pipeline(name="python3-in-value")
def python3_in_value():
    limited(say(word="run python3 now"))


@dsl.pipeline(name="python3-in-a-default")
def python3_in_a_default(word: str = "run python3 now"):
    limited(say(word=word))


@dsl.pipeline(name="not-lightweight")
def not_lightweight():
    limited(foreign())


@dsl.pipeline(name="workspace", pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size="1Gi")))
def workspace():
    limited(say(word=dsl.WORKSPACE_PATH_PLACEHOLDER))


@dsl.pipeline(name="secret-in-a-component-s-default")
def secret_in_a_default():
    limited(keyed())


@dsl.pipeline(name="secret-in-a-source")
def secret_in_a_source():
    limited(signed())


@dsl.pipeline(name="secret-in-an-argument")
def secret_in_an_argument():
    limited(flagged())


@dsl.pipeline(name="secret-in-a-flag")
def secret_in_a_flag():
    limited(assigned())


@dsl.pipeline(name="large-argument")
def large_argument():
    limited(long())


def gated(folder, change):
    """The gates and the push by their files, wired right but for one change."""
    found = {
        name: components.load_component_from_file(f"{folder}/{name}.yaml")
        for name in ("validate", "evaluate", "probe", "push", "train")
    }

    @dsl.pipeline(name="gated")
    def pipeline(policies: dict, other: dict, destinations: list):
        examples = dsl.importer(artifact_uri="gs://b/examples", artifact_class=dsl.Dataset).output
        none = dsl.importer(artifact_uri="gs://b/none", artifact_class=dsl.Artifact).output
        model = dsl.importer(artifact_uri="gs://b/model", artifact_class=dsl.Model).output
        stolen = dsl.importer(artifact_uri="gs://b/stolen", artifact_class=dsl.Model).output
        verdict = dsl.importer(artifact_uri="gs://b/verdict", artifact_class=dsl.Artifact).output
        data = limited(
            found["validate"](
                examples=examples,
                label={"column": "x"},
                features={},
                policy=policies,
                champion_statistics=none,
                champion_schema=none,
                champion_version=0,
            )
        )
        quality = limited(
            found["evaluate"](
                examples=examples, model=model, policy=policies, champion_model=stolen, champion_version=0
            )
        )
        service = limited(found["probe"](model=model, golden=none, policy=policies))

        def push():
            limited(
                found["push"](
                    model=stolen if change == "other-model-judged" else model,
                    examples=examples,
                    statistics=data.outputs["statistics"],
                    schema=data.outputs["schema"],
                    data_verdict=data.outputs["verdict"],
                    data_policy=policies,
                    model_verdict=verdict if change == "verdict-not-from-its-gate" else quality.outputs["verdict"],
                    model_policy=other if change == "other-policy" else policies,
                    service_verdict=service.outputs["verdict"],
                    service_policy=policies,
                    destinations=destinations,
                    ledger="gs://b/ledger",
                )
            )

        if change == "push-past-a-closed-gate":
            with dsl.If(data.outputs["gate"] == "open"):
                push()
            with dsl.Else():
                limited(say(word="closed"))
        else:
            with dsl.If(data.outputs["gate"] == "open"):
                with dsl.If(quality.outputs["gate"] == "open"):
                    push()
                with dsl.Else():
                    limited(say(word="closed"))
            with dsl.Else():
                limited(say(word="closed"))
        if change == "published-without-push":
            limited(publish(places=destinations))
            limited(upload())

    return pipeline

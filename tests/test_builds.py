"""cloudbuild.yaml and the GitHub workflow: every command they call exists, and what can run here does."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from sluice.client.cli import app
from tests.fakes.rest import Request, Rest

ROOT = Path(__file__).parents[1]
BUILD = yaml.safe_load((ROOT / "cloudbuild.yaml").read_text())
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()
STEPS = {step["id"]: step["args"][-1] for step in BUILD["steps"]}
RUNS = [step["run"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "run" in step]
DIGESTS = {"light": "sha256:" + "a" * 64, "tensorflow": "sha256:" + "b" * 64}


def commands() -> Iterator[str]:
    """Every simple command of both files."""
    for line in (*STEPS.values(), *RUNS):
        yield from (part.strip() for part in re.split(r"&&|\|\|", line))


def filled(text: str) -> str:
    """A step's shell text as Cloud Build hands it over."""
    known = {**BUILD["substitutions"], "PROJECT_ID": "acme", "SHORT_SHA": "abc1234", "BUILD_ID": "0b1d", "_SPAN": "1"}
    for name, value in known.items():
        text = text.replace(f"${{{name}}}", value).replace(f"${name}", value)
    return text.replace("$$", "$")


def test_every_command_exists() -> None:
    for command in commands():
        words = [
            word
            for word in shlex.split(re.sub(r"\$\([^)]*\)", "", command))
            if "=" not in word or word.startswith("--")
        ]
        if words[0] == "make":
            for target in words[1:]:
                assert re.search(rf"^{target}:", MAKEFILE, re.M), target
        elif words[0] == ".venv/bin/sluice":
            help_text = CliRunner().invoke(app, [words[1], "--help"], env={"COLUMNS": "300", "TERM": "dumb"}).output
            for option in (word for word in words[2:] if word.startswith("--")):
                assert option in help_text, f"{words[1]} {option}"
        else:
            assert words[0] in ("test", "build/environments"), command


def test_steps_wait_for_steps_that_are_there() -> None:
    for step in BUILD["steps"]:
        assert set(step.get("waitFor", [])) <= {*STEPS, "-"}
    assert next(step for step in BUILD["steps"] if step["id"] == "push")["waitFor"] == ["test", "images", "scan"]


def test_every_substitution_is_documented() -> None:
    page = (ROOT / "docs" / "cloudbuild.md").read_text()
    for name, value in BUILD["substitutions"].items():
        assert re.search(rf"^\| `{name}` +\| {f'`{value}`' if value else 'empty'} ", page, re.M), name


def test_compile_and_lint_do_what_the_build_asks(tmp_path: Path) -> None:
    (tmp_path / "digests.txt").write_text("".join(f"{name}={digest}\n" for name, digest in DIGESTS.items()))
    for part in ("components", "pipelines", ".venv"):
        (tmp_path / part).symlink_to(ROOT / part)
    environment = {
        "REGISTRY": "registry.example/acme/sluice",
        "DIGESTS": "digests.txt",
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        ["bash", "-c", filled(STEPS["compile"])],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    spec = yaml.safe_load((tmp_path / "compiled" / "pipelines" / "training.yaml").read_text())
    images = {executor["container"]["image"] for executor in spec["deploymentSpec"]["executors"].values()}
    assert images == {f"registry.example/acme/sluice/{name}@{digest}" for name, digest in DIGESTS.items()}


def test_the_run_names_the_digests_that_were_pushed(tmp_path: Path) -> None:
    (tmp_path / "digests.txt").write_text("".join(f"{name}={digest}\n" for name, digest in DIGESTS.items()))
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / "examples" / "flights").mkdir(parents=True)
    content = yaml.safe_load((ROOT / "examples" / "flights" / "sluice.yaml").read_text())
    content |= {"source": {"uri": "gs://b/x.parquet"}, "ledger": "gs://b/l", "destination": "gs://b/p"}
    content["platform"] = {"vertex": {"project": "acme", "location": "europe-west4", "pipeline_root": "gs://b/runs"}}
    (tmp_path / "examples" / "flights" / "sluice.yaml").write_text(yaml.safe_dump(content))
    environment = {"REGISTRY": "registry.example/acme/sluice", "DIGESTS": "digests.txt", "PATH": "/usr/bin:/bin",
                   "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "NO_GCE_CHECK": "true"}  # fmt: skip
    shell = filled(STEPS["run"]).replace(" --wait", " --dry-run")
    done = subprocess.run(
        ["bash", "-c", shell], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 or "there are no Google credentials" in done.stderr, done.stderr
    if done.returncode == 0:
        for digest in DIGESTS.values():
            assert digest in done.stdout


@pytest.mark.parametrize(("commit", "tag"), [("abc1234", "abc1234"), ("", "0b1d")])
def test_a_build_without_a_commit_publishes_under_its_own_id(commit: str, tag: str) -> None:
    """`gcloud builds submit` sends a folder, and knows of no commit."""
    shell = filled(STEPS["publish"].replace("$SHORT_SHA", commit)).replace(".venv/bin/sluice", "echo")
    said = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True).stdout
    assert said.endswith(f"--tag {tag} --tag latest\n")


def test_images_are_scanned(tmp_path: Path) -> None:
    """The Makefile's target, against a stand-in of the data base that knows of one vulnerability."""

    def query(request: Request) -> Any:
        if request.body["package"]["name"] != "pyyaml":
            return {}
        return {"vulns": [{"id": "GHSA-0000", "summary": "s", "details": "d", "aliases": [], "published": "2026-01-01T00:00:00Z",
                           "affected": [{"package": request.body["package"], "ranges": [
                               {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}]}]}]}  # fmt: skip

    for route, code in ((lambda _: {}, 0), (query, 2)):
        with Rest(routes=[("POST", r"/.*query", route)]).running() as service:
            done = subprocess.run(
                ["make", "images-scan", "IMAGES=light"], cwd=ROOT, env={**os.environ, "OSV_URL": f"{service.url}/v1/query"},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
        names = {request.body["package"]["name"] for request in service.requests}
        assert {"pyarrow", "pydantic", "duckdb"} <= names
        assert done.returncode == code, done.stdout + done.stderr
    assert "GHSA-0000" in done.stdout


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rest]:
    """A repository of pipelines."""
    from kfp.registry import RegistryClient

    def upload(request: Request) -> bytes:
        assert b"pipelineInfo" in request.raw
        return b"training/sha256:1234"

    with Rest(routes=[("POST", "/acme/pipelines", upload)]).running() as service:
        monkeypatch.setattr(RegistryClient, "_load_config", lambda *_: {"upload_url": f"{service.url}/acme/pipelines"})
        monkeypatch.setattr(RegistryClient, "_load_auth", lambda *_: None)
        monkeypatch.setattr(RegistryClient, "_refresh_creds", lambda *_: None)
        monkeypatch.setattr(RegistryClient, "_get_auth", lambda *_: None)
        yield service


def test_a_pipeline_is_published(repository: Rest) -> None:
    given = [
        "publish",
        str(ROOT / "build/pipelines/training.yaml"),
        "--repository",
        "https://x-kfp.pkg.dev/acme/pipelines",
        "--tag",
        "a",
        "--tag",
        "b",
    ]
    done = CliRunner().invoke(app, given)
    assert done.output == "published: https://x-kfp.pkg.dev/acme/pipelines/training/sha256:1234\n"
    assert b"a,b" in repository.requests[0].raw
    repository.fail("POST", 403, "no")
    refused = CliRunner().invoke(app, given)
    assert "the repository refuses it" in str(refused.exception)

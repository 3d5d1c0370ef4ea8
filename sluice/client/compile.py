"""`sluice compile`: components and pipelines to YAML, everything a cluster needs.

Sources are loaded by path, so that users compile their own files the same way.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from sluice.client import settings
from sluice.config.platform import DIGEST, Kubernetes, Platform
from sluice.errors import SluiceError

if TYPE_CHECKING:
    from sluice.config.usecase import UseCase

IMAGE = re.compile(r"^(?:[^/]+/)*sluice/(?P<name>[a-z-]+):(?P<tag>[^@]+)$")
IMAGE_VARIABLE = "SLUICE_IMAGE"
"""Tells a step which image it runs in: no container knows its own name and digest."""


@dataclass(frozen=True)
class Images:
    """How image names are completed.

    Attributes:
        registry: put before every image of ours, e.g. ``europe-docker.pkg.dev/project/sluice``; empty: as written.
        tag: instead of the library's version.
        digests: image name (``light``, ``tensorflow``) to ``sha256:...``; a digest goes before a tag.
    """

    registry: str = ""
    tag: str = ""
    digests: dict[str, str] = field(default_factory=dict)

    def complete(self, image: str) -> str:
        """An image's full name; images that are not ours are left alone."""
        match = IMAGE.match(image)
        if not match:
            return image
        name = f"{self.registry.rstrip('/')}/{match['name']}" if self.registry else f"sluice/{match['name']}"
        if digest := self.digests.get(match["name"]):
            return f"{name}@{digest}"
        return f"{name}:{self.tag or match['tag']}"


TARGETS = ("portable", "kubeflow")
"""``portable``: one document, for Vertex AI and Kubeflow. ``kubeflow``: a second one has the settings of the pods."""


def compile_all(root: Path, out: Path, images: Images, use_case: UseCase | None = None) -> list[Path]:
    """Compile ``components/*/component.py`` and ``pipelines/*.py`` of a checkout.

    Args:
        root: the checkout.
        out: ``components/<name>.yaml``, ``pipelines/<name>.yaml``, ``pipelines/kubeflow/<name>.yaml`` and
            ``sluice.schema.json`` go there.
        images: how image names are completed.
        use_case: whose `resources` and `platform` the pipelines get; None: the defaults.

    Returns:
        The files written.
    """
    sources = [(path, out / "components") for path in sorted(root.glob("components/*/component.py"))]
    sources += [(path, out / "pipelines") for path in sorted(root.glob("pipelines/[a-z]*.py"))]
    if not sources:
        raise SluiceError(
            "no components and no pipelines here", where=str(root), remedy="run it in a checkout of Sluice"
        )
    targets = [target for path, folder in sources for target in compile_file(path, folder, images, use_case)]
    return [*targets, _editor_schema(out / "sluice.schema.json")]


def _editor_schema(target: Path) -> Path:
    """The JSON Schema of sluice.yaml, by which editors complete and check it."""
    from sluice.config.usecase import UseCase

    target.write_text(json.dumps(UseCase.model_json_schema(), indent=2) + "\n")
    return target


def compile_file(path: Path, out: Path, images: Images, use_case: UseCase | None = None) -> list[Path]:
    """Compile what a file defines (not what it imports) to ``<out>/<name>.yaml``.

    Raises:
        SluiceError: it defines no component and no pipeline.
    """
    from kfp.dsl import base_component

    module = _load(path)
    found = {
        name: value for name, value in vars(module).items()
        if isinstance(value, base_component.BaseComponent) and name == _own_name(path)
    } or {
        name: value for name, value in vars(module).items() if isinstance(value, base_component.BaseComponent)
    }  # fmt: skip
    if not found:
        raise SluiceError("no component and no pipeline is defined here", where=str(path),
                          remedy="define one with @dsl.component or @dsl.pipeline")  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    return [
        target
        for name, value in found.items()
        for target in _write(value, out, name.replace("_", "-"), images, use_case)
    ]


def _own_name(path: Path) -> str:
    return path.parent.name if path.name == "component.py" else path.stem


def _load(path: Path) -> Any:
    """Import a file by its path, as part of its package where it is in one."""
    path = path.absolute()
    root = path.parent
    while (root / "__init__.py").exists():
        root = root.parent
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    name = ".".join(path.relative_to(root).with_suffix("").parts)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SluiceError("not a Python file", where=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _write(component: Any, out: Path, name: str, images: Images, use_case: UseCase | None) -> list[Path]:
    """A component's file, or a pipeline's for every target."""
    from kfp import compiler
    from kfp.dsl.graph_component import GraphComponent

    with tempfile.TemporaryDirectory() as scratch:
        raw = Path(scratch) / "raw.yaml"
        compiler.Compiler().compile(component, str(raw))
        text = raw.read_text()
    spec, *more = yaml.safe_load_all(text)
    header = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    is_pipeline = isinstance(component, GraphComponent)
    for executor in spec["deploymentSpec"]["executors"].values():
        container = executor["container"]
        container["image"] = images.complete(container["image"])
        if is_pipeline:  # kfp 2.17 cannot load a component that has an environment
            container["env"] = [*container.get("env", []), {"name": IMAGE_VARIABLE, "value": container["image"]}]
    if is_pipeline:
        settings.settle(spec, use_case.resources if use_case else {})
    targets = [_save(out / f"{name}.yaml", header, [spec, *more])]
    if is_pipeline and not more:  # whoever sets pods in a pipeline's own file has a Kubeflow build already
        pods = settings.kubernetes_document(spec, use_case.platform.kubernetes if use_case else Kubernetes())
        targets.append(_save(out / "kubeflow" / f"{name}.yaml", header, [spec, pods]))
    return targets


def _save(target: Path, header: str, documents: list[Any]) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.write_text(f"{header}\n{yaml.safe_dump_all(documents, sort_keys=True, width=10_000, allow_unicode=True)}")
    partial.rename(target)
    return target


def _pair(item: str) -> tuple[str, str]:
    """An image's name and digest, from an option."""
    name, _, digest = item.partition("=")
    if not name or not re.match(DIGEST, digest):
        raise SluiceError(f"{item!r} is not NAME=sha256:... of 64 hexadecimal digits", where="--digest",
                          remedy="take the line as `make images-push` writes it to digests.txt")  # fmt: skip
    return name, digest


def command(
    root: Annotated[Path, typer.Argument(help="The checkout.")] = Path(),
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("build"),
    registry: Annotated[str, typer.Option(help="Registry and path of the images.")] = "",
    tag: Annotated[str, typer.Option(help="Tag of the images; default: the library's version.")] = "",
    digest: Annotated[
        list[str] | None, typer.Option(help="[b]NAME=sha256:...[/b], e.g. of tensorflow; may be repeated.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="A use case, whose resources and platform the pipelines get.")
    ] = None,
) -> None:
    """Compile every component and pipeline to YAML: portable, and for Kubeflow with the settings of its pods.

    Example: sluice compile --config examples/flights --registry europe-docker.pkg.dev/my-project/sluice --tag 0.1.0
    """
    from sluice.config.load import load

    use_case = load(config) if config else None
    known = use_case.platform if use_case else Platform()
    pairs = {**known.digests, **dict(_pair(item) for item in digest or [])}
    for target in compile_all(root, out, Images(registry or known.registry, tag or known.tag, pairs), use_case):
        typer.echo(target)

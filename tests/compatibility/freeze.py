"""Write a frozen sample of what this release stores: ``tests/compatibility/<name>/``.

    .venv/bin/python -m tests.compatibility.freeze NAME

A use case is trained, promoted, refused, rolled back, withdrawn, adopted and routed with the code of this checkout. All
URIs in it are relative, so that a test can copy the folder anywhere. Run once for each format, before the first change;
a folder is never made again.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.fakes.kubernetes import Kubernetes

HERE = Path(__file__).parent
ROWS, SPANS = 4000, 3
COLUMNS = ("late", "distance", "temperature", "departure_hour", "carrier", "origin")
USE_CASE = """\
name: frozen
source: {uri: "data/span-{SPAN}.csv"}
label: late
features:
  numeric: [distance, temperature, departure_hour]
  categorical: [carrier, origin]
trainer: {name: linear, steps: 600, batch_size: 64, learning_rate: 0.03}
policies:
  data: {min_rows: 300}
  model:
    floor: "off"
    rules:
      - {metric: auc, at_least: 0.52}
      - {metric: auc, non_inferior_by: 0.2}
  service: {}
destination: published
ledger: ledger
"""


class Quiet:
    """Watches a run, and says nothing."""

    def started(self, step: Any) -> None:
        pass

    def said(self, step: Any, message: str) -> None:
        pass

    def ended(self, step: Any) -> None:
        pass


def tables(folder: Path) -> None:
    """Three random thirds of a month of flights, and a fourth table that is too small to be trained on."""
    import pandas as pd

    flights = pd.read_parquet(HERE.parents[1] / "examples" / "flights" / "data" / "span-03.parquet")[list(COLUMNS)]
    rows = flights.sample(ROWS * SPANS, random_state=15)
    folder.mkdir()
    for span in range(SPANS):
        rows.iloc[span * ROWS : (span + 1) * ROWS].to_csv(folder / f"span-{span + 1}.csv", index=False)
    rows.iloc[:60].to_csv(folder / "span-4.csv", index=False)


def train(span: int, *destinations: str, **overrides: Any) -> Path:
    """Run the training pipeline; returns the folder of its artifacts."""
    from sluice.client import catalog
    from sluice.client.local import Run
    from sluice.config.load import arguments, load
    from sluice.promotion.ledger import Ledger

    print(f"span {span} to {', '.join(destinations)}", flush=True)
    use_case = load(Path("sluice.yaml"), overrides)
    given = arguments(use_case, str(span), {"by": "freeze"}) | {"destinations": list(destinations), "ledger": "ledger"}
    given["source"]["uri"] = "data/span-{SPAN}.csv"  # as written: a path of this machine is no part of the sample
    run = Run(Path(tempfile.mkdtemp()), Quiet())
    run.pipeline(catalog.path("pipelines", "training"), given)
    print("  ", run.steps[-1].name, run.steps[-1].values, Ledger.at("ledger").last().reasons[:2], flush=True)
    (artifacts,) = (run.folder / "artifacts").iterdir()
    return artifacts


def keep_run(artifacts: Path) -> None:
    """The artifacts of one run as ``run/<step>/<artifact>``."""
    for step in sorted(artifacts.iterdir()):
        for artifact in sorted(path for path in step.iterdir() if path.name != "executor_output.json"):
            target = Path("run", step.name, artifact.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(artifact, target) if artifact.is_dir() else shutil.copyfile(artifact, target)


def withdrawn() -> None:
    """A push whose destination fails after its entry: a file stands where the version is to be published."""
    from sluice.promotion.ledger import Kind, Ledger

    version = Ledger.at("ledger").champion().version + 1
    Path("published", str(version)).write_text("not a version")
    train(3, "published")
    Path("published", str(version)).unlink()
    assert Ledger.at("ledger").last().kind is Kind.WITHDRAWN


def journal() -> None:
    """Records of two writers, of which the older are pruned."""
    from sluice.promotion.journal import Observation, Record
    from sluice.promotion.ledger import Ledger

    ledger = Ledger.at("ledger")
    for number in range(4):
        record = Record(
            kind=Observation.OBSERVED, time=f"2026-0{number + 1}-01T00:00:00+00:00", version=1, span=str(number)
        )
        ledger.journal.append("monitor", record)
    ledger.journal.append("retrain", Record(kind=Observation.WAITED, reasons=("no new span",)))
    assert ledger.prune(datetime(2026, 3, 1, tzinfo=UTC), reason="the frozen sample needs one", by="freeze") is not None
    ledger.journal.append("monitor", Record(kind=Observation.SCORED, version=1, facts={"rows": 100}))


def routed() -> None:
    """A version on KServe (its stand-in) that is given more of the traffic."""
    from kubernetes import config

    from sluice.promotion.destinations import kserve
    from sluice.promotion.route import route

    kserve.POLL = 0.01
    with Kubernetes().running() as service, tempfile.TemporaryDirectory() as scratch:
        os.environ["KUBECONFIG"] = str(service.config(Path(scratch)))
        config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION = os.environ["KUBECONFIG"]
        train(2, "published", "kserve://models/frozen?storage=kserve&canary=20", **{"trainer.seed": 7})
        route("ledger", percent=100, reason="quiet for a day", by="freeze")
        train(3, "published")  # from here on the folder alone is the destination
    shutil.rmtree("kserve")


def expected() -> dict[str, Any]:
    """What a later release has to find."""
    from sluice.promotion.ledger import SERVED, Ledger

    ledger = Ledger.at("ledger")
    entries = list(ledger.entries())[::-1]
    champion = ledger.champion()
    return {
        "kinds": [entry.kind.value for entry in entries],
        "digests": [entry.digest for entry in entries],
        "versions": [entry.version for entry in entries if entry.kind in SERVED],
        "champion": champion.version,
        "model": champion.model,
        "published": sorted(int(path.name) for path in Path("published").iterdir() if path.name.isdigit()),
    }


def main(name: str) -> None:
    from sluice.promotion import approved_policies
    from sluice.promotion.ledger import Ledger
    from sluice.promotion.rollback import rollback

    out = HERE / name
    out.mkdir()
    os.chdir(out)
    Path("sluice.yaml").write_text(USE_CASE)
    tables(Path("data"))
    train(4, "published")  # refused by the data gate
    train(1, "published")
    keep_run(train(2, "published"))
    train(3, "published", trainer={"name": "sklearn", "estimator": "sklearn.linear_model.LogisticRegression"})
    rollback("ledger", reason="the frozen sample needs one", by="freeze")
    Path("sluice.yaml").write_text(USE_CASE.replace("at_least: 0.52", "at_least: 0.53"))
    from sluice.config.load import load

    approved_policies.adopt(
        "ledger", load(Path("sluice.yaml")).policies.model_dump(mode="json"), reason="a higher bound", by="freeze"
    )
    withdrawn()
    journal()
    routed()
    assert not Ledger.at("ledger").verify()
    Path("expected.json").write_text(json.dumps(expected(), indent=2) + "\n")
    print(json.dumps(expected()["kinds"]))


if __name__ == "__main__":
    main(sys.argv[1])

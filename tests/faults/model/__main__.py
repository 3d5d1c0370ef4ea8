"""Print both tables: python -m tests.faults.model"""

from __future__ import annotations

from tests.faults.model.planted import cases, policy
from tests.faults.model.simulate import rates


def main() -> None:
    law = policy()
    print("| planted model | verdict | rules that closed the gate | right |\n| --- | --- | --- | --- |")
    for case in cases():
        verdict = case.verdict(law)
        closing = ", ".join(sorted({f"{r.rule} {r.subject}" for r in verdict.reasons if r.closes}))
        print(
            f"| {case.name} | {verdict.status} | {closing} | {'yes' if verdict.status in case.right else 'NO'} |",
            flush=True,
        )
    print(
        "\n| metric | the challenger is truly | blessed | refused | undecided | interval covers |\n| --- | --- | --- | --- | --- | --- |"
    )
    for metric, margin in (("auc", 0.01), ("log_loss", 0.01)):
        for r in rates(metric, margin):
            print(
                f"| {r.metric} | {r.truth} | {r.blessed:.1%} | {r.refused:.1%} | {r.undecided:.1%} | {r.coverage:.1%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()

"""Reading the waivers that a policy takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from sluice.gates.model.waiver import Waiver
from sluice.progress import progress
from sluice.storage import Store

if TYPE_CHECKING:
    from datetime import datetime

    from sluice.gates.model.policy import ModelPolicy


def valid(policy: ModelPolicy, now: datetime) -> list[Waiver]:
    """The waivers that count now; those that do not are told, with the reason."""
    if not policy.waivers:
        return []
    store, counted = Store.at(policy.waivers), []
    for key in sorted(name for name in store.keys("") if name.endswith(".json")):
        try:
            waiver = Waiver.model_validate_json(store.get(key))
            objection = waiver.objection(policy.waiver_keys, now)
        except ValidationError as error:
            objection = f"it cannot be read ({error.error_count()} fields are wrong)"
        if objection:
            progress(f"the waiver {key} does not count: {objection}")
        else:
            counted.append(waiver)
    return counted

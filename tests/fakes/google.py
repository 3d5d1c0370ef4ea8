"""What Google's REST APIs have in common: error bodies, long-running operations, messages checked by their protos."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format

from tests.fakes.rest import ProblemError, Request, Rest

CODES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
         409: "ALREADY_EXISTS", 412: "FAILED_PRECONDITION", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}  # fmt: skip


def parsed(message: Any, body: Any) -> Any:
    """A request's body as the API's own message; unknown fields are refused, as the service refuses them."""
    try:
        return message.from_json(json.dumps(body), ignore_unknown_fields=False)
    except json_format.ParseError as error:
        raise ProblemError(400, f"Invalid JSON payload received. {error}") from error


def plain(message: Any) -> Any:
    """A message as the API writes it."""
    return json_format.MessageToDict(type(message).pb(message))


@dataclass
class Google(Rest):
    """A Google service.

    Attributes:
        operations: operation name to its JSON.
        polls: how many looks an operation needs until it is done.
    """

    operations: dict[str, Any] = field(default_factory=dict)
    polls: int = 0

    def __post_init__(self) -> None:
        self.routes.append(("GET", r"/(?:v1|v1beta1|ui)/(projects/.*/operations/\d+)", self._operation))

    def operation(self, parent: str, response_type: str, response: Any, error: ProblemError | None = None) -> Any:
        """A long-running operation that ends with a response, or with an error."""
        name = f"{parent}/operations/{len(self.operations) + 1}"
        ended: dict[str, Any] = {"name": name, "done": True}
        if error:
            ended["error"] = {"code": 13, "message": error.message}
        else:
            ended["response"] = {"@type": f"type.googleapis.com/{response_type}", **response}
        self.operations[name] = {"left": self.polls, "ended": ended}
        return self._state(name)

    def _operation(self, _: Request, name: str) -> Any:
        if name not in self.operations:
            raise ProblemError(404, f"The operation {name} is not found.")
        self.operations[name]["left"] -= 1
        return self._state(name)

    def _state(self, name: str) -> Any:
        known = self.operations[name]
        return known["ended"] if known["left"] <= 0 else {"name": name, "done": False}

    def error(self, problem: ProblemError) -> Any:
        """See `Rest.error`."""
        status = CODES.get(problem.status, "INTERNAL")
        return {"error": {"code": problem.status, "message": problem.message, "status": status}}

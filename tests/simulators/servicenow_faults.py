"""What goes wrong in ServiceNow's own way, for a plan of `faults.Faults`."""

import json
from collections.abc import Callable, Sequence

from tests.simulators.faults import HTML, JSON, says
from tests.simulators.http import Fault, Response, Wire

TOO_LONG = {
    "error": {
        "message": "Transaction cancelled: maximum execution time exceeded",
        "detail": "Transaction cancelled: maximum execution time exceeded Check logs for error trace",
    },
    "status": "failure",
}
ASLEEP = (
    b"<html><head><title>Instance Hibernating page</title></head><body>Your instance is hibernating</body></html>"
)


def _cancelled(wire: Wire, do: Callable[[], Response]) -> None:
    """The output had begun: 200, a part of the result, and the error behind it, which is no JSON together."""
    response = do()
    half = response.body[: len(response.body) // 2]
    error = json.dumps(TOO_LONG).encode().removeprefix(b"{")
    wire.send(Response(200, response.headers, half + b"," + error))


def _cancelled_tidily(wire: Wire, do: Callable[[], Response]) -> None:
    """The same, between two rows: 200, good JSON, some rows less than there are, and an error."""
    response = do()
    value = json.loads(response.body) if response.body else {}
    result = value.get("result")
    part = result[: len(result) // 2] if isinstance(result, list) else result
    wire.send(Response(200, response.headers, json.dumps({"result": part, **TOO_LONG}).encode()))


COMMITS_AND_IS_CANCELLED = Fault("commits and is cancelled", commits=True, run=_cancelled)
COMMITS_AND_IS_CANCELLED_TIDILY = Fault("commits and is cancelled tidily", commits=True, run=_cancelled_tidily)
IS_CANCELLED = says("is cancelled", Response(200, JSON, json.dumps(TOO_LONG).encode()), commits=False)
IS_CANCELLED_IN_QUEUE = says(
    "is cancelled in the queue", Response(500, JSON, json.dumps(TOO_LONG).encode()), commits=False
)
HIBERNATES = says("hibernates", Response(200, HTML, ASLEEP), commits=False)

SERVICENOW_LOST: Sequence[Fault] = (IS_CANCELLED, IS_CANCELLED_IN_QUEUE, HIBERNATES)
SERVICENOW_COMMITTED: Sequence[Fault] = (COMMITS_AND_IS_CANCELLED, COMMITS_AND_IS_CANCELLED_TIDILY)

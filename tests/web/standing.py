"""What a daemon says of itself that is well, and what tests change of it."""

import json
from collections.abc import Mapping
from typing import Any

from tests.engine import made
from watchkeeper.domain.watch import Watch
from watchkeeper.web.exposition import Reading
from watchkeeper.web.status import Condition, status

IDLE = Reading(made.NOW_MS, {}, {}, 0, 0, 0, 0, 0, 0, (), ("desk",))
FINE = Condition(
    version="1.2.3",
    started_ms=made.NOW_MS - 60_000,
    uptime_s=60.1234,
    not_ready=(),
    missed_runs=0,
    scheduler_lag_s=0.0,
    database_failing_s=0.0,
    database_silent_s=2.5,
    reload_successful=True,
    outbox_ms=made.NOW_MS - 2_500,
    last_outcomes={"desk": ""},
)


def told(reading: Reading = IDLE, condition: Condition = FINE, watch: Watch | None = None) -> Mapping[str, Any]:
    """A status as it is read again from its JSON."""
    plan = made.plan([made.probe("web"), made.probe("db")], made.rule())
    of = watch or Watch(plan)
    found: Mapping[str, Any] = json.loads(json.dumps(status(reading, condition, of)))
    return found

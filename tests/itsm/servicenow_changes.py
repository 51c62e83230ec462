"""Changes in a simulated ServiceNow, as people plan them there."""

from collections.abc import Sequence

from tests.simulators.servicenow import Instance
from tests.simulators.servicenow_store import Row
from tests.simulators.servicenow_times import raw_time

HOUR = 3_600_000
WEEK = 7 * 24 * HOUR


def plan(
    instance: Instance,
    title: str = "Patch",
    *,
    hours: tuple[float, float] | None = (1, 2),
    worked: tuple[float, float] | None = None,
    ci: str = "web01",
    more: Sequence[str] = (),
    services: Sequence[str] = (),
    **given: str,
) -> Row:
    """An approved change.

    Args:
        hours: from now, when it is planned to begin and to end. `worked`: likewise when it was worked on.
        ci: the name of its CI. `more`: those of affected CIs, `services`: of impacted services.
    """
    now = instance.clock()
    values = {"short_description": title, "state": "-2", "approval": "approved", "on_hold": "false"}
    values |= {"cmdb_ci": instance.id_of("cmdb_ci", ci)} if ci else {}
    for names, span in ((("start_date", "end_date"), hours), (("work_start", "work_end"), worked)):
        if span is not None:
            values |= {name: raw_time(now + round(at * HOUR)) for name, at in zip(names, span, strict=True)}
    row = instance.add("change_request", **{**values, **given})
    for name in more:
        instance.add("task_ci", task=row["sys_id"], ci_item=instance.id_of("cmdb_ci", name))
    for name in services:
        found = instance.id_of("cmdb_ci_service", name)
        instance.add("task_cmdb_ci_service", task=row["sys_id"], cmdb_ci_service=found)
    return row

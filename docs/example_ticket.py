"""A ticket as it comes out of the code, for the page that shows one."""

from collections.abc import Iterator
from typing import Final

from watchkeeper import probers
from watchkeeper.config.expression import Compiler
from watchkeeper.config.template import compile_template
from watchkeeper.domain.earlier import Earlier
from watchkeeper.domain.effect import Effect
from watchkeeper.domain.probe import Category, Every, Probe, Sample, Status
from watchkeeper.domain.rule import Escalation, Hold, IncidentPolicy, Match, Rule, Severity
from watchkeeper.domain.service import Criticality, Service
from watchkeeper.domain.ticket import Command, Language, TicketChange, TicketDraft, TicketPolicy
from watchkeeper.domain.units import format_time
from watchkeeper.domain.watch import Plan, Watch

_MINUTE: Final = 60_000
_BEGIN: Final = 1_795_424_400_000  # a Monday morning
_DAY: Final = 24 * 60 * _MINUTE
_WHEN: Final = 'values.used_percent > 90 && avg("used_percent", "10m") > 85'
_USED: Final = (84.0, 92.5, 94.0, 95.5, *[97.25] * 31, 61.0, 61.0)


def plan(language: Language) -> Plan:
    """A database on a disk that fills up."""
    disk = probers.find("disk")
    services = (
        Service("db", "Orders database", owner="team-db", criticality=Criticality.HIGH, ci="CI0042"),
        Service("shop", "Web shop", depends_on=("db",)),
        Service("invoices", "Invoices", depends_on=("shop",)),
    )
    rule = Rule(
        id="disk-full",
        title=compile_template(
            "{{ service.title }}: {{ probe.id }} is {{ values.used_percent | round | int }}% full"
        ),
        match=Match(),
        when=_WHEN,
        conditions={"disk": Compiler(disk).compile(_WHEN)},
        severity=Severity.MAJOR,
        incident=IncidentPolicy(escalation=(Escalation(30 * _MINUTE, Severity.CRITICAL),)),
        hold=Hold(for_ms=2 * _MINUTE),
        runbook="https://wiki.example.com/disk-full",
        labels={"team": compile_template("{{ service.owner }}")},
        annotations={"advice": compile_template("{{ values.free_bytes | size }} are left.")},
    )
    probe = Probe("db-data", "disk", "db", Category.CAPACITY, Every(_MINUTE), 10_000, None)
    return Plan(
        services={service.id: service for service in services},
        probes={probe.id: probe},
        rules={rule.id: rule},
        default_backend="desk",
        policies={"desk": TicketPolicy(language=language)},
        url="https://watchkeeper.example.com",
    )


def ticket(language: Language) -> Iterator[str]:
    """The title of a ticket, its description, and its notes."""
    for effect in _effects(plan(language)):
        if isinstance(effect, Command) and isinstance(effect.payload, TicketDraft):
            yield effect.payload.title
            yield effect.payload.description
        elif isinstance(effect, Command) and isinstance(effect.payload, TicketChange):
            yield f"{format_time(effect.created_ms)}  {effect.payload.note}"


def _effects(of: Plan) -> Iterator[Effect]:
    earlier = Earlier(88, _BEGIN - 9 * _DAY, _BEGIN - 9 * _DAY + 125 * _MINUTE, "DESK-81")
    watch = Watch(of, next_incident_id=104, earlier_incidents={"disk-full/probe=db-data": (earlier,)})
    yield from watch.revise(of, _BEGIN)
    for n, used in enumerate(_USED):
        values = {"used_percent": used, "free_bytes": (100 - used) * 2**30, "inodes_used_percent": 12.5}
        message = f"/srv/db is {used:g}% full"
        yield from watch.observe(Sample("db-data", _BEGIN + n * _MINUTE, Status.UP, 0.002, values, message=message))

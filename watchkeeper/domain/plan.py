"""The configuration as the domain sees it: what shall be watched, and what is said of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from watchkeeper.domain.briefing import Briefing
from watchkeeper.domain.knowledge import NOTHING_KNOWN, Knowledge
from watchkeeper.domain.phrases import Phrases, phrases_in
from watchkeeper.domain.probe import Probe
from watchkeeper.domain.recurrence import ProblemPolicy
from watchkeeper.domain.report import SourcePolicy
from watchkeeper.domain.rule import Rule
from watchkeeper.domain.service import Service
from watchkeeper.domain.storm import StormPolicy
from watchkeeper.domain.ticket import TicketPolicy

Describe = Callable[[Briefing], str]
"""Writes the description of a ticket."""


@dataclass(frozen=True, slots=True)
class CorrelationPolicy:
    """How alerts become incidents.

    `group_wait_ms`: how long an alert waits for what comes with it. `group_interval_ms`: how long an incident waits
    between telling its ticket of changes that need nobody at once. `storm`: `None`: nothing is too much.
    `attribute_within_ms`: how long after a change trouble may be its consequence.
    """

    group_wait_ms: int = 0
    group_interval_ms: int = 0
    storm: StormPolicy | None = None
    attribute_within_ms: int = 14_400_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What shall be watched. Every probe's service is in `services`.

    `policies`: how the tickets of each backend are dealt with. `descriptions`: who writes those of a backend, where
    that is not `briefing.describe`. `url`: where watchkeeper's own pages are, without a slash at its end.
    `knowledge`: what helps with incidents. `problems`: when their repeats are problems. `sources`: how what others
    report is dealt with.
    """

    services: Mapping[str, Service]
    probes: Mapping[str, Probe]
    rules: Mapping[str, Rule]
    default_backend: str
    policies: Mapping[str, TicketPolicy] = field(default_factory=dict)
    descriptions: Mapping[str, Describe] = field(default_factory=dict)
    url: str = ""
    correlation: CorrelationPolicy = CorrelationPolicy()
    knowledge: Knowledge = NOTHING_KNOWN
    problems: ProblemPolicy = field(default_factory=ProblemPolicy)
    sources: Mapping[str, SourcePolicy] = field(default_factory=dict)

    def policy_of(self, backend: str) -> TicketPolicy:
        """How a backend's tickets are dealt with; one that is gone is treated like any other."""
        return self.policies.get(backend, _USUAL)

    def words_of(self, backend: str) -> Phrases:
        """What is said in a backend's tickets."""
        return phrases_in(self.policy_of(backend).language)

    def service_of(self, service_id: str) -> Service:
        """A service, known or gone."""
        return self.services.get(service_id) or Service(service_id, service_id)


_USUAL = TicketPolicy()


def reusing(plan: Plan, before: Plan) -> Plan:
    """The plan, with the very probes of an earlier one where they are equal: a look tells that nothing changed."""
    probes = {
        probe_id: known if (known := before.probes.get(probe_id)) == probe else probe
        for probe_id, probe in plan.probes.items()
    }
    return replace(plan, probes=probes)

"""Small probes, rules and samples for tests of decisions, with nothing behind them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from watchkeeper.domain.probe import Category, Every, Probe, Sample, Status
from watchkeeper.domain.rule import Hold, IncidentPolicy, Level, Match, Rule, Scope, Severity
from watchkeeper.domain.service import Service
from watchkeeper.domain.watch import Plan
from watchkeeper.domain.window import Unanswerable

AT_ONCE = Hold()
EVERY_PROBE = Match()
SHOP = Service("shop", "Web shop", owner="team-web")


@dataclass(frozen=True)
class When:
    """A condition that is a Python function."""

    ask: Callable[[Scope], bool]
    spans_ms: Mapping[str, int] = field(default_factory=dict)
    asks_missed: bool = False

    def __call__(self, scope: Scope) -> bool:
        return self.ask(scope)

    def explain(self, scope: Scope) -> list[tuple[str, str]]:
        return [(f"values.{name}", f"{value:g}") for name, value in scope.sample.values.items()]


@dataclass(frozen=True)
class Text:
    """A title that is a Python function."""

    say: Callable[[Scope], str] = lambda scope: f"{scope.probe.id} is {scope.sample.status}"
    spans_ms: Mapping[str, int] = field(default_factory=dict)

    def __call__(self, scope: Scope) -> str:
        return self.say(scope)


def is_down(scope: Scope) -> bool:
    return scope.sample.status is Status.DOWN


def is_full(scope: Scope) -> bool:
    """Can not be told of a sample that lacks the value."""
    if (used := scope.sample.values.get("used")) is None:
        raise Unanswerable("no used")
    return used > 90


def rule(
    name: str = "down",
    when: When | Callable[[Scope], bool] = is_down,
    hold: Hold = AT_ONCE,
    group_by: tuple[str, ...] = ("probe",),
    match: Match = EVERY_PROBE,
    backend: str | None = None,
    title: Text = Text(),
) -> Rule:
    condition = when if isinstance(when, When) else When(when)
    policy = IncidentPolicy(Level.MEDIUM, Level.HIGH, group_by, backend)
    return Rule(name, title, match, "up", {"http": condition}, Severity.MAJOR, policy, hold, "https://wiki/run")


def probe(name: str = "home", service: str = "shop", **labels: str) -> Probe:
    return Probe(name, "http", service, Category.HEALTH, Every(60_000), 10_000, None, labels)


def plan(*parts: Probe | Rule | Service) -> Plan:
    services = {part.id: part for part in (SHOP, *parts) if isinstance(part, Service)}
    probes = {part.id: part for part in parts if isinstance(part, Probe)}
    rules = {part.id: part for part in parts if isinstance(part, Rule)}
    return Plan(services, probes, rules, "desk")


def sample(at_ms: int, status: Status = Status.UP, name: str = "home", message: str = "", **values: float) -> Sample:
    return Sample(name, at_ms, status, 0.25, values, {}, message or f"it is {status}")

"""Who else may report trouble: what the daemon's file says of them."""

import pytest

from tests.config.folder import DAEMON, Folder
from watchkeeper.config.sourcemodels import SourceType
from watchkeeper.domain.report import SourcePolicy
from watchkeeper.domain.rule import Severity
from watchkeeper.schema.fields import Secret

SOURCE = "{type: alertmanager, token: {env: T}, service: shop"


def source_line(more: str = "") -> str:
    return f"{DAEMON}sources: {{am: {SOURCE}{more}}}}}\n"


def test_a_source_has_what_is_usual(folder: Folder) -> None:
    folder.write("watchkeeper.yaml", source_line())
    config = folder.load()
    source = config.sources["am"]
    assert (source.type, source.token) == (SourceType.ALERTMANAGER, Secret("env", "T"))
    assert (source.service_label, source.severity_label, source.expire_ms) == ("service", "severity", 90_000_000)
    assert config.plan.sources == {"am": SourcePolicy("alertmanager", "shop")}


def test_what_is_said_of_a_source_is_taken_over(folder: Folder) -> None:
    folder.write(
        "watchkeeper.yaml",
        source_line(
            ", service_label: team, severity_label: level, severities: {P1: critical}, severity: minor, "
            "group_by: [cluster, groupKey], backend: desk, expire: 10m"
        ),
    )
    source = folder.load().sources["am"]
    assert (source.service_label, source.severity_label, source.expire_ms) == ("team", "level", 600_000)
    assert source.policy == SourcePolicy("alertmanager", "shop", ("cluster", "groupKey"), "desk")


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        ("P1", Severity.CRITICAL),
        ("Warning", Severity.INFO),
        ("page", Severity.CRITICAL),
        ("PAGE", Severity.CRITICAL),
        ("info", Severity.INFO),
        ("", Severity.MAJOR),
        ("odd", Severity.MAJOR),
    ],
)
def test_names_of_severities_mean_what_the_source_says_or_is_usual(
    folder: Folder, name: str, severity: Severity
) -> None:
    folder.write("watchkeeper.yaml", source_line(", severities: {P1: critical, Warning: info}"))
    assert folder.load().sources["am"].severity_of(name) is severity


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            ", service: shpo",
            "5:65: sources.am.service: there is no service 'shpo' (did you mean 'shop'?); there is shop",
        ),
        (", backend: snow", "sources.am.backend: there is no backend 'snow'; there is desk"),
        (
            ", group_by: [rule]",
            "sources.am.group_by: rule is not known of what others report: name labels, or service",
        ),
        (", expire: 10", "sources.am.expire: 10 has no unit"),
        (", severities: {P1: huge}", "sources.am.severities.P1: 'huge' is not accepted: one of critical"),
    ],
)
def test_a_mistake_is_found(folder: Folder, more: str, said: str) -> None:
    text = source_line(more) if "service" not in more else source_line().replace("service: shop", "service: shpo")
    folder.write("watchkeeper.yaml", text)
    assert said.partition("sources")[2] in folder.problem()


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ("am: {type: alertmanager, service: shop}", "sources.am.token: is required and not set"),
        ("am: {type: alertmanager, service: shop, token: secret}", "sources.am.token: a secret does not stand in"),
        ("a/b: {type: events, service: shop, token: {env: T}}", "sources.a/b"),
        ("am: {type: nagios, service: shop, token: {env: T}}", "sources.am.type"),
        (
            "a: {type: events, service: shop, token: {env: T}}, b: {type: events, service: shop, token: {env: T}}",
            "sources.b.token: is that of 'a' as well: each source has a token of its own",
        ),
        (
            "a: {type: events, service: shop, token: {env: T}, group_by: [groupKey]}",
            "sources.a.group_by: groupKey is what Alertmanager sends",
        ),
    ],
)
def test_a_source_that_can_not_be_is_refused(folder: Folder, sources: str, said: str) -> None:
    folder.write("watchkeeper.yaml", f"{DAEMON}sources: {{{sources}}}\n")
    assert said in folder.problem()

"""What tickets are written in, and users' own descriptions of them."""

from dataclasses import replace

import pytest

from tests.config.folder import DAEMON, Folder
from watchkeeper.config.description import NAMES, compile_description
from watchkeeper.config.template import TemplateError
from watchkeeper.domain.briefing import MOST_TEXT
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.domain.ticket import Command, Language, TicketDraft
from watchkeeper.domain.watch import Watch

TWO_DESKS = "{default: a, language: zh, backends: {a: {type: local}, b: {type: local, language: en}}}"


def opened(folder: Folder, backend: str | None = None, **values: float) -> TicketDraft:
    """The ticket of the first incident."""
    plan = folder.load().plan
    plan = replace(plan, default_backend=backend or plan.default_backend)
    watch = Watch(plan)
    watch.revise(plan, 0)
    effects = watch.observe(Sample("home", 60_000, Status.DOWN, 0.25, values, message="refused"))
    effects += watch.advance(60_000 + plan.correlation.group_wait_ms)
    [draft] = [effect.payload for effect in effects if isinstance(effect, Command)]
    assert isinstance(draft, TicketDraft)
    return draft


def described(folder: Folder, template: str, **values: float) -> str:
    indented = template.replace("\n", "\n    ")
    folder.write("watchkeeper.yaml", f"{DAEMON}itsm:\n  description: |-\n    {indented}\n")
    return opened(folder, None, **values).description


def test_tickets_are_in_english_unless_the_configuration_says_otherwise(folder: Folder) -> None:
    assert folder.load().plan.policies["desk"].language is Language.ENGLISH
    folder.write("watchkeeper.yaml", f"{DAEMON}itsm: {{language: zh}}\n")
    assert opened(folder).description.startswith("shop: home: refused\n\n开始时间：")


def test_a_backend_may_have_a_language_of_its_own(folder: Folder) -> None:
    folder.write("watchkeeper.yaml", f"{DAEMON}itsm: {TWO_DESKS}\n")
    policies = folder.load().plan.policies
    assert (policies["a"].language, policies["b"].language) == (Language.CHINESE, Language.ENGLISH)


def test_a_backend_whose_language_is_left_empty_has_that_of_all(folder: Folder) -> None:
    desks = "{a: {type: local, language: null}, b: {type: local, language: }}"
    folder.write("watchkeeper.yaml", f"{DAEMON}itsm: {{default: a, language: zh, backends: {desks}}}\n")
    policies = folder.load().plan.policies
    assert (policies["a"].language, policies["b"].language) == (Language.CHINESE, Language.CHINESE)


def test_a_language_that_there_is_not_is_refused(folder: Folder) -> None:
    folder.write("watchkeeper.yaml", f"{DAEMON}itsm: {{language: fr}}\n")
    assert folder.problem() == "watchkeeper.yaml:5:18: itsm.language: 'fr' is not accepted: one of en, zh"


def test_tickets_link_to_their_incident_where_the_configuration_says_where_pages_are(folder: Folder) -> None:
    assert "http" not in opened(folder).description.replace("(http, health)", "")
    folder.write("watchkeeper.yaml", f"{DAEMON}web: {{url: https://watch.example/keeper/}}\n")
    assert "Incident: INC-1 https://watch.example/keeper/incidents/INC-1\n" in opened(folder).description


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://x", "must be a URL that begins with http:// or https:// and names a host"),
        ("https://x/?a=b", "ends where a ? or a # would begin"),
    ],
)
def test_a_url_that_can_not_be_linked_to_is_refused(folder: Folder, url: str, said: str) -> None:
    folder.write("watchkeeper.yaml", f"{DAEMON}web: {{url: '{url}'}}\n")
    assert folder.problem() == f"watchkeeper.yaml:5:12: web.url: {said}"


def test_a_description_of_ones_own_has_the_names_of_rules_and_of_the_incident(folder: Folder) -> None:
    template = """\
*{{ incident.number }}* P{{ incident.priority }} {{ service.title }}{% if not up %} is not up{% endif %}
{{ why }}
{{ samples }}{{ dependants }}{{ earlier }}{{ page }}
{{ values.nothing }} {{ incident.severity }} {{ incident.started }}"""
    assert described(folder, template, total_seconds=1.5).splitlines() == [
        "*INC-1* P2 shop is not up",
        "Why the rule down fired:",
        '  Its condition: status == "down"',
        '  status = "down"',
        "Last samples (times in UTC):",
        "  time                 status  duration  total_seconds",
        "  1970-01-01 00:01:00  down    0.250 s   1.5",
        "? major 1970-01-01 00:01:00Z",
    ]


def test_a_description_may_add_to_what_is_there_otherwise(folder: Folder) -> None:
    usual = opened(folder).description
    assert described(folder, "Call {{ service.owner or 'the desk' }}.\n\n{{ text }}") == f"Call the desk.\n\n{usual}"


def test_every_name_of_a_description_stands_for_something(folder: Folder) -> None:
    for name in NAMES:
        said = described(folder, f"[{{{{ {name} }}}}]")
        assert said.startswith("["), name
        assert "?" not in said, name


def test_a_description_that_fails_costs_nobody_the_ticket(folder: Folder) -> None:
    said = described(folder, "{{ 1 / 0 }}")
    assert said.startswith("shop: home: refused\n\nSince:")
    assert said.endswith("(The template of descriptions failed: division by zero)")


def test_a_description_is_never_longer_than_the_bound(folder: Folder) -> None:
    assert len(described(folder, "{{ text }}\n" * 300)) <= MOST_TEXT + 2


def test_each_backend_may_have_a_description_of_its_own(folder: Folder) -> None:
    backends = "{a: {type: local, description: 'of a'}, b: {type: local}}"
    folder.write("watchkeeper.yaml", f"{DAEMON}itsm: {{default: a, description: of all, backends: {backends}}}\n")
    assert opened(folder).description == "of a"
    assert opened(folder, "b").description == "of all"


def test_a_mistake_in_a_description_is_found_with_its_line(folder: Folder) -> None:
    text = f"{DAEMON}itsm:\n  description: |\n    fine\n    {{{{ incident.numbr }}}}\n"
    folder.write("watchkeeper.yaml", text)
    assert folder.problem().startswith(
        "watchkeeper.yaml:8:5: itsm.description: there is no 'incident.numbr' here (did you mean 'incident.number'?)"
    )


def test_a_mistake_in_a_backends_description_names_the_backend(folder: Folder) -> None:
    text = f"{DAEMON}itsm: {{backends: {{a: {{type: local, description: '{{{{ wyh }}}}'}}}}}}\n"
    folder.write("watchkeeper.yaml", text)
    said = folder.problem()
    assert said.startswith(
        "watchkeeper.yaml:5:49: itsm.backends.a.description: there is no 'wyh' here (did you mean 'why'?)"
    )


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        ("{{ text }}\n{{ avg('x', '1h') }}", "functions are not called here: `why` tells", 2),
        ("{% for a in text %}{% endfor %}", "for is not accepted in a template", 1),
        ("a\nb\n{{ text ", "is no valid template: ", 3),
        ("{{ facts }}{{ service.titel }}", "there is no 'service.titel' here", 1),
        ("x" * 4001, "is longer than 4000 characters", 1),
    ],
)
def test_a_description_that_can_not_be_is_refused(text: str, said: str, line: int) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_description(text)
    assert str(caught.value).startswith(said)
    assert caught.value.line == line

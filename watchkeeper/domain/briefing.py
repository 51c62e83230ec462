"""What a first responder is told of a new incident: in plain text, with the most important first."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from watchkeeper.domain.article import Found, Source, excerpt
from watchkeeper.domain.columns import columns
from watchkeeper.domain.earlier import Earlier
from watchkeeper.domain.incident import Incident
from watchkeeper.domain.phrases import ENGLISH, Phrases
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.domain.rule import Hold, Rule, Scope, priority
from watchkeeper.domain.service import Service
from watchkeeper.domain.units import format_number, format_time

MOST_NAMED: Final = 10  # dependants, probes, reasons
MOST_VALUES: Final = 3  # columns of the table of samples
MOST_TEXT: Final = 20_000  # characters of a description
MOST_ARTICLES: Final = 2

_MOST_LINE: Final = 1000
_MOST_CELL: Final = 24
_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Briefing:
    """A new incident, and what is known around it.

    `rule`, `scope`: `None` where the incident follows another one and they are not at hand. `dependants`: services
    that can not work without the incident's, the nearest first. `reasons`: what the rule's condition asked about, and
    what that was. `url`: of watchkeeper's own pages. `follows`: the
    incident that it takes the place of, and `opening` why. `knowledge`: what may help, the best first.
    """

    incident: Incident
    service: Service
    rule: Rule | None = None
    scope: Scope | None = None
    reasons: Sequence[tuple[str, str]] = ()
    dependants: Sequence[Service] = ()
    earlier: Sequence[Earlier] = ()
    url: str = ""
    words: Phrases = ENGLISH
    follows: Incident | None = None
    opening: str = ""
    knowledge: Sequence[Found] = ()


def describe(briefing: Briefing) -> str:
    """The whole text."""
    parts = (_symptom(briefing), _head(briefing), why(briefing), samples(briefing), *_rest(briefing))
    return bounded("\n\n".join(part for part in parts if part))


def bounded(text: str) -> str:
    """A text of a length that can be kept, cut at a line."""
    return text if len(text) <= MOST_TEXT else text[: text.rfind("\n", 0, MOST_TEXT)][:MOST_TEXT].rstrip() + "\n…"


def one_line(text: str) -> str:
    """What somebody said, without line breaks, and not too long."""
    line = " ".join(text[: 2 * _MOST_LINE].split())
    return line if len(line) <= _MOST_LINE else line[: _MOST_LINE - 1] + "…"


def named(names: Sequence[str], words: Phrases) -> str:
    """Some names, of many the first."""
    listed = words.listed.join(names[:MOST_NAMED])
    return words.and_others.format(listed=listed, count=len(names) - MOST_NAMED) if names[MOST_NAMED:] else listed


def why(briefing: Briefing) -> str:
    """The rule's condition, what it saw, and for how long it held."""
    rule, scope, words = briefing.rule, briefing.scope, briefing.words
    if rule is None or scope is None:
        return ""
    lines = [f"{words.label.format(name=words.condition)}{one_line(rule.when)}"]
    lines += [f"{name} = {value}" for name, value in briefing.reasons[:MOST_NAMED]]
    lines += [held(rule.hold, words)] if briefing.reasons else []
    return "\n".join([words.why.format(rule=rule.id), *(f"  {line}" for line in lines if line)])


def reasons(rule: Rule, scope: Scope) -> Sequence[tuple[str, str]]:
    """What a rule's condition asks about, and what that is. Nothing where it was not asked, as of a silence."""
    condition = rule.conditions.get(scope.probe.prober)
    if condition is None or (scope.sample.status is Status.UNKNOWN and not condition.asks_missed):
        return ()
    return condition.explain(scope)


def held(hold: Hold, words: Phrases) -> str:
    """For how long a condition held before the alert fired, as a sentence. Empty where once was enough."""
    if hold.failures > 1:
        pattern = words.held_times if hold.failures == hold.of else words.held_of
        return pattern.format(count=hold.failures, of=hold.of)
    return words.held_for.format(elapsed=words.elapsed(hold.for_ms)) if hold.for_ms else ""


def samples(briefing: Briefing) -> str:
    """The last samples, as a table. The values that the condition asks about come first."""
    scope, words = briefing.scope, briefing.words
    if scope is None:
        return ""
    trail = scope.trail or (scope.sample,)
    names = _values(trail, briefing.reasons)[:MOST_VALUES]
    rows = [(words.time, words.status, words.duration, *(_cell(name) for name in names))]
    rows += [
        (
            format_time(sample.at_ms).removesuffix("Z"),
            words.statuses[sample.status],
            words.seconds.format(seconds=f"{sample.duration_s:.3f}" if sample.duration_s >= 0 else "?"),
            *(format_number(sample.values[name]) if name in sample.values else "" for name in names),
        )
        for sample in trail
    ]
    return "\n".join([words.samples, *(f"  {line}" for line in columns(rows))])


def _values(trail: Sequence[Sample], asked: Sequence[tuple[str, str]]) -> list[str]:
    """The names of the values that the samples have, those that the condition asks about first."""
    there = dict.fromkeys(name for sample in reversed(trail) for name in sample.values)
    words = {word for term, _ in asked for word in _WORD.findall(term)}
    return sorted(there, key=lambda name: name not in words)


def _cell(text: str) -> str:
    return text if len(text) <= _MOST_CELL else text[: _MOST_CELL - 1] + "…"


def needed_by(briefing: Briefing) -> str:
    """The services that can not work without the incident's."""
    titles = [one_line(service.title) for service in briefing.dependants]
    listed = briefing.words.listed.join(titles[:MOST_NAMED])
    return briefing.words.and_more.format(listed=listed) if titles[MOST_NAMED:] else listed


def earlier(briefing: Briefing) -> str:
    """The last incidents of the same key, a line for each."""
    words = briefing.words
    return "\n".join(
        (words.earlier_ticket if one.ticket_number else words.earlier_one).format(
            number=one.number,
            time=format_time(one.started_ms),
            elapsed=words.elapsed(one.resolved_ms - one.started_ms),
            ticket=one.ticket_number,
        )
        for one in briefing.earlier
    )


def knowledge(briefing: Briefing) -> str:
    """What may help: of each article its title, why it was chosen, its first lines, and where to read on."""
    return "\n".join(line for found in briefing.knowledge[:MOST_ARTICLES] for line in _known(found, briefing.words))


def _known(found: Found, words: Phrases) -> Iterator[str]:
    article = found.article
    reasons = words.listed.join(words.whys[reason.why].format(what=one_line(reason.what)) for reason in found.reasons)
    pattern = words.resolution if article.source is Source.RESOLUTION else words.article
    yield pattern.format(title=one_line(article.title), place=one_line(article.place or article.id), why=reasons)
    for part, said in article.parts:
        yield from (f"  {words.label.format(name=words.parts[part])}{line}" for line in excerpt(said, 1))
    yield from (f"  {one_line(line)}" for line in excerpt(article.body))
    if article.url:
        yield f"  {one_line(article.url)}"


def page(briefing: Briefing) -> str:
    """The URL of the incident's own page, if there are pages."""
    return f"{briefing.url}/incidents/{briefing.incident.number}" if briefing.url else ""


def _symptom(briefing: Briefing) -> str:
    incident, scope, words = briefing.incident, briefing.scope, briefing.words
    message = "" if scope is None else one_line(scope.sample.message)
    said = incident.title
    if message and message not in said:
        said = words.symptom.format(title=said, message=message)
    return "\n".join(filter(None, [said, briefing.opening[:1].upper() + briefing.opening[1:]]))


def _head(briefing: Briefing) -> str:
    label = briefing.words.label
    rows = [(label.format(name=name), text) for name, text in _lines(briefing) if text]
    return "\n".join(columns(rows, gap=""))


def _lines(briefing: Briefing) -> Iterator[tuple[str, str]]:
    incident, words, old = briefing.incident, briefing.words, briefing.follows
    since = format_time(incident.started_ms)
    before_ms = incident.opened_ms - incident.started_ms
    yield words.since, words.since_text.format(time=since, elapsed=words.elapsed(before_ms)) if before_ms else since
    if old is not None:
        pattern = words.follows_ticket if old.ticket_number else "{number}"
        yield words.follows, pattern.format(number=old.number, ticket=old.ticket_number)
    yield words.service, _service(briefing)
    yield words.ci, briefing.service.ci
    yield words.needed_by, needed_by(briefing)
    yield _probes(briefing)
    yield words.priority, _priority(briefing)
    if briefing.scope is None:
        yield words.rule, incident.rule_id
    yield words.runbook, incident.runbook
    yield words.page, f"{incident.number} {page(briefing)}".strip()


def _service(briefing: Briefing) -> str:
    service, words = briefing.service, briefing.words
    is_titled = service.title != service.id
    title = one_line(service.title)
    parts = [words.service_text.format(title=title, id=service.id) if is_titled else service.id]
    parts += [words.owner.format(owner=one_line(service.owner))] if service.owner else []
    parts.append(words.criticality.format(level=words.criticalities[service.criticality]))
    return words.clauses.join(parts)


def _probes(briefing: Briefing) -> tuple[str, str]:
    words, scope = briefing.words, briefing.scope
    ids = sorted({ref.probe_id for ref in briefing.incident.firing})
    if scope is None or len(ids) > 1:
        return words.probes, named(ids, words)
    probe = scope.probe
    pattern = words.probe_at if probe.host else words.probe_text
    category = words.categories[probe.category]
    return words.probe, pattern.format(probe=probe.id, host=probe.host, prober=probe.prober, category=category)


def _priority(briefing: Briefing) -> str:
    incident, rule, words = briefing.incident, briefing.rule, briefing.words
    number = priority(incident.impact, incident.urgency)
    impact, urgency = words.levels[incident.impact], words.levels[incident.urgency]
    text = words.priority_text.format(
        number=number, name=words.priorities[number - 1], impact=impact, urgency=urgency
    )
    is_set = rule is not None and not (rule.incident.impact is None and rule.incident.urgency is None)
    reason = (words.by_rule if is_set else words.by_severity).format(
        severity=words.severities[incident.severity],
        criticality=words.criticalities[briefing.service.criticality],
    )
    return words.clauses.join((text, reason))


def _rest(briefing: Briefing) -> Iterator[str]:
    incident, words = briefing.incident, briefing.words
    for name, text in incident.annotations:
        yield f"{words.label.format(name=name)}{text}"
    for heading, lines in ((words.knowledge, knowledge(briefing)), (words.earlier, earlier(briefing))):
        if lines:
            yield "\n".join([heading, *(f"  {line}" for line in lines.splitlines())])
    if incident.labels:
        labels = words.listed.join(f"{name}={text}" for name, text in incident.labels)
        yield f"{words.label.format(name=words.labels)}{labels}"
    yield words.signature.format(number=incident.number, key=incident.key)

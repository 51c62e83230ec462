"""What was learnt from incidents, as articles: what ended them, and what is known of the problem behind them."""

from dataclasses import dataclass
from typing import Final

from watchkeeper.domain.article import Article, Asked, Fit, Part, Source, literal
from watchkeeper.domain.incident import Incident, incident_number
from watchkeeper.domain.rule import Scope

MOST_TEXT: Final = 2_000
"""Characters that are kept of what people say about how an incident was resolved."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a person said when an incident's ticket was resolved. `text`: empty where there was nothing to say."""

    incident_id: int
    key: str
    rule: str
    service: str
    resolved_ms: int
    text: str
    ticket_number: str = ""
    url: str = ""

    def article(self) -> Article:
        """For the next time: best for the same trouble, and for the same rule at the same service."""
        number = incident_number(self.incident_id)
        fit = Fit(rules=(literal(self.rule),), services=(literal(self.service),), key=self.key)
        return Article(
            id=number,
            title=number,
            body=self.text,
            source=Source.RESOLUTION,
            fit=fit,
            url=self.url,
            place=self.ticket_number,
            at_ms=self.resolved_ms,
        )


@dataclass(frozen=True, slots=True)
class KnownError:
    """What a problem record says of its trouble, and the rule and the service of the incidents behind it. `service`:
    empty for any."""

    number: str
    title: str
    rule: str
    service: str
    known_error: str = ""
    workaround: str = ""
    root_cause: str = ""
    url: str = ""

    def article(self) -> Article | None:
        """`None` while nothing is known yet."""
        said = (
            (Part.KNOWN_ERROR, self.known_error),
            (Part.WORKAROUND, self.workaround),
            (Part.ROOT_CAUSE, self.root_cause),
        )
        parts = tuple((part, text.strip()) for part, text in said if text.strip())
        if not parts:
            return None
        fit = Fit(rules=(literal(self.rule),), services=(literal(self.service),) if self.service else ())
        return Article(
            id=self.number,
            title=self.title,
            source=Source.KNOWN_ERROR,
            fit=fit,
            url=self.url,
            place=self.number,
            parts=parts,
        )


def asked_about(incident: Incident, scope: Scope | None) -> Asked:
    """What knowledge is asked about an incident. `scope`: `None` where its alert's is not at hand."""
    return Asked(
        rule=incident.rule_id,
        prober="" if scope is None else scope.probe.prober,
        service=incident.service,
        message="" if scope is None else scope.sample.message,
        title=incident.title,
        labels={} if scope is None else {**scope.probe.labels, **dict(incident.labels)},
        key=incident.key,
    )

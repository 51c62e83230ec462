"""watchkeeper's own JSON of events: one object, or a list of them."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from watchkeeper.config.sources import Source
from watchkeeper.domain.instants import parse_instant_ms
from watchkeeper.domain.report import MOST_TEXT, Report, ReportState, cleaned, key_of
from watchkeeper.domain.units import DURATION_HELP, parse_duration_ms
from watchkeeper.web.payload import Payload, bounded_names, read_json_list


def _duration_ms(value: Any) -> int:
    if not isinstance(value, str):
        raise ValueError(f"must be a text: accepted is {DURATION_HELP}")
    return parse_duration_ms(value)


def _instant_ms(value: Any) -> int:
    if not isinstance(value, str):
        raise ValueError("must be a text such as 2026-11-25T08:30:00Z")
    return parse_instant_ms(value)


Instant = Annotated[int, BeforeValidator(_instant_ms)]
Short = Annotated[str, Field(max_length=500)]


class Event(BaseModel):
    """An event. A docstring under a field is its help text."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    key: Annotated[str, Field(min_length=1, max_length=500)]
    """Which trouble it is, among all of the source: the same for its beginning, its repeats and its end."""
    state: ReportState = ReportState.FIRING
    """`firing` or `over`."""
    title: Short = ""
    """The ticket's title. Required of what fires."""
    severity: Short = ""
    """`critical`, `major`, `minor`, `info`, or a name that the source's `severities` explains. Where it changes while
    the trouble lasts, the incident gets worse, but never better."""
    service: Short = ""
    """The service, by its id. That of the source where it is not set, or there is none of this name."""
    rule: Short = "event"
    """What is wrong, such as `disk-full`: repeats are counted by it."""
    message: Annotated[str, Field(max_length=20_000)] = ""
    """What was seen."""
    labels: dict[str, str] = Field(default_factory=dict)
    """What silences, windows and `group_by` go by."""
    annotations: dict[str, str] = Field(default_factory=dict)
    """What else shall stand in the ticket."""
    url: Short = ""
    """Where more of it is seen."""
    runbook: Short = ""
    """Where it stands what to do."""
    at: Instant | None = None
    """When it was so, with a time zone: `2026-11-25T08:30:00Z`. Of two events of a key the later one counts,
    whichever arrives first. When it arrives if it is not set."""
    began: Instant | None = None
    """Since when the trouble lasts; `at` if it is not set."""
    expires_in: Annotated[int | None, BeforeValidator(_duration_ms)] = None
    """After what time it is over if it is not sent again, such as `10m`. As the source says if it is not set."""

    @model_validator(mode="after")
    def _has_title(self) -> Self:
        if self.state is ReportState.FIRING and not self.title.strip():
            raise ValueError("title is required of what fires")
        return self


def read(source: Source, body: bytes, _content_type: str, now_ms: int) -> Payload:
    """The events of a request.

    Raises:
        Unreadable: one of them is none. The text names its field.
    """
    return Payload([_report(source, event, now_ms) for event in read_json_list(Event, body)])


def _report(source: Source, event: Event, now_ms: int) -> Report:
    at_ms = now_ms if event.at is None else min(event.at, now_ms)
    severity = source.severity_of(event.severity or event.labels.get(source.severity_label, ""))
    ttl_ms = source.expire_ms if event.expires_in is None else event.expires_in
    rule = cleaned(event.rule) or "event"
    return Report(
        source=source.name,
        key=key_of(event.key),
        state=event.state,
        at_ms=at_ms,
        rule=f"{rule}/{severity}",
        title=cleaned(event.title),
        severity=severity,
        service=cleaned(event.service or event.labels.get(source.service_label, "")),
        began_ms=at_ms if event.began is None else min(event.began, at_ms),
        labels=bounded_names(event.labels),
        annotations=bounded_names(event.annotations),
        message=cleaned(event.message, MOST_TEXT),
        url=cleaned(event.url, MOST_TEXT),
        runbook=cleaned(event.runbook, MOST_TEXT),
        condition=rule,
        expires_ms=None if ttl_ms is None else now_ms + ttl_ms,
    )

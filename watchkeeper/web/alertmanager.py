"""What Prometheus's Alertmanager sends to a webhook.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from watchkeeper.config.sources import Source
from watchkeeper.domain.report import GROUP_LABEL, MOST_TEXT, Report, ReportState, cleaned, fingerprint, key_of
from watchkeeper.web.payload import Payload, Unreadable, bounded_names, read_json

VERSION: Final = "4"

_RUNBOOKS: Final = ("runbook_url", "runbook")
_TITLES: Final = ("summary", "title")
_MESSAGES: Final = ("description", "message")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class _Status(StrEnum):
    FIRING = "firing"
    RESOLVED = "resolved"


class _Version(_Model):
    version: str = ""


class _Alert(_Model):
    status: _Status
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    starts: Annotated[str, Field(alias="startsAt")]
    ends: Annotated[str, Field(alias="endsAt")] = ""
    generator_url: Annotated[str, Field(alias="generatorURL")] = ""
    fingerprint: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{0,64}$")] = ""


class _Notification(_Model):
    group_key: Annotated[str, Field(alias="groupKey")] = ""
    left_out: Annotated[int, Field(alias="truncatedAlerts", ge=0)] = 0
    alerts: list[_Alert]


def read(source: Source, body: bytes, _content_type: str, now_ms: int) -> Payload:
    """The alerts of a notification.

    Raises:
        Unreadable: it is none, or of another version.
    """
    version = read_json(_Version, body).version
    if version != VERSION:
        found = f"{version[:20]!r}" if version else "none"
        raise Unreadable(
            f"version: {found} is not known: accepted is {VERSION!r}, what Alertmanager 0.8 and later send"
        )
    notification = read_json(_Notification, body)
    group = key_of(notification.group_key) if GROUP_LABEL in source.policy.group_by else ""
    reports = [_report(source, one, group, f"alerts[{n}]", now_ms) for n, one in enumerate(notification.alerts)]
    return Payload(reports, notification.left_out)


def _report(source: Source, alert: _Alert, group: str, path: str, now_ms: int) -> Report:
    labels, said = alert.labels, alert.annotations
    name = cleaned(labels.get("alertname", "")) or "alert"
    began_ms = _instant_ms(alert.starts, f"{path}.startsAt")
    ended_ms = _instant_ms(alert.ends, f"{path}.endsAt") if alert.ends else 0
    is_firing = alert.status is _Status.FIRING
    expires_ms = None if source.expire_ms is None else now_ms + source.expire_ms
    title = next((said[one] for one in _TITLES if said.get(one)), "")
    told = (*_TITLES, *_MESSAGES, *_RUNBOOKS)
    return Report(
        source=source.name,
        key=_key(alert),
        state=ReportState.FIRING if is_firing else ReportState.OVER,
        # An end is after its beginning, also where a clock says otherwise.
        at_ms=began_ms if is_firing else max(ended_ms or now_ms, began_ms + 1),
        rule=name,
        title=cleaned(title) or name,
        severity=source.severity_of(labels.get(source.severity_label, "")),
        service=cleaned(labels.get(source.service_label, "")),
        began_ms=began_ms,
        labels=bounded_names(labels),
        annotations=bounded_names({name: text for name, text in said.items() if name not in told}),
        message=cleaned(next((said[one] for one in _MESSAGES if said.get(one)), title), MOST_TEXT),
        url=cleaned(alert.generator_url, MOST_TEXT),
        runbook=cleaned(next((said[one] for one in _RUNBOOKS if said.get(one)), ""), MOST_TEXT),
        condition=_selector(name, labels),
        group=group,
        # Alertmanager itself sends no end of what fires; others do, and mean until when it is true.
        expires_ms=ended_ms if ended_ms > now_ms else expires_ms,
    )


def _key(alert: _Alert) -> str:
    mark = alert.fingerprint or fingerprint(json.dumps(sorted(alert.labels.items())))
    instance = cleaned(alert.labels.get("instance", ""), 100)
    return f"{instance}#{mark}" if instance else mark


def _selector(name: str, labels: dict[str, str]) -> str:
    """As one would look for it in Prometheus."""
    inside = ", ".join(f'{label}="{value}"' for label, value in sorted(labels.items()) if label != "alertname")
    return cleaned(f"{name}{{{inside}}}", MOST_TEXT)


def _instant_ms(text: str, path: str) -> int:
    """A time as Go writes it. The first year is none."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Unreadable(f"{path}: {text[:40]!r} is not a time such as 2026-11-25T08:30:00Z") from None
    if at.tzinfo is None:
        raise Unreadable(f"{path}: {text[:40]!r} has no time zone")
    return 0 if at.year < 1971 else round((at - _EPOCH).total_seconds() * 1000)

"""Any receiver of HTTP calls: an automation, a chat, a ticket system of one's own.

Each call carries its command's key as `Idempotency-Key`, so that one that comes twice is carried out once. The
receiver is told what to do, and never asked.
"""

import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, JsonValue, TypeAdapter, ValidationError, field_validator

from watchkeeper.domain.rule import priority
from watchkeeper.domain.ticket import Ticket, TicketChange, TicketDraft, TicketState
from watchkeeper.itsm._http import Answer, Http
from watchkeeper.itsm._options import TimeoutMs, confidential, reveal
from watchkeeper.itsm._template import RenderError, compile_document
from watchkeeper.itsm.base import (
    Ambiguous,
    BackendKind,
    BackendOptions,
    Call,
    Denied,
    Finding,
    Outcome,
    Rejected,
    Surroundings,
    Unavailable,
)
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import SECRET_HELP, HttpUrl, Secret, SecretRef, TextOrSecret, Verify

TIMESTAMP: Final = "Watchkeeper-Timestamp"
SIGNATURE: Final = "Watchkeeper-Signature"
IDEMPOTENCY: Final = "Idempotency-Key"
OF_CREATE: Final = (
    "event", "key", "kind", "title", "description", "service", "ci", "rule", "severity", "impact", "urgency",
    "priority", "labels", "correlation",
)  # fmt: skip
OF_CHANGE: Final = (
    "event", "key", "ref", "number", "title", "note", "state", "impact", "urgency", "priority", "problem",
    "duplicate", "cause",
)  # fmt: skip
NAMES: Final = tuple(dict.fromkeys((*OF_CREATE, *OF_CHANGE)))

_EVENTS: Final = {TicketState.RESOLVED: "resolve", TicketState.OPEN: "reopen"}
_OURS: Final = {"content-length", "content-type", "host", "transfer-encoding"} | {
    name.lower() for name in (TIMESTAMP, SIGNATURE, IDEMPOTENCY)
}
_CREDENTIAL: Final = re.compile(r"authorization|cookie|api-?key|token|secret|password", re.IGNORECASE)
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SAYS_NOTHING: Final = 204
_NOWHERE: Final = (404, 405)
_LOGIN: Final = re.compile(rb"<input[^>]{0,500}type=[\"']?password", re.IGNORECASE)
_MAX_TOLD: Final = 200  # characters of an id or a number that the receiver gives
_URL: Final = TypeAdapter(Annotated[HttpUrl, AfterValidator(confidential)])


def _url(value: str | Secret) -> str | Secret:
    if isinstance(value, str):
        _URL.validate_python(value)
    return value


def _document(value: JsonValue) -> JsonValue:
    render = compile_document(value, NAMES)
    try:
        render(_values(TicketChange(""), None)[0])
    except RenderError as error:
        raise ValueError(f"fails where a name has no value: {error}") from None
    return value


class AnswerFields(Model):
    """Where the receiver's answer, if it is JSON, tells of the ticket: names of fields, with dots into what is
    nested."""

    ref: str | None = None
    """Its id, which later calls carry."""
    number: str | None = None
    """What people call it."""
    url: str | None = None
    """Its page."""


class Options(BackendOptions):
    """A receiver of HTTP calls."""

    url: Annotated[TextOrSecret, AfterValidator(_url)]
    """Where calls go; a secret where who knows it is let in. `http://` is accepted for this machine only."""
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    """The method of all calls."""
    headers: dict[str, TextOrSecret] = Field(default={})
    """Headers of all calls. One that carries a credential names where the secret is kept."""
    secret: SecretRef | None = None
    """What calls are signed with, so that the receiver can tell who they come from."""
    body: Annotated[JsonValue, AfterValidator(_document)] = None
    """The JSON document that is sent, with `{{ NAME }}` in its texts; everything there is to tell if this is not
    set."""
    answer: AnswerFields = AnswerFields()
    """Where the answer tells of the ticket, if it does. Its key stands for what it does not tell."""
    verify: Verify = True
    """Whether the receiver's certificate is verified, or a file with the CAs that may have signed it."""
    timeout: TimeoutMs = 30_000
    """How long a call may take."""

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, str | Secret]) -> dict[str, str | Secret]:
        for name, value in headers.items():
            if not _HEADER.fullmatch(name) or name.lower() in _OURS:
                raise ValueError(f"{name!r} is no header to set")
            if isinstance(value, str) and _CREDENTIAL.search(name):
                raise ValueError(f"{name}: a secret does not stand in the file: accepted is {SECRET_HELP}")
            if isinstance(value, str) and not (value.isascii() and value.isprintable()):
                raise ValueError(f"{name}: a header is one line of plain characters")
        return headers


class WebhookBackend:
    """A receiver by its name in the configuration."""

    def __init__(self, _name: str, options: Options, surroundings: Surroundings) -> None:
        self._options = options
        self._clock = surroundings.clock
        self._render = None if options.body is None else compile_document(options.body, NAMES)
        self._http = Http(
            "",
            verify=options.verify,
            timeout_s=options.timeout / 1000,
            authenticate=lambda: {name: reveal(value) for name, value in options.headers.items()},
            clock=surroundings.clock,
            budget=surroundings.budget,
            judge=_judge,
            accepted_is_done=True,
        )

    def find(self, key: str) -> Sequence[Ticket]:  # noqa: ARG002
        """Nothing: nobody is asked. A call that is made again does no harm."""
        return ()

    def create(self, draft: TicketDraft) -> Ticket:
        fields = self._options.answer
        told = self._send(draft.key, self._document(draft, None), must_tell=fields.ref is not None)
        ref, number, url = _told(told, fields.ref), _told(told, fields.number), _told(told, fields.url)
        return Ticket(ref or draft.key, number or ref or draft.key, draft.key, TicketState.OPEN, draft.title, url)

    def update(self, ticket: Ticket, change: TicketChange) -> Ticket:
        self._send(change.key, self._document(change, ticket))
        return replace(ticket, state=change.state or ticket.state)

    def fetch(self, refs: Iterable[str]) -> Sequence[Ticket]:  # noqa: ARG002
        raise Unavailable("the receiver of a webhook is not asked what became of its tickets")

    def changed(self, within_ms: int) -> Sequence[str] | None:  # noqa: ARG002
        return None

    def preview(self, command: TicketDraft | TicketChange) -> Sequence[Call]:
        url = self._options.url if isinstance(self._options.url, str) else "(secret)"
        ticket = Ticket("REF", "NUMBER", "KEY", TicketState.OPEN, "TITLE")
        return [Call(self._options.method, url, self._document(command, ticket))]

    def check(self) -> Sequence[Finding]:
        """Whether its secrets are there; a call would be carried out."""
        secrets = (self._options.url, self._options.secret, *self._options.headers.values())
        found = []
        for secret in secrets:
            try:
                if secret is not None:
                    reveal(secret)
            except Outcome as outcome:
                found.append(Finding(str(outcome)))
        return found

    def _document(self, command: TicketDraft | TicketChange, ticket: Ticket | None) -> Any:
        values, names = _values(command, ticket)
        if self._render is None:
            return {name: values[name] for name in names}
        try:
            return self._render(values)
        except RenderError as error:
            raise Rejected(f"`body` can not be made: {error}") from None

    def _send(self, key: str, document: Any, *, must_tell: bool = False) -> Any:
        """What the receiver answered; `None` where it is not meant to be JSON.

        Args:
            must_tell: whether an answer that is no JSON is not the whole one. A 204 has none, and is.

        Raises:
            Ambiguous: half an answer.
        """
        body = json.dumps(document, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json"}
        if key:
            headers[IDEMPOTENCY] = key
        if self._options.secret is not None:
            timestamp = str(self._clock() // 1000)
            headers |= {TIMESTAMP: timestamp, SIGNATURE: signature(reveal(self._options.secret), timestamp, body)}
        answer = self._http.call(self._options.method, self._address(), data=body, headers=headers)
        try:
            return answer.json()
        except Ambiguous as outcome:
            if answer.body.lstrip()[:1] in (b"{", b"["):
                raise
            if must_tell and answer.status != _SAYS_NOTHING:
                raise Ambiguous(f"{outcome} (`answer.ref` wants JSON)") from None
            return None

    def _address(self) -> str:
        url = reveal(self._options.url).strip()
        try:
            return _URL.validate_python(url)
        except ValidationError:
            raise Unavailable("the secret for `url` holds no URL that is accepted") from None


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What a call is signed with: the HMAC-SHA256, with the secret, of its timestamp, a dot and its body."""
    return "sha256=" + hmac.new(secret.encode(), f"{timestamp}.".encode() + body, sha256).hexdigest()


def _values(command: TicketDraft | TicketChange, ticket: Ticket | None) -> tuple[dict[str, Any], Sequence[str]]:
    """The values of all names, and which of them there are."""
    values: dict[str, Any] = dict.fromkeys(NAMES, "") | {"labels": {}, "priority": None}
    if command.impact is not None and command.urgency is not None:
        values["priority"] = priority(command.impact, command.urgency)
    values |= {"impact": str(command.impact or ""), "urgency": str(command.urgency or "")}
    if isinstance(command, TicketDraft):
        values |= {
            "event": "create",
            "key": command.key,
            "kind": str(command.kind),
            "severity": str(command.severity),
        }
        for name in ("title", "description", "service", "ci", "rule", "correlation"):
            values[name] = getattr(command, name)
        values["labels"] = dict(command.labels)
        return values, OF_CREATE
    values |= {"note": command.note, "state": str(command.state or "")}
    values |= {"problem": command.problem, "duplicate": command.duplicate, "cause": command.cause}
    values["event"] = "update" if command.state is None else _EVENTS.get(command.state, "update")
    if ticket is not None:
        values |= {"key": ticket.key, "ref": ticket.ref, "number": ticket.number, "title": ticket.title}
    return values, OF_CHANGE


def _told(answer: Any, path: str | None) -> str:
    """What an answer tells under a name; empty where it does not."""
    if path is None:
        return ""
    for name in path.split("."):
        answer = answer.get(name) if isinstance(answer, Mapping) else None
    if isinstance(answer, bool) or not isinstance(answer, str | int):
        return ""
    return " ".join(str(answer).split())[:_MAX_TOLD]


def _judge(answer: Answer) -> None:
    """Any 2xx is done. What is not said to be refused may be done, and is said again."""
    status = answer.status
    if status in (401, 403):
        raise Denied(f"does not accept who asks ({status}): {answer.shown}. Check `headers` and `secret`")
    if status in (409, 425):
        raise Ambiguous(f"is busy with the same call ({status}): {answer.shown}")
    if 200 <= status < 300 and _LOGIN.search(answer.body):
        raise Denied(f"shows a login page ({status}): {answer.shown}. Check `url` and `headers`")
    if 400 <= status < 500 and status not in (407, 408, 429, 499):
        hint = ". Is `url` right, and does it take such calls?" if status in _NOWHERE else ""
        raise Rejected(f"refuses the call ({status}): {answer.shown}{hint}")


KIND = BackendKind(
    "webhook",
    "any receiver of HTTP calls, told by signed JSON documents",
    Options,
    WebhookBackend,
    reads_back=lambda _options: False,
)

"""Calls to a ServiceNow instance, and what its answers mean. Nobody else knows the Table API's shapes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final

from watchkeeper.itsm._http import Answer, Http
from watchkeeper.itsm._servicenow_login import login_of
from watchkeeper.itsm._servicenow_options import Options
from watchkeeper.itsm._text import cut
from watchkeeper.itsm.base import Denied, Rejected, Surroundings, Unavailable

TABLE: Final = "/api/now/table"
EVENTS: Final = "/api/global/em/jsonv2"
SYS_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)

_RAW: Final = {"sysparm_exclude_reference_link": "true", "sysparm_display_value": "all"}
_NO_PLACE: Final = re.compile("does not represent any resource", re.IGNORECASE)
_NOWHERE: Final = (404, 405)
_FOREIGN: Final = (403, 413)  # what a gateway refuses has not got through, whatever it says
_NOT_ALLOWED: Final = re.compile(r"\bACL\b|security constraints|not authorized|insufficient rights", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Row:
    """A record as it was answered: `values` are the stored ones (times in UTC), `shown` what people see. Fields that
    do not exist, or are not to be read, are missing."""

    values: Mapping[str, str]
    shown: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")


@dataclass(frozen=True, slots=True)
class Rows:
    """What a query found. `hidden`: how many records it has that are not shown to who asks."""

    rows: Sequence[Row]
    hidden: int


class NotAllowed(Rejected):
    """Who asks may not change this record."""


class Client:
    """One instance. Every method may raise an Outcome."""

    def __init__(self, options: Options, surroundings: Surroundings) -> None:
        self.url = options.url
        self.behind_ms = 0
        """So much the instance's clock is behind, by its last answer. One that is ahead does not count."""
        self._clock = surroundings.clock
        self._login = login_of(options, surroundings)
        self._http = Http(
            options.url,
            verify=options.verify,
            timeout_s=options.timeout_s,
            authenticate=self._login.headers,
            clock=surroundings.clock,
            budget=surroundings.budget,
        )

    def search(self, table: str, query: str, fields: Sequence[str], limit: int, *, offset: int = 0) -> Rows:
        """The records of a query from the one at `offset` on, `limit` at most. Who asks looks at each whether it is
        one of those: an instance drops a condition that it does not understand."""
        params = {"sysparm_query": query, **_reading(fields), "sysparm_limit": str(limit)}
        params |= {"sysparm_offset": str(offset)} if offset else {}
        answer = self._call("GET", f"{TABLE}/{table}", params)
        result = _result(answer)
        if not isinstance(result, list):
            raise Unavailable("answered a search with something that is no list")
        count = answer.headers.get("X-Total-Count", "")
        if not re.fullmatch(r"\d{1,12}", count, re.ASCII):
            raise Unavailable("does not say how many records there are: some may be hidden")
        return Rows(
            [_row(answer, record) for record in result], max(0, min(int(count) - offset, limit) - len(result))
        )

    def read(self, table: str, sys_id: str, fields: Sequence[str], missing: str) -> Row:
        """One record. `missing`: what is said when there is none, or none for who asks."""
        answer = self._call("GET", f"{TABLE}/{table}/{sys_id}", _reading(fields), missing=missing)
        return _row(answer, _result(answer))

    def create(self, table: str, body: Mapping[str, str], fields: Sequence[str], begin_by_ms: int) -> Row:
        """The new record. Is not even tried after `begin_by_ms`: one knows then when it must be over."""
        self._login.headers()  # a token that is to be fetched takes its time as well
        answer = self._call("POST", f"{TABLE}/{table}", _writing(fields), body, begin_by_ms=begin_by_ms)
        return _row(answer, _result(answer))

    def update(self, table: str, sys_id: str, body: Mapping[str, str], fields: Sequence[str], missing: str) -> Row:
        """The changed record."""
        answer = self._call("PATCH", f"{TABLE}/{table}/{sys_id}", _writing(fields), body, missing=missing)
        return _row(answer, _result(answer))

    def send_event(self, event: Mapping[str, str]) -> None:
        _result(self._call("POST", EVENTS, {}, {"records": [event]}))

    def _call(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: Any = None,
        *,
        missing: str = "",
        begin_by_ms: int | None = None,
    ) -> Answer:
        for last in (False, True):
            if begin_by_ms is not None and self._clock() > begin_by_ms:
                raise Unavailable("took too long before anything could be created")
            try:
                answer = self._http.call(method, path, params=params, json_body=body)
            except Denied:
                self._http.forget()
                if last or not self._login.renew():
                    raise
                continue
            self.behind_ms = _behind_ms(answer, self._clock())
            _refuse(answer, method, path, missing)
            return answer
        raise AssertionError("the last try returns or raises")


def _behind_ms(answer: Answer, now_ms: int) -> int:
    try:
        date = parsedate_to_datetime(answer.headers.get("Date", ""))
    except (ValueError, TypeError):
        return 0
    return max(0, now_ms - round(date.timestamp() * 1000))


def _reading(fields: Sequence[str]) -> dict[str, str]:
    return {"sysparm_fields": ",".join(fields), **_RAW}


def _writing(fields: Sequence[str]) -> dict[str, str]:
    return {**_reading(fields), "sysparm_input_display_value": "false"}


def _refuse(answer: Answer, method: str, path: str, missing: str) -> None:
    """Raises what a status of 400 and more means. A refusal of a record is only what the instance itself has worded:
    a gateway, or somebody else's page, says nothing about it."""
    status = answer.status
    if status < 400:
        return
    own = _own_error(answer)
    said = f"({status}): {answer.shown if own is None else own}"
    if own is None and status not in _FOREIGN:
        text = f"answered with something that is not ServiceNow's {said}"
        raise Unavailable(f"{text}. Is `url` right?") if status in _NOWHERE else answer.unclear(text)
    if status == 400 and _NO_PLACE.search(said):
        raise Unavailable(
            f"has no such place {said}. `url` is where its pages begin: https://example.service-now.com"
        )
    if status == 404:
        if missing:
            raise Rejected(missing)
        raise Unavailable(f"has nothing there {said}. Is `url` right?")
    is_by_policy = own is not None and not _NOT_ALLOWED.search(said)
    if status == 403 and (method == "GET" or not is_by_policy):
        # Whether a record that is changed is the only one that may not be, nobody knows: the others are not held up.
        is_of_record = method == "PATCH" and own is not None
        role = "evt_mgmt_integration" if path == EVENTS else "itil"
        raise (NotAllowed if is_of_record else Denied)(
            f"does not allow it to who asks {said}. Its user needs the role {role}"
        )
    raise Rejected(f"refuses it {said}")


def _own_error(answer: Answer) -> str | None:
    """What an instance says is wrong, in one line. `None` when it was somebody else."""
    try:
        error = answer.json()["error"]
        parts = [error] if isinstance(error, str) else [error.get("message"), error.get("detail")]
    except Exception:  # noqa: BLE001  # whatever a gateway says instead
        return None
    return cut(" ".join(": ".join(str(part) for part in parts if part).split()), 400)


def _result(answer: Answer) -> Any:
    """What an answer of 200 or 201 brings. It may hold an error all the same, beside a part of the result."""
    said = answer.json()
    if not isinstance(said, dict) or "error" in said or "result" not in said:
        raise answer.unclear(f"answered {answer.status} and did not finish: {_own_error(answer) or answer.shown}")
    return said["result"]


def _row(answer: Answer, record: Any) -> Row:
    if not isinstance(record, dict) or not SYS_ID.fullmatch(_text(record.get("sys_id"), "value")):
        raise answer.unclear(f"answered {answer.status} with something that is no record")
    return Row(
        {name: _text(cell, "value") for name, cell in record.items()},
        {name: _text(cell, "display_value") for name, cell in record.items()},
    )


def _text(cell: Any, part: str) -> str:
    """An empty reference is a plain text, everything else has a stored and a shown value."""
    value = cell.get(part) if isinstance(cell, dict) else cell
    return "" if value is None else str(value)

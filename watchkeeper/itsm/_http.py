"""HTTP calls to ticket systems: nothing is tried twice, and every ending has the name of an outcome.

What did not reach the other side is `Unavailable`. What may have, and has no answer that can be understood, is
`Ambiguous` if it was to change something: a time that ran out, a connection that broke, half an answer, a 5xx of a
gateway, a 202, a login page with status 200.
"""

import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.exceptions import InvalidJSONError, RequestException
from urllib3 import disable_warnings
from urllib3.exceptions import HTTPError, InsecureRequestWarning

from watchkeeper import __version__
from watchkeeper.domain.budget import Budget
from watchkeeper.domain.rule import Clock
from watchkeeper.itsm._failures import NO_HEADER, failure, unreadable_cas
from watchkeeper.itsm._options import is_this_machine
from watchkeeper.itsm.base import Ambiguous, Denied, Outcome, Rejected, Throttled, Unavailable

MAX_BODY: Final = 16 * 1024 * 1024
_SHOWN: Final = 300  # characters of an answer that are told
_PAGE: Final = 20_000  # characters of a page in which they are looked for
_READS: Final = ("GET", "HEAD")
_UNFINISHED: Final = (408, 499)  # the call was cancelled, and it is not said when
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")
_TAGS: Final = re.compile(r"<!--.*?(-->|$)|<(script|style)\b.*?(</\2>|$)|<[^>]*(>|$)", re.IGNORECASE | re.DOTALL)

# Who says `verify: false` need not be told with each call.
disable_warnings(InsecureRequestWarning)

Authenticate = Callable[[], Mapping[str, str]]
"""Gives the headers that say who asks. Raises an Outcome when it can not find out."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    reads: bool

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")

    @property
    def shown(self) -> str:
        """The answer as it can be told: its beginning, in one line; of a page what a person would read."""
        text = self.text
        if text.lstrip()[:1] == "<":
            text = " ".join(unescape(_TAGS.sub(" ", text[:_PAGE])).split())
        return _CONTROL.sub(" ", text[:_SHOWN]).strip()

    def json(self) -> Any:
        """What the body says.

        Raises:
            Unavailable, Ambiguous: it says nothing in JSON: a login page, a gateway's word, half an answer.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            kind = self.headers.get("content-type", "no content type")
            raise self.unclear(
                f"answered {self.status} with something that is no JSON ({kind}): {self.shown}"
            ) from None

    def unclear(self, message: str) -> Outcome:
        """The outcome of an answer that tells nothing: what was to be read is not known, what was to be changed may
        have been."""
        return Unavailable(message) if self.reads else Ambiguous(message)


Judge = Callable[[Answer], None]


class Http:
    """Calls to one ticket system. Each thread has a session, and so cookies, of its own.

    Args:
        url: where the system is; paths of calls are added to it.
        verify: as in `fields.Verify`.
        timeout_s: of a whole call, and of connecting.
        authenticate: the headers that say who asks, anew for each call.
        judge: looks at each answer first, whatever its status, and may raise an Outcome of the system's own.
        accepted_is_done: whether a 202 will do.
        headers: what else is sent with each call.
    """

    def __init__(
        self,
        url: str,
        *,
        verify: bool | str,
        timeout_s: float,
        authenticate: Authenticate,
        clock: Clock,
        budget: Budget,
        judge: Judge = lambda _answer: None,
        accepted_is_done: bool = False,
        headers: Mapping[str, str] = {},  # never changed
    ) -> None:
        self.url = url.rstrip("/")
        self._verify = verify
        self._timeout_s = timeout_s
        self._authenticate = authenticate
        self._judge = judge
        self._accepted_is_done = accepted_is_done
        self._clock = clock
        self._budget = budget
        self._headers = {"User-Agent": f"watchkeeper/{__version__}", "Accept": "application/json", **headers}
        self._of_thread = threading.local()

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        json_body: Any = None,
        data: bytes | Mapping[str, str] | None = None,
        headers: Mapping[str, str] = {},  # never changed
        reads: bool | None = None,
    ) -> Answer:
        """Makes one call, follows no redirect, and gives the answer whatever its status below 500, 401 and 429 aside.

        Args:
            reads: whether the call changes nothing; GET does not, a search by POST neither.

        Raises:
            Unavailable: nothing was changed.
            Ambiguous: the call may have been carried out.
            Throttled: 429.
            Denied: 401.
        """
        reads = method in _READS if reads is None else reads
        sent = {**self._headers, **self._authenticate(), **headers}
        self._budget.spend(reads=reads)
        url = path if path.startswith(("http://", "https://")) else f"{self.url}{path}"
        deadline = monotonic() + self._timeout_s
        try:
            with self._session().request(
                method,
                url,
                params=params,
                json=json_body,
                data=data,
                headers=sent,
                proxies=_without_proxy(url),
                timeout=self._timeout_s,
                verify=self._verify,  # with each call: an environment's CAs would win over the session's
                allow_redirects=False,
                stream=True,
            ) as response:
                answer = Answer(response.status_code, response.headers, _read(response, deadline), reads)
        except _TooLong as error:
            raise Unavailable(str(error)) if reads else Ambiguous(str(error)) from None
        except InvalidJSONError as error:
            raise Rejected(f"can not be said in JSON: {error}") from None
        except (RequestException, HTTPError) as error:
            raise failure(error, url, verify=self._verify, reads=reads) from None
        except UnicodeError:
            raise Unavailable(NO_HEADER) from None
        except OSError:  # of the network it would be a RequestException
            raise unreadable_cas(self._verify) from None
        return self._judged(answer)

    def forget(self) -> None:
        """Drops this thread's connections and cookies."""
        if (session := getattr(self._of_thread, "session", None)) is not None:
            session.close()
            del self._of_thread.session

    def _judged(self, answer: Answer) -> Answer:
        self._judge(answer)
        status = answer.status
        if status == 401:
            raise Denied(f"does not know who asks (401): {answer.shown or 'nothing'}. Check `auth`")
        if status == 407:
            raise Unavailable("the proxy wants to know who asks (407)")
        if status == 429:
            wanted = retry_after_s(answer.headers, self._clock())
            raise Throttled(f"asks for fewer calls (429): {answer.shown}", wanted)
        if status == 202 and not answer.reads and not self._accepted_is_done:
            raise Ambiguous("has put the call aside (202), and may carry it out or not")
        if status >= 500 and answer.reads and (wanted := _patience_s(answer.headers, self._clock())):
            raise Throttled(f"failed ({status}) and asks for patience", wanted)
        if status >= 500 or status in _UNFINISHED:
            raise answer.unclear(f"failed ({status}): {answer.shown}")
        if 300 <= status < 400:
            raise answer.unclear(f"sends elsewhere ({status}), to {_told_place(answer.headers)}")
        return answer

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._of_thread, "session", None)
        if session is None:
            session = self._of_thread.session = requests.Session()
            # A .netrc of whoever runs the daemon has no say in who asks.
            session.auth = lambda request: request
        return session


def _told_place(headers: Mapping[str, str]) -> str:
    """Where an answer sends to, without a query: single sign-on puts more there than anybody can read."""
    return _CONTROL.sub(" ", headers.get("location", "nowhere").partition("?")[0])[:_SHOWN]


def _without_proxy(url: str) -> dict[str, str]:
    """What is on this machine is spoken to directly, whatever the environment says: it may be spoken to without TLS,
    which is nobody else's business, and to a proxy this machine is another one."""
    host = urlsplit(url).hostname or ""
    return {"no_proxy": host} if is_this_machine(host) else {}


class _TooLong(Exception):
    """An answer that does not end in time, or is too large."""


def _read(response: requests.Response, deadline: float) -> bytes:
    """The body. Each read gets what is there, so that one that drips does not outlast the deadline."""
    body = bytearray()
    while chunk := response.raw.read1(65536, decode_content=True):
        body += chunk
        if len(body) > MAX_BODY:
            raise _TooLong(f"answered with more than {MAX_BODY // 1024**2} MiB")
        if monotonic() > deadline:
            raise _TooLong("did not end its answer in time")
    return bytes(body)


def retry_after_s(headers: Mapping[str, str], now_ms: int) -> float | None:
    """How long to wait, by `Retry-After` in either form, or by when a limit begins anew. `None`: nothing is said."""
    if (wanted := _patience_s(headers, now_ms)) is not None:
        return wanted
    reset = headers.get("X-RateLimit-Reset", "").strip()
    if re.fullmatch(r"\d{9,11}", reset, re.ASCII):
        return max(0.0, int(reset) - now_ms / 1000)
    try:
        return _until_s(datetime.fromisoformat(reset), now_ms)
    except (ValueError, OverflowError):
        return None


def _patience_s(headers: Mapping[str, str], now_ms: int) -> float | None:
    said = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", said, re.ASCII):
        return float(said)
    try:
        return _until_s(parsedate_to_datetime(said), now_ms)
    except (ValueError, TypeError, OverflowError):
        return None


def _until_s(at: datetime, now_ms: int) -> float:
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, at.timestamp() - now_ms / 1000)

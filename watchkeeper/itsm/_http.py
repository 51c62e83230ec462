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
from time import monotonic
from typing import Any, Final

import requests
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ConnectTimeout, InvalidHeader, ProxyError, RequestException, SSLError
from urllib3.exceptions import NameResolutionError, NewConnectionError

from watchkeeper import __version__
from watchkeeper.domain.budget import Budget
from watchkeeper.domain.rule import Clock
from watchkeeper.itsm.base import Ambiguous, Denied, Outcome, Throttled, Unavailable

MAX_BODY: Final = 16 * 1024 * 1024
_SHOWN: Final = 300  # characters of an answer that are told
_READS: Final = ("GET", "HEAD")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")

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
        """The answer as it can be told: its beginning, in one line."""
        return _CONTROL.sub(" ", self.text[:_SHOWN]).strip()

    def json(self) -> Any:
        """What the body says.

        Raises:
            Unavailable, Ambiguous: it says nothing in JSON: a login page, a gateway's word, half an answer.
        """
        try:
            return json.loads(self.body)
        except ValueError:
            kind = self.headers.get("content-type", "no content type")
            raise self.unclear(
                f"answered {self.status} with something that is no JSON ({kind}): {self.shown}"
            ) from None

    def unclear(self, message: str) -> Outcome:
        """The outcome of an answer that tells nothing: what was to be read is not known, what was to be changed may
        have been."""
        return Unavailable(message) if self.reads else Ambiguous(message)


class Http:
    """Calls to one ticket system. Each thread has a session, and so cookies, of its own.

    Args:
        url: where the system is; paths of calls are added to it.
        verify: as in `fields.Verify`.
        timeout_s: of a whole call, and of connecting.
        authenticate: the headers that say who asks, anew for each call.
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
        headers: Mapping[str, str] = {},  # never changed
    ) -> None:
        self.url = url.rstrip("/")
        self._verify = verify
        self._timeout_s = timeout_s
        self._authenticate = authenticate
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
        self._budget.spend()
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
                timeout=self._timeout_s,
                verify=self._verify,
                allow_redirects=False,
                stream=True,
            ) as response:
                answer = Answer(response.status_code, response.headers, _read(response, deadline), reads)
        except RequestException as error:
            raise _failure(error, reads=reads) from None
        except _TooLong as error:
            raise Unavailable(str(error)) if reads else Ambiguous(str(error)) from None
        return self._judged(answer)

    def forget(self) -> None:
        """Drops this thread's connections and cookies."""
        if (session := getattr(self._of_thread, "session", None)) is not None:
            session.close()
            del self._of_thread.session

    def _judged(self, answer: Answer) -> Answer:
        if answer.status == 401:
            raise Denied(f"does not know who asks (401): {answer.shown}")
        if answer.status == 429:
            wanted = retry_after_s(answer.headers, self._clock())
            raise Throttled(f"asks for fewer calls (429): {answer.shown}", wanted)
        if answer.status == 202 and not answer.reads:
            raise Ambiguous("has put the call aside (202), and may carry it out or not")
        if answer.status >= 500:
            wanted = retry_after_s(answer.headers, self._clock())
            if answer.reads and wanted is not None:
                raise Throttled(f"failed ({answer.status}) and asks for patience", wanted)
            raise answer.unclear(f"failed ({answer.status}): {answer.shown}")
        if 300 <= answer.status < 400:
            raise answer.unclear(f"sends elsewhere ({answer.status}), to {answer.headers.get('location', 'nowhere')}")
        return answer

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._of_thread, "session", None)
        if session is None:
            session = self._of_thread.session = requests.Session()
            # A .netrc of whoever runs the daemon has no say in who asks.
            session.auth = lambda request: request
        return session


class _TooLong(Exception):
    """An answer that does not end in time, or is too large."""


def _read(response: requests.Response, deadline: float) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(65536):
        body += chunk
        if len(body) > MAX_BODY:
            raise _TooLong(f"answered with more than {MAX_BODY // 1024**2} MiB")
        if monotonic() > deadline:
            raise _TooLong("did not end its answer in time")
    return bytes(body)


def _failure(error: RequestException, *, reads: bool) -> Outcome:
    """What of it never reached the other side is sure not to have been done; of the rest nobody knows."""
    text = _plain(error)
    return Unavailable(text) if reads or _never_connected(error) else Ambiguous(text)


def _never_connected(error: RequestException) -> bool:
    if isinstance(error, ConnectTimeout | ProxyError | InvalidHeader):
        return True
    if isinstance(error, SSLError):  # of the handshake, or of a connection that breaks off later
        return re.search("CERTIFICATE_VERIFY_FAILED|WRONG_VERSION_NUMBER|match", str(error)) is not None
    if not isinstance(error, RequestsConnectionError):
        return False
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError | NameResolutionError)


def _plain(error: RequestException) -> str:
    """What went wrong, without the names of the libraries' classes."""
    if isinstance(error, SSLError):
        found = re.search(r"certificate verify failed: ([^('\"]+)", str(error))
        why = found[1].strip() if found else _inner(error)
        return f"its certificate is not accepted: {why}. Set `verify` to the file of the CA that signed it"
    if isinstance(error, ProxyError):
        return f"the proxy does not let the call through: {_inner(error)}"
    if isinstance(error, requests.exceptions.Timeout):
        return "did not answer in time"
    return f"can not be reached: {_inner(error)}" if _never_connected(error) else f"broke off: {_inner(error)}"


def _inner(error: BaseException) -> str:
    reason: Any = error
    while reason.args and isinstance(reason.args[0], BaseException):
        reason = reason.args[0]
    reason = getattr(reason, "reason", reason)
    text = re.sub(r"<[^>]*>:? ?", "", str(reason.args[-1] if getattr(reason, "args", ()) else reason))
    return _CONTROL.sub(" ", text)[:_SHOWN]


def retry_after_s(headers: Mapping[str, str], now_ms: int) -> float | None:
    """How long to wait, by `Retry-After` in either form, or by when a limit begins anew. `None`: nothing is said."""
    if (said := headers.get("Retry-After", "").strip()) != "":
        if re.fullmatch(r"\d{1,9}(\.\d+)?", said):
            return float(said)
        try:
            return max(0.0, parsedate_to_datetime(said).timestamp() - now_ms / 1000)
        except (ValueError, TypeError, OverflowError):
            return None
    reset = headers.get("X-RateLimit-Reset", "").strip()
    if re.fullmatch(r"\d{9,11}", reset):
        return max(0.0, int(reset) - now_ms / 1000)
    try:
        at = datetime.fromisoformat(reset)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, at.timestamp() - now_ms / 1000)

"""Who asks a ServiceNow instance: the headers that say so, and tokens that are fetched anew in time."""

import json
from base64 import b64encode
from collections.abc import Mapping
from threading import Lock
from typing import Final, Protocol

from watchkeeper.itsm._http import Http
from watchkeeper.itsm._options import reveal
from watchkeeper.itsm._servicenow_options import Auth, Options
from watchkeeper.itsm.base import Denied, Surroundings, Unavailable
from watchkeeper.schema.fields import Secret

_EARLY_S: Final = 60.0  # so long before its end a token is not used any more
_UNSAID_S: Final = 300.0  # how long a token is good for that does not say


class Login(Protocol):
    def headers(self) -> Mapping[str, str]:
        """The headers that say who asks. Raises an Outcome when that can not be found out."""

    def renew(self) -> bool:
        """Whether another try may help after a refusal, with something new."""


class Fixed:
    """A password or a key."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth

    def headers(self) -> Mapping[str, str]:
        auth = self._auth
        if auth.api_key is not None:
            return {"x-sn-apikey": reveal(auth.api_key)}
        credentials = f"{_said(auth.username)}:{_said(auth.password)}"
        return {"Authorization": f"Basic {b64encode(credentials.encode()).decode()}"}

    def renew(self) -> bool:
        return False


class OAuth:
    """Tokens by client credentials. One serves all threads, until a minute before it expires."""

    def __init__(self, options: Options, surroundings: Surroundings) -> None:
        self._auth = options.auth
        self._clock = surroundings.clock
        self._http = Http(
            options.url,
            verify=options.verify,
            timeout_s=options.timeout_s,
            authenticate=dict,
            clock=surroundings.clock,
            budget=surroundings.budget,
        )
        self._lock = Lock()
        self._token = ""
        self._until_ms = 0

    def headers(self) -> Mapping[str, str]:
        with self._lock:
            if not self._token or self._clock() >= self._until_ms:
                self._token, life_s = self._fetch()
                self._until_ms = self._clock() + round(max(life_s - _EARLY_S, life_s / 2) * 1000)
            return {"Authorization": f"Bearer {self._token}"}

    def renew(self) -> bool:
        with self._lock:
            self._token = ""
        return True

    def _fetch(self) -> tuple[str, float]:
        asked = {
            "grant_type": "client_credentials",
            "client_id": _said(self._auth.client_id),
            "client_secret": _said(self._auth.client_secret),
        }
        try:
            answer = self._http.call("POST", "/oauth_token.do", data=asked, reads=True)
        except Denied as denied:
            raise Denied(f"gives the OAuth client no token: {denied}") from None
        if answer.status >= 400:
            raise Denied(f"gives the OAuth client no token ({answer.status}): {answer.shown}")
        try:  # what it says is not to be told: it may hold a token
            said = json.loads(answer.body)
            return str(said["access_token"]), float(said.get("expires_in", _UNSAID_S))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise Unavailable("answered the OAuth client with something that holds no token") from None


def login_of(options: Options, surroundings: Surroundings) -> Login:
    return Fixed(options.auth) if options.auth.client_id is None else OAuth(options, surroundings)


def _said(text: str | Secret | None) -> str:
    return "" if text is None else reveal(text)

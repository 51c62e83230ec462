"""OAuth 2.0 client credentials: a token that is fetched anew in time."""

import json
from threading import Lock
from typing import Final

from watchkeeper.domain.rule import Clock
from watchkeeper.itsm._http import Http
from watchkeeper.itsm._options import reveal
from watchkeeper.itsm.base import Denied, Unavailable
from watchkeeper.schema.fields import Secret

_EARLY_S: Final = 60.0  # so long before its end a token is not used any more
_UNSAID_S: Final = 300.0  # how long a token is good for that does not say


class ClientToken:
    """A token of one client. It serves all threads until a minute before it expires.

    Args:
        http: calls without credentials.
        url: of the token endpoint.
    """

    def __init__(self, http: Http, url: str, client_id: str | Secret, secret: str | Secret, clock: Clock) -> None:
        self._http = http
        self._url = url
        self._client = client_id, secret
        self._clock = clock
        self._lock = Lock()
        self._token = ""
        self._until_ms = 0

    def get(self) -> str:
        """The token.

        Raises:
            Denied: the client gets none.
            Unavailable, Throttled: the endpoint does not give one now.
        """
        with self._lock:
            if not self._token or self._clock() >= self._until_ms:
                self._token = ""  # what has expired is none, if no other comes
                self._token, life_s = self._fetch()
                self._until_ms = self._clock() + round(max(life_s - _EARLY_S, life_s / 2) * 1000)
            return self._token

    def forget(self) -> bool:
        """It was not taken: the next one is a new one. False when there is none to forget."""
        with self._lock:
            had, self._token = self._token != "", ""
            return had

    def _fetch(self) -> tuple[str, float]:
        client_id, secret = map(reveal, self._client)
        asked = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        try:
            answer = self._http.call("POST", self._url, data=asked, reads=True)
        except Denied as denied:
            raise Denied(f"gives the OAuth client no token: {denied}") from None
        except Unavailable as outcome:
            raise Unavailable(f"gives the OAuth client no token: its endpoint {outcome}") from None
        if answer.status >= 400:
            text = f"gives the OAuth client no token ({answer.status}): {answer.shown}"
            if answer.body.lstrip()[:1] != b"{":  # whoever this is, it is no token endpoint
                raise Unavailable(f"{text}. Is {self._url} where tokens are fetched?")
            raise Denied(f"{text}. Check `auth`, and whether the client may have client_credentials")
        try:  # what it says is not to be told: it may hold a token
            said = json.loads(answer.body)
            return str(said["access_token"]), float(said.get("expires_in", _UNSAID_S))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise Unavailable("answered the OAuth client with something that holds no token") from None

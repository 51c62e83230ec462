"""Who asks a ServiceNow instance: the headers that say so, and tokens that are fetched anew in time."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Protocol

from watchkeeper.itsm._http import Http
from watchkeeper.itsm._oauth import ClientToken
from watchkeeper.itsm._options import reveal
from watchkeeper.itsm._servicenow_options import Auth, Options
from watchkeeper.itsm.base import Surroundings
from watchkeeper.schema.fields import Secret


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
    """Tokens by client credentials."""

    def __init__(self, options: Options, surroundings: Surroundings) -> None:
        http = Http(
            options.url,
            verify=options.verify,
            timeout_s=options.timeout_s,
            authenticate=dict,
            clock=surroundings.clock,
            budget=surroundings.budget,
        )
        client = options.auth.client_id or "", options.auth.client_secret or ""
        self._token = ClientToken(http, "/oauth_token.do", *client, surroundings.clock)

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._token.get()}"}

    def renew(self) -> bool:
        return self._token.forget()


def login_of(options: Options, surroundings: Surroundings) -> Login:
    return Fixed(options.auth) if options.auth.client_id is None else OAuth(options, surroundings)


def _said(text: str | Secret | None) -> str:
    return "" if text is None else reveal(text)

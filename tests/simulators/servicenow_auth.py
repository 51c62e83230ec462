"""Who asks: passwords, OAuth tokens and API keys of the simulated instance, and the sessions of its clients."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import parse_qsl

from tests.simulators.http import Request, Response, json_response
from tests.simulators.servicenow_refusal import not_authenticated
from watchkeeper.domain.rule import Clock


@dataclass
class User:
    """Somebody with an account. `date_format` is strftime's: what times are shown as, in the time zone."""

    login: str
    password: str
    sys_id: str
    roles: set[str] = field(default_factory=set)
    time_zone: str = "America/Los_Angeles"
    date_format: str = "%d/%m/%Y %H:%M:%S"
    needs_second_factor: bool = False

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles


@dataclass
class OAuthClient:
    """An entry of the application registry. `user`: as whom client_credentials acts, if that is filled in."""

    secret: str
    user: str = ""


@dataclass
class Auth:
    """The accounts and what stands for them."""

    clock: Clock
    users: dict[str, User] = field(default_factory=dict)
    clients: dict[str, OAuthClient] = field(default_factory=dict)
    api_keys: dict[str, str] = field(default_factory=dict)
    """Login by key."""

    client_credentials_enabled: bool = True
    """glide.oauth.inbound.client.credential.grant_type.enabled"""

    token_life_s: int = 1800
    refresh_life_s: int = 8_640_000
    sessions: int = 0
    """How many sessions were begun: one for each request without a cookie."""

    _granted_yet: int = 0
    _tokens: dict[str, tuple[str, int]] = field(default_factory=dict)
    _refreshing: dict[str, tuple[str, str, int]] = field(default_factory=dict)

    def user_of(self, request: Request) -> User:
        """Raises Refused with 401 when nobody who is known asks."""
        key = request.headers.get("x-sn-apikey") or request.query.get("x-sn-apikey")
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if key:
            login = self.api_keys.get(key, "")
        elif scheme.lower() == "basic":
            login, password = _basic(credentials)
            login = login if self._knows(login, password) else ""
        elif scheme.lower() == "bearer":
            login, expires_ms = self._tokens.get(credentials, ("", 0))
            login = login if self.clock() < expires_ms else ""
        else:
            login = ""
        if login not in self.users:
            raise not_authenticated()
        user = self.users[login]
        if user.needs_second_factor:
            raise not_authenticated({"X-MFA_TOKEN": "invalid"})
        return user

    def cookie(self, request: Request) -> Mapping[str, str]:
        """The headers that begin a session, where the request brings no cookie of one."""
        if session_of(request):
            return {}
        self.sessions += 1
        return {"Set-Cookie": f"JSESSIONID={self.sessions:032X}; Path=/; HttpOnly"}

    def grant(self, request: Request) -> Response:
        """POST /oauth_token.do"""
        if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            return _denied()
        asked = dict(parse_qsl(request.body.decode()))
        name, secret = _client_of(request, asked)
        client = self.clients.get(name)
        if client is None or client.secret != secret:
            return _denied()
        match asked.get("grant_type"):
            case "password" if self._knows(asked.get("username", ""), asked.get("password", "")):
                return self._granted(name, asked["username"], refreshes=True)
            case "client_credentials" if self.client_credentials_enabled and client.user in self.users:
                return self._granted(name, client.user, refreshes=False)
            case "refresh_token":
                owner, login, expires_ms = self._refreshing.get(asked.get("refresh_token", ""), ("", "", 0))
                if owner == name and self.clock() < expires_ms:
                    return self._granted(name, login, refreshes=True)
        return _denied()

    def revoke(self) -> None:
        """Forgets every token."""
        self._tokens.clear()
        self._refreshing.clear()

    def _granted(self, client: str, login: str, *, refreshes: bool) -> Response:
        self._granted_yet += 1
        token = f"token-{self._granted_yet}-of-{login}"
        self._tokens[token] = (login, self.clock() + self.token_life_s * 1000)
        given = {
            "access_token": token,
            "expires_in": self.token_life_s,
            "token_type": "Bearer",
            "scope": "useraccount",
        }
        if refreshes:
            given["refresh_token"] = f"refresh-{token}"
            self._refreshing[f"refresh-{token}"] = (client, login, self.clock() + self.refresh_life_s * 1000)
        return json_response(200, given)

    def _knows(self, login: str, password: str) -> bool:
        return login in self.users and self.users[login].password == password


def _client_of(request: Request, asked: Mapping[str, str]) -> tuple[str, str]:
    """An OAuth client tells its secret in the body, or as a password (RFC 6749, 2.3.1)."""
    if "client_secret" in asked:
        return asked.get("client_id", ""), asked["client_secret"]
    return _basic(request.headers.get("authorization", "").partition(" ")[2])


def _basic(credentials: str) -> tuple[str, str]:
    try:
        login, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return login, password


def session_of(request: Request) -> str:
    """The session that a request's cookie names, or nothing."""
    cookie = SimpleCookie(request.headers.get("cookie", "")).get("JSESSIONID")
    return cookie.value if cookie is not None else ""


def _denied() -> Response:
    return json_response(401, {"error_description": "access_denied", "error": "server_error"})

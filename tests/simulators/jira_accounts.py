"""Who somebody is: https://developer.atlassian.com/cloud/jira/platform/basic-auth-for-rest-apis/

Cloud: basic authentication with e-mail address and API token; a token that is wrong or has expired makes its user
*anonymous*, and anonymous users get 200 and 404, not 401. Tokens with scopes and OAuth tokens are taken by the
gateway only. Data Center: basic authentication with a password (which may be switched off), personal access tokens,
sessions; after three wrong passwords a captcha has to be solved by a person.
"""

import json
from base64 import b64decode
from binascii import Error
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import parse_qsl

from tests.simulators.http import Request, Response, json_response
from tests.simulators.jira_model import Deployment, User
from tests.simulators.jira_site import Site

HTML = {"Content-Type": "text/html;charset=UTF-8"}
MOST_FAILURES = 3
TOKEN_LIFE_S = 3600
MOST_SESSIONS = 1000
ALL_SCOPES = frozenset(
    (
        "read:jira-work",
        "write:jira-work",
        "read:jira-user",
        "read:servicedesk-request",
        "write:servicedesk-request",
    )
)


class Denied(Exception):
    """A request is answered before anybody looks at what it asks."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


@dataclass(frozen=True, slots=True)
class Token:
    """`scopes`: None for all that its user may do."""

    user: str
    scopes: frozenset[str] | None = None
    expires_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """A service account's credentials for OAuth."""

    secret: str
    user: str
    scopes: frozenset[str] = ALL_SCOPES


@dataclass
class Session:
    """`node`: which node of Data Center it sticks to."""

    id: str
    node: int
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """`reason`: X-Seraph-LoginReason. `scopes`: None for all."""

    user: User | None
    reason: str
    scopes: frozenset[str] | None = None


@dataclass
class Accounts:
    """`tokens`: API tokens of Cloud, personal access tokens of Data Center. `basic`: whether passwords are taken."""

    site: Site
    passwords: dict[str, str] = field(
        default_factory=lambda: {name: f"{name}-password" for name in ("bot", "alice", "bob", "carl")}
    )
    tokens: dict[str, Token] = field(
        default_factory=lambda: {
            "bot-token": Token("bot"),
            "carl-token": Token("carl"),
            "bot-scoped-token": Token("bot", ALL_SCOPES),
        }
    )
    clients: dict[str, Client] = field(default_factory=lambda: {"bot-client": Client("bot-client-secret", "bot")})
    basic: bool = True
    failures: dict[str, int] = field(default_factory=dict)
    """Wrong passwords in a row, of each user of Data Center."""
    issued: dict[str, Token] = field(default_factory=dict)
    """OAuth tokens."""
    sessions: dict[str, Session] = field(default_factory=dict)
    _ids: "count[int]" = field(default_factory=lambda: count(1))

    def solve_captcha(self, user: str) -> None:
        """A person logs in by the browser."""
        self.failures.pop(user, None)

    def log_in(self, request: Request, session: Session, now_ms: int, *, gateway: bool) -> Login:
        """Raises Denied."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if gateway:
            return self._at_gateway(scheme.lower(), given, now_ms)
        if self.site.is_cloud:
            return self._on_cloud(scheme.lower(), given, now_ms)
        login = self._on_server(scheme.lower(), given, session, now_ms)
        session.user = None if login.user is None else login.user.name
        return login

    def session(self, request: Request, nodes: int) -> tuple[Session, bool]:
        """The session of its cookie, and whether it is a new one."""
        cookies = dict(part.strip().partition("=")[::2] for part in request.headers.get("cookie", "").split(";"))
        known = self.sessions.get(cookies.get("JSESSIONID", ""))
        if known is not None and known.node < nodes:
            return known, False
        number = next(self._ids)
        session = Session(f"{number:032X}", number % nodes)
        self.sessions[session.id] = session
        if len(self.sessions) > MOST_SESSIONS:
            del self.sessions[next(iter(self.sessions))]
        return session, True

    def grant(self, request: Request, now_ms: int) -> Response:
        """The token endpoint: client credentials for a token of an hour, which can not be refreshed."""
        form = _form(request)
        if form.get("grant_type") != "client_credentials":
            return json_response(400, {"error": "unsupported_grant_type"})
        client = self.clients.get(form.get("client_id", ""))
        if client is None or client.secret != form.get("client_secret"):
            return json_response(401, {"error": "access_denied", "error_description": "Unauthorized"})
        token = f"oauth-{next(self._ids)}"
        self.issued[token] = Token(client.user, client.scopes, now_ms + TOKEN_LIFE_S * 1000)
        said = {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_LIFE_S}
        return json_response(200, {**said, "scope": " ".join(sorted(client.scopes))})

    def _at_gateway(self, scheme: str, given: str, now_ms: int) -> Login:
        token = None
        if scheme == "bearer":
            token = _alive(self.issued.get(given), now_ms)
        elif scheme == "basic":
            email, secret = _pair(given)
            token = self._token_of(email, secret, now_ms)
        if token is None:
            raise Denied(json_response(401, {"code": 401, "message": "Unauthorized"}))
        return Login(self.site.users[token.user], "OK", token.scopes)

    def _on_cloud(self, scheme: str, given: str, now_ms: int) -> Login:
        if scheme == "bearer":
            raise Denied(json_response(403, {"error": "Failed to parse Connect Session Auth Token"}))
        if scheme != "basic":
            return Login(None, "OUT")
        email, secret = _pair(given)
        token = self._token_of(email, secret, now_ms)
        if token is not None and token.scopes is None:
            return Login(self.site.users[token.user], "OK")
        user = next((each for each in self.site.users.values() if each.email == email), None)
        if user is not None and self.passwords.get(user.name) == secret:
            text = (
                "Basic authentication with passwords is deprecated.  For more information, see: "
                "https://developer.atlassian.com/cloud/confluence/deprecation-notice-basic-auth/\n"
            )
            headers = {"Content-Type": "text/plain", "X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
            raise Denied(Response(401, headers, text.encode()))
        return Login(None, "AUTHENTICATED_FAILED")

    def _on_server(self, scheme: str, given: str, session: Session, now_ms: int) -> Login:
        if scheme == "bearer":
            token = _alive(self.issued.get(given) or self.tokens.get(given), now_ms)
            if token is None:
                raise Denied(_unauthorized("AUTHENTICATED_FAILED"))
            return Login(self.site.users[token.user], "OK", token.scopes)
        if scheme == "basic":
            return self._by_password(*_pair(given))
        if session.user is not None:
            return Login(self.site.users[session.user], "OK")
        return Login(None, "OUT")

    def _by_password(self, name: str, password: str) -> Login:
        if not self.basic:
            raise Denied(_unauthorized("AUTHENTICATED_FAILED", "Basic Authentication has been disabled"))
        if self.failures.get(name, 0) >= MOST_FAILURES:
            page = b"<html><head><title>Forbidden (403)</title></head><body>CAPTCHA_CHALLENGE</body></html>"
            reason = {"X-Authentication-Denied-Reason": "CAPTCHA_CHALLENGE; login-url=http://127.0.0.1/login.jsp"}
            raise Denied(Response(403, {**HTML, **reason, "X-Seraph-LoginReason": "AUTHENTICATION_DENIED"}, page))
        if self.passwords.get(name) != password:
            self.failures[name] = self.failures.get(name, 0) + 1
            raise Denied(_unauthorized("AUTHENTICATED_FAILED"))
        self.failures.pop(name, None)
        return Login(self.site.users[name], "OK")

    def _token_of(self, email: str, secret: str, now_ms: int) -> Token | None:
        token = _alive(self.tokens.get(secret), now_ms)
        return token if token is not None and self.site.users[token.user].email == email else None


def scope_of(request: Request, path: str) -> str:
    """The scope that a request needs."""
    reads = request.method == "GET" or path.endswith(("/search/jql", "/search/approximate-count", "/issue/bulkfetch"))
    if path.startswith("/rest/servicedeskapi"):
        return f"{'read' if reads else 'write'}:servicedesk-request"
    if path.endswith("/myself") or "/user" in path:
        return "read:jira-user"
    return f"{'read' if reads else 'write'}:jira-work"


def check_xsrf(request: Request, deployment: Deployment) -> None:
    """Data Center takes whatever looks like a browser for one. Raises Denied."""
    if deployment == "server" and request.method != "GET":
        browser = request.headers.get("user-agent", "").startswith(("Mozilla/", "Opera/"))
        if browser and request.headers.get("x-atlassian-token", "") not in ("no-check", "nocheck"):
            raise Denied(Response(403, {"Content-Type": "text/plain"}, b"XSRF check failed"))


def _unauthorized(reason: str, said: str = "Unauthorized (401)") -> Response:
    page = f"<html><head><title>{said}</title></head><body><h1>{said}</h1></body></html>".encode()
    challenge = 'OAuth realm="http%3A%2F%2F127.0.0.1"'
    return Response(401, {**HTML, "WWW-Authenticate": challenge, "X-Seraph-LoginReason": reason}, page)


def _alive(token: Token | None, now_ms: int) -> Token | None:
    if token is None or (token.expires_ms is not None and token.expires_ms <= now_ms):
        return None
    return token


def _pair(given: str) -> tuple[str, str]:
    """User and secret of a basic Authorization header."""
    try:
        name, _, secret = b64decode(given, validate=True).decode().partition(":")
    except (Error, UnicodeDecodeError):
        return "", ""
    return name, secret


def _form(request: Request) -> dict[str, str]:
    """A form, or an object of texts in JSON."""
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            given = json.loads(request.body)
        except ValueError:
            return {}
        return {name: str(value) for name, value in given.items()} if isinstance(given, dict) else {}
    return dict(parse_qsl(request.body.decode("latin-1")))

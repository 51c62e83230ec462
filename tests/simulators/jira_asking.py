"""A plain HTTP client of a simulated Jira, which hides nothing and never tries again."""

from types import TracebackType
from typing import Any

import requests

from tests.simulators.jira import Jira
from tests.simulators.jira_adf import document_of


class Asking:
    """Asks a Jira as somebody, by default as its user `bot`. Paths begin after /rest/api/3, or 2 on Data Center.

    `base`: where the API is instead of the site's URL. `token`: for a Bearer header, instead of `auth`.
    """

    def __init__(
        self,
        jira: Jira,
        auth: tuple[str, str] | None = None,
        *,
        token: str = "",
        base: str = "",
        version: str = "",
    ) -> None:
        self.jira, self.base = jira, base or jira.url
        self.version = version or ("3" if jira.site.is_cloud else "2")
        self.session = requests.Session()
        self.session.trust_env = False
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"
        elif auth != ("", ""):
            self.session.auth = auth or jira.login

    def __enter__(self) -> "Asking":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.close()

    def ask(
        self, method: str, path: str, body: Any = None, *, timeout: float = 10, **params: Any
    ) -> requests.Response:
        """A path that begins with /rest, /oauth or /_edge is taken as it is."""
        whole = path if path.startswith(("/rest/", "/oauth", "/_edge")) else f"/rest/api/{self.version}{path}"
        url = self.base + whole
        return self.session.request(method, url, json=body, params=params, timeout=timeout, allow_redirects=False)

    def text(self, plain: str) -> Any:
        """A text as this version of the API takes it."""
        return document_of(plain) if self.version == "3" else plain

    def create(self, project: str = "OPS", kind: str = "Task", **fields: Any) -> requests.Response:
        wanted = {"project": {"key": project}, "issuetype": {"name": kind}, "summary": "Web shop is down", **fields}
        return self.ask("POST", "/issue", {"fields": wanted})

    def created(self, project: str = "OPS", kind: str = "Task", **fields: Any) -> str:
        """The key of an issue that was made of these fields."""
        answered = self.create(project, kind, **fields)
        assert answered.status_code == 201, answered.text
        return str(answered.json()["key"])

    def fields(self, key: str) -> dict[str, Any]:
        answered = self.ask("GET", f"/issue/{key}")
        assert answered.status_code == 200, answered.text
        found: dict[str, Any] = answered.json()["fields"]
        return found

    def search(self, jql: str, **more: Any) -> requests.Response:
        """By whichever search the deployment has, for keys."""
        body = {"jql": jql, "fields": ["summary", "labels", "status"], **more}
        return self.ask("POST", "/search/jql" if self.jira.site.is_cloud else "/search", body)

    def found(self, jql: str, **more: Any) -> list[str]:
        """The keys that a search finds, as it gives them."""
        answered = self.search(jql, **more)
        assert answered.status_code == 200, answered.text
        return [each["key"] for each in answered.json()["issues"]]

    def transition(self, key: str, number: str, **more: Any) -> requests.Response:
        return self.ask("POST", f"/issue/{key}/transitions", {"transition": {"id": number}, **more})


def told(answered: requests.Response) -> tuple[int, list[str], dict[str, str]]:
    """A refusal: its status, its messages, and what is wrong with which field."""
    said = answered.json()
    return answered.status_code, said["errorMessages"], said["errors"]

"""Calls to a Jira, and what its answers mean. Nobody else knows the shapes of its pages and its errors.

A refusal is only what Jira itself has worded. A 404 of a gateway, or of a site that is suspended, says nothing about
an issue; nor does an empty search of somebody whom Jira did not take for who they are.
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from watchkeeper.itsm._http import Answer, Http, retry_after_s
from watchkeeper.itsm._jira_options import Flavour, Options
from watchkeeper.itsm._oauth import ClientToken
from watchkeeper.itsm._options import reveal
from watchkeeper.itsm._text import cut
from watchkeeper.itsm.base import (
    Ambiguous,
    Conflict,
    Denied,
    Outcome,
    Rejected,
    Surroundings,
    Throttled,
    Unavailable,
)

MOST_PAGES: Final = 50
_TOLD: Final = 500  # characters of what Jira says


class Missing(Rejected):
    """What is named is not there, or hidden from who asks."""


class Forbidden(Denied):
    """Not allowed to who asks. For one issue alone it may mean less than for all of them."""


class Api:
    """One Jira. Every method may raise an Outcome."""

    def __init__(self, options: Options, surroundings: Surroundings) -> None:
        self._options = options
        self._clock = surroundings.clock
        self._token: ClientToken | None = None
        auth = options.auth
        http = partial(
            Http,
            options.url,
            verify=options.verify,
            timeout_s=options.timeout_s,
            clock=surroundings.clock,
            budget=surroundings.budget,
        )
        if auth.client_id is not None and auth.client_secret is not None:
            url = options.token_url()
            self._token = ClientToken(http(authenticate=dict), url, auth.client_id, auth.client_secret, self._clock)
        # Data Center takes whatever looks like a browser for one, and refuses it.
        headers = {"X-Atlassian-Token": "no-check"}
        self._http = http(authenticate=self._login, judge=self._judge, headers=headers)
        self._info: Mapping[str, Any] | None = None

    @property
    def info(self) -> Mapping[str, Any]:
        """What Jira tells of itself."""
        if self._info is None:
            self._info = mapping(self._call("GET", "/rest/api/2/serverInfo"))
        return self._info

    @property
    def is_cloud(self) -> bool:
        if self._options.flavour is not None:
            return self._options.flavour is Flavour.CLOUD
        return self.info.get("deploymentType") == "Cloud"

    @property
    def root(self) -> str:
        """Where the platform's API is."""
        return "/rest/api/3" if self.is_cloud else "/rest/api/2"

    def url(self, path: str) -> str:
        """What is called for a path."""
        return f"{self._options.url}{path if path.startswith('/rest/') else self.root + path}"

    def ready(self) -> None:
        """Finds out what writing needs to know, so that a write is one call."""
        self._login()
        self.info  # noqa: B018

    def get(self, path: str, **params: str) -> Mapping[str, Any]:
        """The object that is read at a path, which begins after the API's root unless it names it."""
        return mapping(self._call("GET", self._path(path), params=params))

    def get_list(self, path: str, **params: str) -> list[Any]:
        """The list that is read at a path."""
        said = self._call("GET", self._path(path), params=params).json()
        if not isinstance(said, list):
            raise Unavailable("answered with something that is no list")
        return said

    def ask(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a call by POST says that changes nothing."""
        return mapping(self._call("POST", self._path(path), json_body=body, reads=True))

    def write(self, method: str, path: str, body: Any, *done: int) -> Answer:
        """Changes something, once. `done`: what Jira answers when it has; anything else of the 200s is no answer."""
        answer = self._call(method, self._path(path), json_body=body)
        if answer.status not in done:
            raise answer.unclear(f"answered {answer.status} to a change: {answer.shown}")
        return answer

    def pages(self, path: str, name: str, **params: str) -> list[Any]:
        """All of a list that comes in pages. `name`: of its member, which Data Center calls `values`."""
        found: list[Any] = []
        for _ in range(MOST_PAGES):
            page = self.get(path, **{**params, "startAt": str(len(found))})
            values = page.get(name, page.get("values"))
            if not isinstance(values, list):
                raise Unavailable(f"answered with a page that has no {name}")
            found += values
            if page.get("isLast") is True or not values or len(found) >= page.get("total", len(found) + 1):
                return found
        raise Unavailable(f"does not come to an end of {name}")

    def lacking(self, project: str, permissions: Sequence[str]) -> list[str]:
        """Those of the permissions that who asks does not have in a project."""
        try:
            said = self.get("/mypermissions", projectKey=project, permissions=",".join(permissions))
        except Missing:
            raise Denied(
                f"there is no project {project}, or it is hidden from watchkeeper: it needs Browse Projects there"
            ) from None
        held = said.get("permissions", {})
        return [each for each in permissions if held.get(each, {}).get("havePermission") is not True]

    def confirm_absence(self) -> None:
        """What was not found is not there only if it would have been shown.

        Raises:
            Denied: it would not.
        """
        if self.lacking(self._options.project, ("BROWSE_PROJECTS",)):
            raise Denied(
                f"shows watchkeeper nothing of {self._options.project}: it needs the permission to browse it"
            )

    def _path(self, path: str) -> str:
        return path if path.startswith("/rest/") else self.root + path

    def _call(self, method: str, path: str, **given: Any) -> Answer:
        answer = self._http.call(method, path, **given)
        if answer.status >= 400:
            raise _refusal(answer)
        return answer

    def _login(self) -> Mapping[str, str]:
        auth = self._options.auth
        if self._token is not None:
            return {"Authorization": f"Bearer {self._token.get()}"}
        secret = auth.token or auth.password
        revealed = "" if secret is None else reveal(secret)
        if auth.username is None:
            return {"Authorization": f"Bearer {revealed}"}
        credentials = f"{reveal(auth.username)}:{revealed}"
        return {"Authorization": f"Basic {b64encode(credentials.encode()).decode()}"}

    def _judge(self, answer: Answer) -> None:
        """Raises what only headers tell: whoever was not taken for themselves is nobody, and sees nothing."""
        reason = answer.headers.get("X-Seraph-LoginReason", "")
        challenge = answer.headers.get("X-Authentication-Denied-Reason", "")
        if "AUTHENTICATION_DENIED" in reason or "CAPTCHA" in challenge:
            raise Denied(
                "wants a captcha solved after wrong logins: log in as watchkeeper's user with a browser once, and "
                "check `auth`"
            )
        if answer.status == 401 and self._token is not None:
            self._token.forget()
        if "AUTHENTICATED_FAILED" in reason and answer.status != 401:
            text = "takes who asks for nobody: the token in `auth` is wrong, or has expired"
            if 200 <= answer.status < 300 and not answer.reads:
                raise Ambiguous(text)  # what nobody in particular may do is done
            raise Denied(text)
        if answer.status == 429 and answer.headers.get("RateLimit-Reason") == "jira-per-issue-on-write":
            wanted = retry_after_s(answer.headers, self._clock())
            raise Throttled("asks for fewer changes of this ticket (429)", wanted, of_ticket=True)


def mapping(answer: Answer) -> Mapping[str, Any]:
    """The object that an answer is. Raises an Outcome when it is none."""
    said = answer.json()
    if not isinstance(said, dict):
        raise answer.unclear("answered with something that is no object")
    return said


def _refusal(answer: Answer) -> Outcome:
    """What an answer of 400 to 499 means."""
    status = answer.status
    said = _said(answer)
    if status == 403:
        return Forbidden(f"does not allow it (403): {said or answer.shown}")
    if said is None:
        return answer.unclear(f"answered {status} with something that is not Jira's: {answer.shown}")
    if status == 404:
        return Missing(said)
    if status == 409:
        return Conflict(said)
    if "project" in _errors(answer):  # as it is when the project is hidden: nothing at all can be created then
        return Denied(f"takes no tickets: {said}")
    return Rejected(said)


def _errors(answer: Answer) -> Mapping[str, Any]:
    errors = json.loads(answer.body).get("errors")
    return errors if isinstance(errors, dict) else {}


def _said(answer: Answer) -> str | None:
    """Jira's own words in a refusal, in one line. `None` when it was somebody else's."""
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or not {"errorMessages", "errors", "errorMessage"} & said.keys():
        return None
    messages = [str(each) for each in said.get("errorMessages") or ()]
    messages += [f"{name}: {text}" for name, text in _errors(answer).items()]
    if said.get("errorMessage"):
        messages.append(str(said["errorMessage"]))
    return cut(" ".join(" ".join(messages).split()), _TOLD) or f"refused it ({answer.status}) without a word"

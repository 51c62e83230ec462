"""How the simulated instance says no."""

from collections.abc import Mapping

from tests.simulators.http import Response, json_response


class Refused(Exception):
    """Not done. Its parts are those of the answer."""

    def __init__(
        self, status: int, message: str, detail: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {message}: {detail}")
        self.status, self.message, self.detail, self.headers = status, message, detail, headers

    def response(self) -> Response:
        error = {"message": self.message, "detail": self.detail}
        return json_response(self.status, {"error": error, "status": "failure"}, self.headers)


def not_authenticated(headers: Mapping[str, str] | None = None) -> Refused:
    given = {"WWW-Authenticate": 'BASIC realm="Service-now"', **(headers or {})}
    return Refused(401, "User Not Authenticated", "Required to provide Auth information", given)


def no_record() -> Refused:
    return Refused(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")


def by_acl(action: str) -> Refused:
    return Refused(403, "Operation Failed", f"ACL Exception {action} Failed due to security constraints")


def by_data_policy(titles: list[str]) -> Refused:
    detail = f"Data Policy Exception: The following mandatory fields are not filled in: {', '.join(titles)}"
    return Refused(403, "Operation Failed", detail)


def by_business_rule(table: str, rule: str) -> Refused:
    detail = f"Operation against file '{table}' was aborted by Business Rule '{rule}'"
    return Refused(403, "Operation Failed", detail)

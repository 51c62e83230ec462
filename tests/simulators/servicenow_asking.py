"""A plain HTTP client of a simulated instance, which hides nothing."""

from types import TracebackType
from typing import Any

import requests

from tests.simulators.servicenow import INTEGRATION, Instance

JSON = {"Accept": "application/json"}


class Asking:
    """Asks an instance as somebody, without ever trying again. Keeps its session's cookie, as requests does."""

    def __init__(self, instance: Instance, auth: tuple[str, str] | None = INTEGRATION, **headers: str) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = auth
        self.session.headers.update({**JSON, **headers})
        self._instance = instance

    def __enter__(self) -> "Asking":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.close()

    def ask(self, method: str, path: str, *, timeout: float = 10, **given: Any) -> requests.Response:
        return self.session.request(method, self._instance.url + path, timeout=timeout, **given)

    def listed(self, table: str, query: str = "", **parameters: str) -> requests.Response:
        params = {"sysparm_query": query, **{f"sysparm_{name}": text for name, text in parameters.items()}}
        return self.ask("GET", f"/api/now/table/{table}", params=params)

    def found(self, table: str, query: str = "", **parameters: str) -> list[dict[str, Any]]:
        """The rows of a list that is well answered."""
        answered = self.listed(table, query, **parameters)
        assert answered.status_code == 200, answered.text
        rows: list[dict[str, Any]] = answered.json()["result"]
        return rows

    def read(self, table: str, sys_id: str, **parameters: str) -> requests.Response:
        params = {f"sysparm_{name}": text for name, text in parameters.items()}
        return self.ask("GET", f"/api/now/table/{table}/{sys_id}", params=params)

    def create(self, table: str, body: Any, *, timeout: float = 10, **parameters: str) -> requests.Response:
        params = {f"sysparm_{name}": text for name, text in parameters.items()}
        return self.ask("POST", f"/api/now/table/{table}", json=body, params=params, timeout=timeout)

    def created(self, table: str = "incident", **values: Any) -> dict[str, Any]:
        """The record that was made of these values."""
        answered = self.create(table, values)
        assert answered.status_code == 201, answered.text
        record: dict[str, Any] = answered.json()["result"]
        return record

    def change(self, table: str, sys_id: str, **values: Any) -> requests.Response:
        return self.ask("PATCH", f"/api/now/table/{table}/{sys_id}", json=values)

    def changed(self, sys_id: str, table: str = "incident", **values: Any) -> dict[str, Any]:
        """The record after a change that was well answered."""
        answered = self.change(table, sys_id, **values)
        assert answered.status_code == 200, answered.text
        record: dict[str, Any] = answered.json()["result"]
        return record

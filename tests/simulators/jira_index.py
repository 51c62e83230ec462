"""What a search can see: issues as they were a while ago.

On Cloud the index follows writes by seconds to minutes. On Data Center every node has an index of its own: the node
that wrote is quick, the others learn of it later.
"""

from copy import deepcopy
from dataclasses import dataclass, field, replace

from tests.simulators.jira_model import Issue


@dataclass(frozen=True, slots=True)
class _Version:
    """`issue`: a copy, None when it was deleted."""

    at_ms: int
    node: int
    issue: Issue | None


@dataclass
class Index:
    """`lag_ms`: how long until a write can be seen. `replica_lag_ms`: the same on nodes that did not write it."""

    lag_ms: int = 0
    replica_lag_ms: int = 0
    _versions: dict[str, list[_Version]] = field(default_factory=dict)

    def record(self, issue: Issue, at_ms: int, node: int) -> None:
        """Remembers how an issue is now. Its comments, its links and its history are not copied."""
        copy = replace(issue, values=deepcopy(issue.values), properties=deepcopy(issue.properties))
        self._add(issue.id, _Version(at_ms, node, copy))

    def forget(self, issue: Issue, at_ms: int, node: int) -> None:
        """The issue was deleted."""
        self._add(issue.id, _Version(at_ms, node, None))

    def seen(self, now_ms: int, node: int) -> list[Issue]:
        """The issues as a search on this node sees them, by id."""
        found = []
        for versions in self._versions.values():
            ripe = [each for each in versions if each.at_ms + self._lag_ms(each, node) <= now_ms]
            if ripe and ripe[-1].issue is not None:
                found.append(ripe[-1].issue)
        return found

    def _add(self, id_: str, version: _Version) -> None:
        slowest_ms = max(self.lag_ms, self.replica_lag_ms)
        known = self._versions.setdefault(id_, [])
        old = [each for each in known if each.at_ms + slowest_ms <= version.at_ms]
        if len(old) > 1:  # all of them but the last are seen nowhere any more
            del known[: len(old) - 1]
        known.append(version)

    def _lag_ms(self, version: _Version, node: int) -> int:
        return self.lag_ms if version.node == node else self.replica_lag_ms

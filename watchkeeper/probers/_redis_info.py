"""What Redis tells of itself by INFO, as values and facts. Decides, and asks nobody."""

import re
from collections.abc import Mapping
from typing import Final

from watchkeeper.domain.probe import Fact

_VALUES: Final = {
    "uptime_seconds": "uptime_in_seconds",
    "used_memory_bytes": "used_memory",
    "clients": "connected_clients",
    "blocked_clients": "blocked_clients",
    "evicted_keys_total": "evicted_keys",
    "rejected_connections_total": "rejected_connections",
}
_REPLICA: Final = re.compile(r"slave\d+")
_ROLES: Final = {"master": "master", "slave": "replica", "replica": "replica", "sentinel": "sentinel"}


def parse_info(text: str) -> dict[str, str]:
    """The fields of an answer to INFO. Lines that are none are left out."""
    pairs = (line.partition(":") for line in text.splitlines() if not line.startswith("#"))
    return {name: value.strip() for name, colon, value in pairs if colon}


def role_of(info: Mapping[str, str]) -> str:
    """`master` or `replica`; what else there is as the server says it, empty if it says nothing."""
    role = info.get("role", "")
    return _ROLES.get(role, role[:20])


def values_of(info: Mapping[str, str], database: int) -> dict[str, float]:
    """The numbers of a sample that INFO tells."""
    values = {
        value: float(number) for value, name in _VALUES.items() if (number := _number(info.get(name))) is not None
    }
    most, used = _number(info.get("maxmemory")), values.get("used_memory_bytes")
    if most and used is not None:
        values["max_memory_bytes"] = most
        values["memory_used_percent"] = min(100.0, 100 * used / most)
    if "db0" in info or "role" in info:  # a database without keys is not listed
        values["keys"] = _number(_part(info.get(f"db{database}", ""), "keys")) or 0
    return values | (_of_replica(info) if role_of(info) == "replica" else _of_master(info))


def facts_of(info: Mapping[str, str]) -> dict[str, Fact]:
    """The facts of a sample that INFO tells."""
    found = {"role": role_of(info), "version": info.get("redis_version", "")[:40]}
    if role_of(info) == "replica":
        found["master_link"] = info.get("master_link_status", "")[:20]
    return {name: text for name, text in found.items() if text.isprintable() and text}


def _of_replica(info: Mapping[str, str]) -> dict[str, float]:
    """How long the master has not been heard of."""
    linked = info.get("master_link_status") == "up"
    silent = _number(info.get("master_last_io_seconds_ago" if linked else "master_link_down_since_seconds"))
    return {} if silent is None else {"replication_lag_seconds": silent}


def _of_master(info: Mapping[str, str]) -> dict[str, float]:
    """How far behind the slowest replica is."""
    replicas = [value for name, value in info.items() if _REPLICA.fullmatch(name)]
    values: dict[str, float] = {}
    if (count := _number(info.get("connected_slaves"))) is not None:
        values["replicas"] = count
    lags = [lag for one in replicas if (lag := _number(_part(one, "lag"))) is not None]
    if lags:
        values["replication_lag_seconds"] = max(lags)
    here = _number(info.get("master_repl_offset"))
    offsets = [offset for one in replicas if (offset := _number(_part(one, "offset"))) is not None]
    if here is not None and offsets:
        values["replication_lag_bytes"] = max(0, here - min(offsets))
    return values


def _part(text: str, name: str) -> str | None:
    """One of `keys=3,expires=0`."""
    return next((value for key, _, value in (part.partition("=") for part in text.split(",")) if key == name), None)


def _number(text: str | None) -> int | None:
    """A number that is not negative: -1 stands for one that there is not."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 20 else None

"""Which alerts are one trouble: the key under which incidents are counted, and the key of their tickets."""

from hashlib import sha256

from watchkeeper.domain.probe import Probe
from watchkeeper.domain.rule import GroupBy, Rule


def incident_key(rule: Rule, probe: Probe) -> str:
    """What alerts of one incident share, readable and stable: `service-down/service=web-shop`."""
    parts = [rule.incident.key or rule.id]
    for name in rule.incident.group_by:
        if name == GroupBy.PROBE:
            parts.append(f"probe={probe.id}")
        elif name == GroupBy.SERVICE:
            parts.append(f"service={probe.service}")
        elif name != GroupBy.RULE:
            # A slash in a label's value must not look like the beginning of the next part.
            value = probe.labels.get(name, "").replace("%", "%25").replace("/", "%2F")
            parts.append(f"{name}={value}")
    return "/".join(parts)


def ticket_key(key: str, opened_ms: int) -> str:
    """What a ticket is found by in its backend. One for each incident, safe in any query language: `wk-` and hex.

    Made from the incident's key and the time it was opened, so that a replay makes the same one.
    """
    return "wk-" + sha256(f"{key}@{opened_ms}".encode()).hexdigest()[:24]

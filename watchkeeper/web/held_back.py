"""The metrics of alerts that fire and open nothing by themselves, and why."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from watchkeeper.domain.expected import Because
from watchkeeper.domain.standing import Standing
from watchkeeper.domain.watch import Watch
from watchkeeper.web.families import family, labels_text

_REASONS: Final = ("gathering", "explained", *(because.value for because in Because))


def held_back(watch: Watch) -> Iterator[str]:
    """How many alerts are held back now, by the reason, and whether there is a storm."""
    counts: Counter[str] = Counter()
    for (standing, because), count in watch.correlator.standings().items():
        if standing is not Standing.MEMBER:
            counts[because or standing.value] += count
    yield family(
        "watchkeeper_alerts_held_back",
        "gauge",
        "Alerts that fire and open nothing now: they gather, or something upstream or a window explains them",
        ((labels_text(reason=reason), counts[reason]) for reason in _REASONS),
    )
    impacted = sum(len(incident.impacted) for incident in watch.incidents.values())
    yield family(
        "watchkeeper_incident_impacted_alerts",
        "gauge",
        "Alerts that open incidents explain",
        [("", impacted)],
    )
    yield family(
        "watchkeeper_storm",
        "gauge",
        "1 while the incident of a storm is open, which gathers what is too much for incidents of its own, else 0",
        [("", int(watch.correlator.is_storm))],
    )

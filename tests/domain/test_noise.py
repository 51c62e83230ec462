"""How noisy incidents are, and how two sets of them differ."""

from watchkeeper.domain.alert import AlertRef
from watchkeeper.domain.incident import Incident
from watchkeeper.domain.noise import Difference, Kind, Measure, compare, noise, noise_by_rule
from watchkeeper.domain.rule import Level, Severity

MEASURE = Measure(until_ms=1000, short_ms=50, again_ms=100)


def incident(
    opened_ms: int, resolved_ms: int | None, key: str = "down/probe=web", severity: Severity = Severity.MAJOR
) -> Incident:
    alert = AlertRef(key.partition("/")[0], "web")
    return Incident(
        opened_ms, key, alert.rule_id, "shop", "It is down", severity, Level.MEDIUM, Level.HIGH, "desk",
        opened_ms, opened_ms, frozenset(), (alert,), resolved_ms=resolved_ms,
    )  # fmt: skip


def test_short_ones_repeats_and_lengths_are_counted() -> None:
    some = [incident(0, 100), incident(200, 230), incident(400, 500), incident(900, None)]
    figures = noise(some, MEASURE)

    assert (figures.incidents, figures.still_open) == (4, 1)
    assert (figures.short, figures.repeats) == (1, 1)
    assert (figures.open_ms, figures.median_ms, figures.longest_ms) == (330, 100, 100)


def test_no_incidents_are_no_noise() -> None:
    figures = noise([], MEASURE)
    assert (figures.incidents, figures.median_ms, figures.longest_ms) == (0, 0, 0)


def test_one_that_is_open_is_never_short() -> None:
    assert noise([incident(990, None)], MEASURE).short == 0


def test_the_noisiest_rule_comes_first() -> None:
    some = [incident(0, 1, "b/x"), incident(2, 3, "a/x"), incident(4, 5, "a/x")]
    assert list(noise_by_rule(some, MEASURE)) == ["a", "b"]


def test_what_overlaps_under_one_key_is_the_same_incident() -> None:
    old = [incident(0, 100), incident(200, 300), incident(500, 600), incident(700, None)]
    new = [incident(0, 100), incident(210, 300), incident(601, 650), incident(800, None, severity=Severity.MINOR)]

    assert compare(old, new) == [
        Difference(Kind.SAME, old[0], new[0]),
        Difference(Kind.CHANGED, old[1], new[1]),
        Difference(Kind.REMOVED, old[2], None),
        Difference(Kind.ADDED, None, new[2]),
        Difference(Kind.CHANGED, old[3], new[3]),
    ]


def test_an_incident_has_one_counterpart_at_most() -> None:
    old, new = [incident(0, 500)], [incident(0, 100), incident(200, 500)]
    assert [one.kind for one in compare(old, new)] == [Kind.CHANGED, Kind.ADDED]
    assert [one.kind for one in compare(new, old)] == [Kind.CHANGED, Kind.REMOVED]


def test_other_keys_are_other_incidents() -> None:
    differences = compare([incident(0, 100)], [incident(0, 100, "down/service=shop")])
    assert [one.kind for one in differences] == [Kind.REMOVED, Kind.ADDED]

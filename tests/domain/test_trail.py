"""The last samples of a probe are kept while something is wrong, and only then."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tests.domain.made import is_full, plan, probe, rule, sample
from watchkeeper.domain.alert import AlertState
from watchkeeper.domain.probe import Status
from watchkeeper.domain.rule import Hold
from watchkeeper.domain.watch import Plan, Watch

UP, DOWN, UNKNOWN = Status.UP, Status.DOWN, Status.UNKNOWN


def trails(one: Plan, statuses: Sequence[Status], used: float = 10.0) -> list[list[int]]:
    """The times of the samples that are kept after each."""
    watch = Watch(one)
    watch.revise(one, 0)
    found = []
    for at_ms, status in enumerate(statuses, start=1):
        watch.observe(sample(at_ms, status, used=used))
        found.append([kept.at_ms for kept in watch.subjects["home"].trail])
    return found


def test_nothing_is_kept_of_a_probe_that_is_well() -> None:
    assert trails(plan(probe(), rule()), [UP, UP, UP]) == [[], [], []]


def test_what_is_kept_begins_with_what_was_before_and_ends_with_it() -> None:
    found = trails(plan(probe()), [UP, DOWN, UNKNOWN, DOWN, DOWN, DOWN, UP, UP])
    assert found == [[], [1, 2], [1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 4, 5], [2, 3, 4, 5, 6], [], []]


def test_it_is_kept_while_an_alert_is_pending_or_fires_though_the_probe_is_up() -> None:
    found = trails(plan(probe(), rule("full", is_full, Hold(for_ms=2))), [UP, UP, UP], used=95.0)
    assert found == [[1], [1, 2], [1, 2, 3]]


def test_a_reload_keeps_it() -> None:
    one = plan(probe(), rule())
    watch = Watch(one)
    watch.revise(one, 0)
    watch.observe(sample(1, DOWN))
    watch.revise(one, 2)
    assert len(watch.subjects["home"].trail) == 1


@given(st.lists(st.tuples(st.sampled_from(Status), st.sampled_from((10.0, 95.0))), max_size=30), st.integers(0, 4))
def test_it_is_never_long_and_gone_soon_after_all_is_well(found: list[tuple[Status, float]], keep_ms: int) -> None:
    one = plan(probe(), rule("full", is_full, Hold(for_ms=2, keep_firing_for_ms=keep_ms)), rule())
    watch = Watch(one)
    watch.revise(one, 0)
    subject = watch.subjects["home"]
    for at_ms, (status, used) in enumerate(found, start=1):
        watch.observe(sample(at_ms, status, used=used))
        is_wrong = status is not UP or any(b.alert.state is not AlertState.INACTIVE for b in subject.bindings)
        assert len(subject.trail) <= 5
        assert not is_wrong or subject.trail[-1].at_ms == at_ms
    for at_ms in range(100, 108):
        watch.observe(sample(at_ms, used=10.0))
    assert subject.trail == ()

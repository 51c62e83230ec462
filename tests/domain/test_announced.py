"""What changes of ticket systems are about, and their windows."""

from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.domain.announced import Announced, Watched, change_ref, is_endless, windows_of
from watchkeeper.domain.change import Change, ChangeOutcome, ChangeState
from watchkeeper.domain.expected import Because, Selection
from watchkeeper.domain.maintenance import MAX_WINDOW_MS, Span
from watchkeeper.domain.service import Service
from watchkeeper.domain.ticket import ChangeRef

HOUR = 3_600_000
SHOP = Service("shop", "Web Shop", ci="0123456789abcdef0123456789abcdef")
DB = Service("db", "Database", ci="db01")
OTHER = Service("other", "Other")
WATCHED = Watched([SHOP, DB, OTHER])


def change(*spans: Span, cis: set[str] = frozenset(), services: set[str] = frozenset()) -> Announced:  # type: ignore[assignment]
    return Announced(
        "sys1", "CHG1", "Patch", spans, ChangeState.APPROVED, cis=frozenset(cis), services=frozenset(services)
    )


def test_a_change_is_about_services_by_their_ci_their_id_or_their_title() -> None:
    def about(**given: set[str]) -> set[str]:
        return set(WATCHED.meant_by(change(**given)))

    assert about(cis={"0123456789abcdef0123456789abcdef", "web01"}) == {"shop"}
    assert about(cis={"DB01"}) == {"db"}
    assert about(services={"web  shop", "Other"}) == {"shop", "other"}
    assert about(services={"db01"}) == set()
    assert about(cis={""}, services={""}) == set()


def test_its_window_tells_all_that_is_known() -> None:
    [window] = windows_of(change(Span(0, HOUR), cis={"db01"}), "snow", WATCHED)

    assert window == Change(
        because=Because.CHANGE,
        id="CHG1",
        title="Patch",
        from_ms=0,
        to_ms=HOUR,
        selection=Selection(services=frozenset({"db"})),
        backend="snow",
        ref="sys1",
        state=ChangeState.APPROVED,
        outcome=ChangeOutcome.UNKNOWN,
    )


def test_a_change_that_is_about_nothing_watched_has_no_window_for_it_would_mean_everything() -> None:
    assert windows_of(change(Span(0, HOUR), cis={"unknown"}), "snow", WATCHED) == []


def test_a_change_that_was_worked_on_at_another_time_has_two_windows_of_one_ref() -> None:
    windows = windows_of(change(Span(9 * HOUR, 10 * HOUR), Span(0, HOUR), services={"db"}), "snow", WATCHED)

    assert [(one.from_ms, one.ref) for one in windows] == [(0, "sys1"), (9 * HOUR, "sys1#2")]
    assert {change_ref(one) for one in windows} == {ChangeRef("snow", "sys1", "CHG1")}


def test_a_window_that_lasts_too_long_is_none() -> None:
    long = change(Span(0, MAX_WINDOW_MS + 1), Span(2 * MAX_WINDOW_MS, 2 * MAX_WINDOW_MS + HOUR), services={"db"})

    assert is_endless(long)
    assert [one.from_ms for one in windows_of(long, "snow", WATCHED)] == [2 * MAX_WINDOW_MS]


times = st.integers(0, 20)


@given(st.lists(st.tuples(times, times), max_size=5))
def test_windows_cover_what_its_spans_cover_and_no_two_have_one_ref(spans: list[tuple[int, int]]) -> None:
    windows = windows_of(change(*(Span(*span) for span in spans), services={"db"}), "snow", WATCHED)

    for at in range(21):
        assert any(one.from_ms <= at < one.to_ms for one in windows) == any(a <= at < b for a, b in spans)
    assert len({one.ref for one in windows}) == len(windows)

"""How late slots are fired, at worst."""

from watchkeeper.engine.lag import PERIOD_S, Lag


class HandClock:
    now_s = 1_000_000 * PERIOD_S  # where a period begins

    def __call__(self) -> float:
        return self.now_s


def a_lag(clock: HandClock) -> Lag:
    observed: list[float] = []
    return Lag(observed.append, clock)


def test_the_worst_lag_is_told_for_a_minute_at_least_and_for_two_at_most() -> None:
    clock = HandClock()
    lag = a_lag(clock)
    assert lag.worst_s == 0.0

    for late_s in (0.2, 1.5, 0.1):
        lag.note(late_s)
    assert lag.worst_s == 1.5

    clock.now_s += PERIOD_S
    lag.note(0.3)
    assert lag.worst_s == 1.5

    clock.now_s += PERIOD_S
    assert lag.worst_s == 0.3


def test_a_lag_from_before_a_long_silence_is_forgotten() -> None:
    clock = HandClock()
    lag = a_lag(clock)
    lag.note(1.5)

    clock.now_s += 2 * PERIOD_S

    assert lag.worst_s == 0.0


def test_every_lag_is_observed() -> None:
    observed: list[float] = []
    lag = Lag(observed.append)

    lag.note(0.5)
    lag.note(0.1)

    assert observed == [0.5, 0.1]

"""How long and how often is measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Seconds, and how often the sides of a comparison take turns."""

    quick: bool
    warm_up_s: float
    window_s: float
    rounds: int

    @classmethod
    def of(cls, *, quick: bool, window_s: float | None, rounds: int | None) -> "Options":
        return cls(
            quick=quick,
            warm_up_s=5.0 if quick else 15.0,
            window_s=window_s or (5.0 if quick else 25.0),
            rounds=rounds or (2 if quick else 3),
        )

"""Silences: somebody says for how long which alerts shall open nothing, and why."""

from dataclasses import dataclass
from typing import Final

from watchkeeper.domain.expected import Because, Matcher, Selection, Window
from watchkeeper.domain.matchers import in_words, take_everything, written
from watchkeeper.domain.units import format_duration_ms, format_time, parse_duration_ms

MAX_MS: Final = parse_duration_ms("31d")
MAX_MATCHERS: Final = 20
MAX_NAME: Final = 100
MAX_REASON: Final = 1000
_SLACK_MS: Final = 60_000  # between the clocks of who asks and who answers


class WrongSilence(Exception):
    """It can not be done. The text says why and what to do."""


class TooWide(WrongSilence):
    """It would silence everything, and nobody said that this is meant."""


@dataclass(frozen=True, slots=True)
class SilenceDraft:
    """What somebody asks for. Alerts that agree with all matchers are silent."""

    matchers: tuple[Matcher, ...]
    author: str
    reason: str
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence, and who ended it when, if somebody did before its time."""

    id: int
    matchers: tuple[Matcher, ...]
    author: str
    reason: str
    created_ms: int
    from_ms: int
    to_ms: int
    ended_ms: int | None = None
    ended_by: str = ""

    @property
    def number(self) -> str:
        """What people call it: `SIL-1`."""
        return f"SIL-{self.id}"

    @property
    def until_ms(self) -> int:
        """When it is over, or was."""
        return self.to_ms if self.ended_ms is None else min(self.to_ms, max(self.from_ms, self.ended_ms))

    def state(self, now_ms: int) -> str:
        """`planned`, `silent` or `over`."""
        if now_ms >= self.until_ms:
            return "over"
        return "silent" if now_ms >= self.from_ms else "planned"

    def window(self) -> Window | None:
        """When trouble is expected because of it. `None`: it was ended before it began."""
        if self.until_ms <= self.from_ms:
            return None
        selection = Selection(matchers=self.matchers)
        return Window(Because.SILENCE, self.number, self.reason, self.from_ms, self.until_ms, selection)

    def __str__(self) -> str:
        return f"{self.number} until {format_time(self.until_ms)}: {in_words(self.matchers)}"


def require_sensible(draft: SilenceDraft, now_ms: int, *, everything: bool = False) -> None:
    """Nothing, if there can be such a silence.

    Args:
        everything: it is meant to take everything.

    Raises:
        WrongSilence: there can not.
    """
    _require_text("author", draft.author, MAX_NAME)
    _require_text("reason", draft.reason, MAX_REASON)
    if draft.from_ms < now_ms - _SLACK_MS:
        raise WrongSilence(f"it would begin at {format_time(draft.from_ms)}, which is over: begin now or later")
    if draft.to_ms <= max(draft.from_ms, now_ms):
        raise WrongSilence(f"it would end at {format_time(draft.to_ms)}, before it begins: give a later end")
    if draft.to_ms - draft.from_ms > MAX_MS or draft.from_ms - now_ms > 12 * MAX_MS:
        most = format_duration_ms(MAX_MS)
        raise WrongSilence(f"a silence lasts {most} at most and begins within a year: what lasts is maintenance")
    if len(draft.matchers) > MAX_MATCHERS:
        raise WrongSilence(f"it has more than {MAX_MATCHERS} matchers")
    if not everything and take_everything(draft.matchers):
        raise TooWide(
            f"it would silence everything, or nearly so: {in_words(draft.matchers)}. "
            'Name what is meant, such as service="web-shop", or say that all is meant'
        )


def _require_text(name: str, text: str, most: int) -> None:
    if not text.strip():
        raise WrongSilence(f"its {name} is missing")
    if len(text) > most:
        raise WrongSilence(f"its {name} is longer than {most:,} characters")


def as_plain(silence: Silence, now_ms: int) -> dict[str, object]:
    """A silence as JSON has it, for programs."""
    return {
        "number": silence.number,
        "state": silence.state(now_ms),
        "matchers": [written(matcher) for matcher in silence.matchers],
        "author": silence.author,
        "reason": silence.reason,
        "created": format_time(silence.created_ms),
        "from": format_time(silence.from_ms),
        "until": format_time(silence.until_ms),
        "ended_by": silence.ended_by or None,
    }

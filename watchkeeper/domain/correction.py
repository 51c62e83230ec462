"""What people may say of a service's past: what is sensible."""

from dataclasses import dataclass
from typing import Final

from watchkeeper.domain.availability import CorrectionKind
from watchkeeper.domain.units import format_time, parse_duration_ms

MAX_MS: Final = parse_duration_ms("366d")
MAX_NAME: Final = 100
MAX_REASON: Final = 1000
MAX_OF_SERVICE: Final = 1000  # that are not taken back


class WrongCorrection(Exception):
    """It can not be done. The text says why and what to do."""


@dataclass(frozen=True, slots=True)
class CorrectionDraft:
    """What somebody says."""

    service: str
    kind: CorrectionKind
    from_ms: int
    to_ms: int
    author: str
    reason: str


def require_sensible(draft: CorrectionDraft, now_ms: int) -> None:
    """Nothing, if there can be such a correction.

    Raises:
        WrongCorrection: there can not.
    """
    for name, text, most in (("author", draft.author, MAX_NAME), ("reason", draft.reason, MAX_REASON)):
        if not text.strip():
            raise WrongCorrection(f"its {name} is missing")
        if len(text) > most:
            raise WrongCorrection(f"its {name} is longer than {most:,} characters")
    if draft.to_ms <= draft.from_ms:
        raise WrongCorrection("it would end before it begins: give a later end")
    if draft.to_ms > now_ms:
        raise WrongCorrection(
            f"it would end at {format_time(draft.to_ms)}, which is yet to come: only what is past is corrected; "
            "what is planned is maintenance"
        )
    if draft.to_ms - draft.from_ms > MAX_MS:
        raise WrongCorrection("it would last longer than 366d: correct the outages one by one")

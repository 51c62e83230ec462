"""Silences, in the database. They are ended, never deleted: who silenced what, and who ended it, can be asked."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, insert, or_, select, update

from watchkeeper.domain.expected import Matcher
from watchkeeper.domain.silence import Silence, SilenceDraft, WrongSilence
from watchkeeper.store import tables
from watchkeeper.store.database import Database
from watchkeeper.store.effect_json import codec

MAX_AT_ONCE: Final = 1000  # silences that are not over
_NUMBER: Final = re.compile(r"SIL-(\d{1,18})", re.ASCII | re.IGNORECASE)
_rows = tables.silences
_MATCHERS: Final = codec(tuple[Matcher, ...])


@dataclass(frozen=True, slots=True)
class StoredSilences:
    """The silences of one database. Every method raises StoreError when it does not answer; whether a change was made
    is then not known."""

    database: Database

    def add(self, draft: SilenceDraft, now_ms: int) -> Silence:
        """A new one. What it says was looked at before.

        Raises:
            WrongSilence: there are too many.
        """
        with self.database.write() as connection:
            count = connection.execute(select(func.count()).where(_is_left(now_ms))).scalar_one()
            if count >= MAX_AT_ONCE:
                raise WrongSilence(f"there are {count:,} silences already: end some, or make maintenance of them")
            values = {
                "matchers": json.dumps(_MATCHERS.write(draft.matchers)),
                "author": draft.author,
                "reason": draft.reason,
                "created_ms": now_ms,
                "from_ms": draft.from_ms,
                "to_ms": draft.to_ms,
            }
            return _silence(connection.execute(insert(_rows).values(**values).returning(_rows)).one())

    def left(self, since_ms: int) -> list[Silence]:
        """Those that are not over at an instant, or begin later, the oldest first."""
        return self._read(select(_rows).where(_is_left(since_ms)).order_by(_rows.c.id))

    def newest(self, limit: int) -> list[Silence]:
        """All, over or not, the newest first."""
        return self._read(select(_rows).order_by(_rows.c.id.desc()).limit(limit))

    def find(self, number: str) -> Silence | None:
        """The one that people call so: `SIL-1`."""
        found = self._read(select(_rows).where(_rows.c.id == _id(number)))
        return found[0] if found else None

    def end(self, number: str, by: str, now_ms: int) -> Silence | None:
        """Ends one now. `None`: there is none of this number.

        Raises:
            WrongSilence: it is over.
        """
        mine = _rows.c.id == _id(number)
        with self.database.write() as connection:
            found = connection.execute(select(_rows).where(mine).with_for_update()).first()
            if found is None:
                return None
            silence = _silence(found)
            if silence.state(now_ms) == "over":
                raise WrongSilence(f"{silence.number} is over already")
            ended = update(_rows).where(mine).values(ended_ms=now_ms, ended_by=by).returning(_rows)
            return _silence(connection.execute(ended).one())

    def _read(self, query: Any) -> list[Silence]:
        with self.database.read() as connection:
            return [_silence(row) for row in connection.execute(query)]


def _is_left(since_ms: int) -> Any:
    return (_rows.c.to_ms > since_ms) & or_(_rows.c.ended_ms.is_(None), _rows.c.ended_ms > since_ms)


def _id(number: str) -> int | None:
    found = _NUMBER.fullmatch(number.strip())
    return int(found[1]) if found else None


def _silence(row: Any) -> Silence:
    matchers: Sequence[Matcher] = _MATCHERS.read(json.loads(row.matchers))
    return Silence(
        row.id,
        tuple(matchers),
        row.author,
        row.reason,
        row.created_ms,
        row.from_ms,
        row.to_ms,
        row.ended_ms,
        row.ended_by,
    )

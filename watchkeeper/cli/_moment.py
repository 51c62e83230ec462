"""Times as options."""

from typing import Any, Final

import click

from watchkeeper.domain.units import parse_duration_ms

_TIMES: Final = (
    "a date such as 2026-11-01, a time such as 2026-11-01T12:00 or 2026-11-01T12:00+01:00, or how long ago: 7d"
)


class Moment(click.ParamType[int]):
    """A time, in ms since the epoch."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from datetime import UTC, datetime

        from watchkeeper.app.parts import now_ms

        text = str(value).strip()
        try:
            return now_ms() - parse_duration_ms(text)
        except ValueError:
            pass
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r} is no time: accepted is {_TIMES}", param, ctx)
        return round((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() * 1000)

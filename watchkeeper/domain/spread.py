"""How far trouble has spread: what incidents explain, told in intervals and not one by one."""

from dataclasses import dataclass, field
from typing import Final

from watchkeeper.domain.alert import AlertRef

_SOON_MS: Final = 1000


@dataclass(slots=True)
class _News:
    """`due_ms`: when it is to be told; `None` while there is nothing to tell."""

    added: dict[AlertRef, None] = field(default_factory=dict)
    gone: dict[AlertRef, None] = field(default_factory=dict)
    told_ms: int | None = None
    due_ms: int | None = None


class Spread:
    """What is new since it was told last, by the incident's key."""

    def __init__(self) -> None:
        self._news: dict[str, _News] = {}

    def add(self, key: str, ref: AlertRef) -> bool:
        """An alert is explained by an incident now. Returns whether a telling is to be arranged for."""
        news = self._news.setdefault(key, _News())
        if ref in news.gone:
            del news.gone[ref]
        else:
            news.added[ref] = None
        return news.due_ms is None

    def remove(self, key: str, ref: AlertRef) -> bool:
        """It is not any more. Returns whether a telling is to be arranged for."""
        news = self._news.setdefault(key, _News())
        if ref in news.added:
            del news.added[ref]
        else:
            news.gone[ref] = None
        return news.due_ms is None

    def arrange(self, key: str, now_ms: int, interval_ms: int) -> int:
        """Arranges for a telling, soon and not too soon after the last one. Returns when that is."""
        news = self._news[key]
        soon_ms = now_ms + min(_SOON_MS, interval_ms)
        news.due_ms = soon_ms if news.told_ms is None else max(soon_ms, news.told_ms + interval_ms)
        return news.due_ms

    def is_due(self, key: str, now_ms: int) -> bool:
        """Whether it is time to tell."""
        news = self._news.get(key)
        return news is not None and news.due_ms is not None and news.due_ms <= now_ms

    def take(self, key: str, now_ms: int) -> tuple[list[AlertRef], list[AlertRef]]:
        """What is to be told now: what was added, and what is gone."""
        news = self._news.pop(key, None)
        if news is None:
            return [], []
        if news.added or news.gone:
            self._news[key] = _News(told_ms=now_ms)
        return list(news.added), list(news.gone)

    def waiting(self) -> list[str]:
        """The incidents that have something to tell."""
        return [key for key, news in self._news.items() if news.added or news.gone or news.due_ms is not None]

    def forget(self, key: str) -> None:
        """The incident is over."""
        self._news.pop(key, None)

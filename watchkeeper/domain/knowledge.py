"""What is known about trouble: articles, and which of them help with an incident.

What an article says it is for comes first, the more of it the better; then what has the incident's words. What has
neither is not offered: an article that leads astray costs more than none.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import translate
from typing import Final, NamedTuple

from watchkeeper.domain.article import Article, Asked, Found, Reason, Source, Why, is_exact, unescaped
from watchkeeper.domain.relevance import Index, Least, rank, words_in

MOST_ARTICLES: Final = 10_000  # of each source
MOST_LENGTH: Final = 200_000  # characters of an article; what follows is not read
MOST_KEPT: Final = 4_000  # characters of an article that are kept, after its words were taken in
MOST_MESSAGE: Final = 1_000  # characters of a message that patterns see

ENOUGH: Final = Least(words=2, share=0.3, in_head=True, places=5_000)
"""What an article must share with an incident that it does not say it is for: more than chance. It is asked on the
event loop."""
_MOST_ALIKE: Final = 100  # of which some may be for something else
_MOST_WORDS: Final = 5  # that are told


class _Names:
    """Names and globs, made ready to be compared."""

    def __init__(self, names: Iterable[str]) -> None:
        listed = tuple(names)
        self.exact = frozenset(unescaped(name) for name in listed if is_exact(name))
        self.globs = tuple(re.compile(translate(name)) for name in listed if not is_exact(name))

    def agree(self, name: str) -> int:
        """2 where the name itself is listed, 1 where a glob fits, else 0."""
        if name in self.exact:
            return 2
        return int(any(glob.match(name) for glob in self.globs))


class _Entry(NamedTuple):
    article: Article
    names: tuple[tuple[Why, _Names], ...]


class _Rank(NamedTuple):
    """How well an article fits what it says it is for."""

    same_trouble: bool
    agreeing: int
    exactly: int


class Shelf:
    """The articles of one source, with their index. Does not change.

    Args:
        articles: those after the first ten thousand are left out; of long ones the end is.
    """

    def __init__(self, articles: Sequence[Article]) -> None:
        kept = list({article.id: article for article in articles[:MOST_ARTICLES]}.values())
        self.left_out = len(articles) - len(kept)
        self.index = Index((f"{one.title} {' '.join(one.tags)}", one.text[:MOST_LENGTH]) for one in kept)
        self.entries = [_entry(_shortened(one)) for one in kept]
        self._of: dict[tuple[Why, str], list[int]] = {}
        self._rest: list[int] = []
        for number, entry in enumerate(self.entries):
            narrow = next((pair for pair in entry.names if not pair[1].globs), None)
            if narrow is not None:
                why, names = narrow
                for name in names.exact:
                    self._of.setdefault((why, name), []).append(number)
            elif not entry.article.fit.is_empty:
                self._rest.append(number)

    def fitting(self, asked: Asked) -> Iterator[tuple[_Rank, Found]]:
        """Those that say that they are for this."""
        of = ((Why.RULE, asked.rule), (Why.SERVICE, asked.service), (Why.PROBER, asked.prober))
        for numbers in (*(self._of.get(key, ()) for key in of), self._rest):
            for number in numbers:
                if (found := _agreeing(self.entries[number], asked)) is not None:
                    yield found


_NOTHING: Final[Mapping[Source, Shelf]] = {}


class Knowledge:
    """All that is known, by source. Does not change: `replacing` gives another one."""

    def __init__(self, shelves: Mapping[Source, Shelf] = _NOTHING) -> None:
        self._shelves = {source: shelves[source] for source in Source if source in shelves}

    @classmethod
    def of(cls, articles: Iterable[Article]) -> "Knowledge":
        """Articles of any sources."""
        listed: dict[Source, list[Article]] = {}
        for article in articles:
            listed.setdefault(article.source, []).append(article)
        return cls({source: Shelf(some) for source, some in listed.items()})

    def replacing(self, shelves: Mapping[Source, Shelf]) -> "Knowledge":
        """With other articles from these sources. What is left as it is is not indexed again."""
        return Knowledge({**self._shelves, **shelves})

    def __len__(self) -> int:
        return sum(len(shelf.entries) for shelf in self._shelves.values())

    def __iter__(self) -> Iterator[Article]:
        return (entry.article for shelf in self._shelves.values() for entry in shelf.entries)

    def best(self, asked: Asked, most: int = 2) -> Sequence[Found]:
        """What helps with an incident: what is known of its very problem, then what fits, the best first. Of what
        ended earlier ones, one at most."""
        if most <= 0 or not self._shelves:
            return ()
        fitting = sorted(
            (pair for shelf in self._shelves.values() for pair in shelf.fitting(asked)),
            key=lambda pair: (
                pair[1].article.source is not Source.KNOWN_ERROR,
                *(-int(part) for part in pair[0]),
                *_order(pair[1].article),
            ),
        )
        chosen: list[Found] = []
        for _, found in fitting:
            is_past = found.article.source is Source.RESOLUTION
            if not (is_past and any(one.article.source is Source.RESOLUTION for one in chosen)):
                chosen.append(found)
            if len(chosen) == most:
                return chosen
        said = [asked.title, asked.message[:MOST_MESSAGE], asked.rule, asked.prober, *asked.labels.values()]
        where = set(words_in(asked.service))  # says where it is, not what
        question = (word for word in words_in(" ".join(said)) if word not in where)
        return [*chosen, *self._alike(question, ENOUGH, _MOST_ALIKE, most - len(chosen), are_for_anything=True)]

    def search(self, text: str, most: int = 10) -> Sequence[Found]:
        """What has any of these words, the best first: for people, who see for themselves what is of use."""
        return self._alike(words_in(text), Least(), most, most)

    def _alike(
        self, question: Iterable[str], least: Least, ranked: int, most: int, *, are_for_anything: bool = False
    ) -> list[Found]:
        """What has the words of a question, the best first.

        Args:
            ranked: of so many it is looked which are meant.
            are_for_anything: only those that do not say what they are for.
        """
        shelves = {shelf.index: shelf for shelf in self._shelves.values()}
        found = [
            (shelves[index].entries[hit.number].article, hit)
            for index, hit in rank(list(shelves), question, least, ranked)
        ]
        found.sort(key=lambda pair: (-pair[1].score, *_order(pair[0])))
        return [
            Found(article, (Reason(Why.WORDS, " ".join(hit.words[:_MOST_WORDS])),))
            for article, hit in found
            if article.fit.is_empty or not are_for_anything
        ][:most]


NOTHING_KNOWN: Final = Knowledge()


def _shortened(article: Article) -> Article:
    left = max(0, MOST_KEPT - len(article.body))
    if len(article.body) <= MOST_KEPT and sum(len(said) for _, said in article.parts) <= left:
        return article
    share = left // max(1, len(article.parts))
    parts = tuple((part, said[:share]) for part, said in article.parts)
    return replace(article, body=article.body[:MOST_KEPT], parts=parts)


def _entry(article: Article) -> _Entry:
    fit = article.fit
    named = ((Why.RULE, fit.rules), (Why.SERVICE, fit.services), (Why.PROBER, fit.probers))
    return _Entry(article, tuple((why, _Names(names)) for why, names in named if names))


def _agreeing(entry: _Entry, asked: Asked) -> tuple[_Rank, Found] | None:
    """How an article fits, and why; `None` where anything that it says does not."""
    fit = entry.article.fit
    said = {Why.RULE: asked.rule, Why.SERVICE: asked.service, Why.PROBER: asked.prober}
    reasons: list[Reason] = []
    exactly = 0
    for why, names in entry.names:
        if not (agrees := names.agree(said[why])):
            return None
        exactly += agrees == 2
        reasons.append(Reason(why, said[why]))
    if fit.message is not None:
        if not fit.message(asked.message[:MOST_MESSAGE]):
            return None
        reasons.append(Reason(Why.MESSAGE, fit.pattern))
    is_same = bool(fit.key) and fit.key == asked.key
    why_ = (Reason(Why.KEY, asked.key),) if is_same else tuple(reasons)
    return _Rank(is_same, len(reasons), exactly), Found(entry.article, why_)


def _order(article: Article) -> tuple[int, int, str]:
    """The order of what fits alike."""
    return list(Source).index(article.source), -article.at_ms, article.id

"""Which texts fit a question best, by the words that they share: BM25 over an index that is built once.

Words of languages that write without spaces are taken as pairs of characters. What is asked of the index is bounded:
rare words first, and so many places at most.

Robertson, Zaragoza: The Probabilistic Relevance Framework: BM25 and Beyond, 2009.
"""

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from heapq import nlargest
from itertools import islice
from math import log
from typing import Any, Final, NamedTuple
from unicodedata import normalize

MOST_ASKED: Final = 64  # words of a question

_K1: Final = 1.2
_B: Final = 0.75
_HEAD_COUNTS: Final = 3  # a word of a title counts as often
_PRIOR: Final = 10  # texts that there are beside, without any of the words: where few are, none is rare by chance
_UNKNOWN_COUNTS: Final = 0.25
_MOST_COUNTED: Final = 255
_HEAD_BIT: Final = 256
_SHIFT: Final = 9
_DIGITS: Final = 6  # of a score
_LONGEST_WORD: Final = 40
_LONGEST_NUMBER: Final = 5  # longer ones are addresses, sizes and times, which mean nothing the next time

_SPACELESS: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD: Final = re.compile(rf"[{_SPACELESS}]+|[^\W_{_SPACELESS}]+")
_BEGINS_SPACELESS: Final = re.compile(f"[{_SPACELESS}]")
_STOP: Final = frozenset(
    re.findall(
        r"\w+",
        """an and are as at be been but by can do does for from had has have how if in into is it its may more must no
        not of off on one only or other our out over should so some such than that the their them then there these
        they this those to too up was we were what when where which who will with you your""",
    )
)


class Hit(NamedTuple):
    """A text that fits. `words`: those that it has, in the order of the question."""

    number: int
    score: float
    words: tuple[str, ...]


class Least(NamedTuple):
    """What a text must have to be told. `places`: so many are looked at, of the rarest words first."""

    words: int = 1
    share: float = 0.0
    in_head: bool = False
    places: int = 200_000


def words_in(text: str) -> Iterator[str]:
    """The words of a text that say something, as they are compared."""
    plain = (text if text.isascii() else normalize("NFKC", text)).casefold()
    for word in _WORD.findall(plain):
        if word.isascii():
            if (kept := _english(word)) is not None:
                yield kept
        elif _BEGINS_SPACELESS.match(word) and len(word) > 1:
            for at in range(len(word) - 1):
                yield word[at : at + 2]
        elif len(word) <= _LONGEST_WORD:
            yield word


class Index:
    """The words of texts. A text is known by its number: the place where it stood.

    Args:
        texts: each text's title and the rest of it.
    """

    def __init__(self, texts: Iterable[tuple[str, str]]) -> None:
        self._places: dict[str, array[int]] = {}
        self.lengths = array("I")
        """How many words each text has."""
        for number, (head, body) in enumerate(texts):
            self._add(number, Counter(words_in(head)), Counter(words_in(body)))
        self.total = sum(self.lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def _add(self, number: int, head: Counter[str], body: Counter[str]) -> None:
        for word in head:
            body[word] += _HEAD_COUNTS * head[word]
        self.lengths.append(body.total())
        base = number << _SHIFT
        places = self._places
        for word, count in body.items():
            place = base | min(count, _MOST_COUNTED) | (_HEAD_BIT if word in head else 0)
            if (known := places.get(word)) is None:
                places[word] = array("I", (place,))
            else:
                known.append(place)

    def places(self, word: str) -> Sequence[int]:
        """Where a word stands: number, whether in the title, and how often, in one number each."""
        return self._places.get(word, ())


def rank(indexes: Sequence[Index], question: Iterable[str], least: Least, most: int) -> list[tuple[Index, Hit]]:
    """The texts that fit a question best, and those that fit as well as the last of them, in no order. What is rare
    is rare in all of the indexes."""
    asked = list(dict.fromkeys(islice(question, 4 * MOST_ASKED)))[:MOST_ASKED]
    there = [sum(len(index.places(word)) for index in indexes) for word in asked]
    texts = sum(map(len, indexes))
    weights = [log(1 + (texts + _PRIOR - found + 0.5) / (found + 0.5)) for found in there]
    average = max(1.0, sum(index.total for index in indexes) / max(1, texts))
    whole = sum(map(_asked_weight, asked, weights, there))
    sums: list[dict[int, _Sum]] = [{} for _ in indexes]
    left = least.places
    for at in sorted(range(len(asked)), key=there.__getitem__):
        left -= there[at]
        if left < 0:
            break
        for index, of_index in zip(indexes, sums, strict=True):
            _add(of_index, index, asked[at], weights[at], 1 << at, average)
    enough = [
        (index, number, one)
        for index, of_index in zip(indexes, sums, strict=True)
        for number, one in of_index.items()
        if one[3] >= least.in_head and one[2].bit_count() >= least.words and one[1] >= least.share * whole
    ]
    last = min(nlargest(most, (round(one[0], _DIGITS) for _, _, one in enough)), default=0.0)

    def hit(number: int, one: "_Sum") -> Hit:
        words = tuple(word for at, word in enumerate(asked) if one[2] >> at & 1)
        return Hit(number, round(one[0], _DIGITS), words)

    return [(index, hit(number, one)) for index, number, one in enough if round(one[0], _DIGITS) >= last]


_Sum = list[Any]
"""Of a text: its score, the weight of the words that it has, which these are, bit by bit, and whether one is in its
title. A list, since there are very many."""


def _add(sums: dict[int, _Sum], index: Index, word: str, weight: float, bit: int, average: float) -> None:
    """Adds what one word says for each text that has it."""
    lengths, factor = index.lengths, weight * (_K1 + 1)
    flat, slope = _K1 * (1 - _B), _K1 * _B / average
    for place in index.places(word):
        number, count = place >> _SHIFT, place & _MOST_COUNTED
        one = sums.get(number)
        if one is None:
            one = sums[number] = [0.0, 0.0, 0, False]
        one[0] += factor * count / (count + flat + slope * lengths[number])
        one[1] += weight
        one[2] |= bit
        if place & _HEAD_BIT:
            one[3] = True


def _asked_weight(word: str, weight: float, found: int) -> float:
    """What a word of the question counts. One that stands nowhere is mostly a name, which nobody wrote about; a
    number is one of this moment."""
    if found:
        return weight
    return 0.0 if word.isdecimal() else weight * _UNKNOWN_COUNTS


def _english(word: str) -> str | None:
    """A word without its plural's s; `None` for one that says nothing."""
    if len(word) < 2 or len(word) > _LONGEST_WORD or word in _STOP:
        return None
    if word.isdecimal():
        return word if len(word) <= _LONGEST_NUMBER else None
    return word[:-1] if len(word) > 3 and word[-1] == "s" and word[-2] not in "sui" else word

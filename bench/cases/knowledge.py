"""How quickly knowledge is found: 10,000 articles of some 5 KB, asked as for a new incident and as people search."""

import gc
from itertools import accumulate
from random import Random
from time import process_time
from typing import Any, Final

import psutil

from bench.report import Result
from bench.stage import Stage

_ARTICLES: Final = 10_000
_WORDS: Final = 800  # of an article
_VOCABULARY: Final = 30_000
_MEGABYTE: Final = 1_000_000


def run(stage: Stage) -> Result:
    from watchkeeper.domain.article import Asked  # all of watchkeeper: a mistake in it shall fail this case only
    from watchkeeper.domain.knowledge import Knowledge
    from watchkeeper.engine import memory

    result = Result("knowledge", "10,000 articles of 800 words, a tenth of them with a `match`")
    random = Random(1)
    words = [_word(random) for _ in range(_VOCABULARY)]
    weights = list(accumulate(1 / (rank + 1) for rank in range(_VOCABULARY)))  # as languages have them

    def said(count: int) -> str:
        return " ".join(random.choices(words, cum_weights=weights, k=count))

    articles = [_article(number, said(6), said(_WORDS)) for number in range(_ARTICLES)]
    gc.collect()
    before = psutil.Process().memory_info().rss
    began = process_time()
    known = Knowledge.of(articles)
    result.info("index built, CPU", f"{process_time() - began:.1f} s")
    memory.settle()  # as the daemon does
    grown = (psutil.Process().memory_info().rss - before) / _MEGABYTE
    result.info("memory of the index", f"{grown:.0f} MB")
    count = 50 if stage.options.quick else 500
    asked = [Asked(f"rule-{n}", "http", "shop", said(12), said(6), key=str(n)) for n in range(count)]
    questions = [said(3) for _ in range(count)]
    chosen, searched = _timed(known.best, asked), _timed(known.search, questions)
    result.at_most("chosen for an incident, CPU p99", chosen[int(count * 0.99)] * 1000, 10, "ms", 1)
    result.at_most("searched by people, CPU p99", searched[int(count * 0.99)] * 1000, 100, "ms", 1)
    result.raw |= {"seconds for an incident": chosen, "seconds for a search": searched}
    return result


def _article(number: int, title: str, body: str) -> Any:
    from watchkeeper.domain.article import Article, Fit

    fit = Fit(rules=(f"rule-{number}", "other-*")) if number % 10 == 0 else Fit()
    return Article(f"a{number}", title, body, fit=fit)


def _timed(ask: Any, questions: list[Any]) -> list[float]:
    """How much CPU each took, in order."""
    took = []
    for question in questions:
        began = process_time()
        ask(question)
        took.append(process_time() - began)
    return sorted(took)


def _word(random: Random) -> str:
    return "".join(random.choices("abcdefghijklmnoprstuvw", k=random.randint(3, 10)))

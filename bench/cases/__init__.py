"""The cases: each is a function that measures one thing and says what it found."""

from collections.abc import Callable, Mapping

from bench.cases import (
    availability,
    backtest,
    comparison,
    detection,
    failing,
    knowledge,
    rules,
    scrape,
    startup,
    store,
    storm,
    sustained,
    ten_thousand,
)
from bench.report import Result
from bench.stage import Stage

Case = Callable[[Stage], Result]

ALL: Mapping[str, Case] = {
    "http200": comparison.http200,
    "http1000": comparison.http1000,
    "https200": comparison.https200,
    "sustained": sustained.run,
    "ten_thousand": ten_thousand.run,
    "scrape": scrape.run,
    "failing": failing.run,
    "store": store.run,
    "rules": rules.run,
    "backtest": backtest.run,
    "knowledge": knowledge.run,
    "availability": availability.run,
    "detection": detection.run,
    "storm": storm.run,
    "startup": startup.run,
}

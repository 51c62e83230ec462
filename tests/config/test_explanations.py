"""Why a rule fired: what its condition asked about, and what that was."""

import pytest

from tests.config.folder import DUMP, VOLUME
from tests.config.scope import NOW_MS, sample, scope
from watchkeeper.config.expression import Compiler
from watchkeeper.domain.probe import Status
from watchkeeper.domain.units import utc

VOLUMES, DUMPS = Compiler(VOLUME), Compiler(DUMP)


def explained(when: str) -> list[tuple[str, str]]:
    condition = VOLUMES.compile(when)
    before = sample(values={"used_percent": 80.0}, at_ms=NOW_MS - 60_000)
    now = sample(Status.DOWN, {"used_percent": 97.25}, message="no space\nleft")
    return list(condition.explain(scope(now, condition.spans_ms, [before])))


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ('status == "down"', [("status", '"down"')]),
        ("!up", [("up", "false")]),
        ("values.used_percent > 90 && values.used_percent < 99", [("values.used_percent", "97.25")]),
        ("values.free_bytes < 5", [("values.free_bytes", "?")]),
        ("has(values.free_bytes)", [("values.free_bytes", "?")]),
        ('avg("used_percent", "10m") > 85', [('avg("used_percent", "10m")', "88.625")]),
        ('avg("free_bytes", "10m") > 85', [('avg("free_bytes", "10m")', "?")]),
        ('quantile(0.5, "used_percent", "1h") > 1', [('quantile(0.5, "used_percent", "1h")', "88.625")]),
        ('time_to("used_percent", values.used_percent + 1.0, "1h") < 5', [("values.used_percent", "97.25")]),
        ('changed("status", "1h")', [('changed("status", "1h")', "true")]),
        ('labels.env == "prod" && probe.id != "x"', [("labels.env", '"prod"'), ("probe.id", '"root"')]),
        ('labels.zone == "x"', [("labels.zone", "?")]),
        ('labels.all(l, l != "x")', []),
        ('message.contains("space")', [("message", '"no space left"')]),
        ('now.getHours() > 3 // values.free_bytes', [("now", "2023-11-14 22:13:20Z")]),
        ('"values.used_percent" != message', [("message", '"no space left"')]),
    ],
)  # fmt: skip
def test_what_a_condition_asks_about_is_told_with_its_value(when: str, expected: list[tuple[str, str]]) -> None:
    assert explained(when) == expected


def test_times_among_the_facts_are_told_in_utc_and_long_texts_are_cut() -> None:
    condition = DUMPS.compile('age("last_backup") > 3600 && facts.file != "x" && facts.last_backup < now')
    of = sample(facts={"last_backup": utc(NOW_MS - 7_200_000), "file": "x" * 3000})
    told = dict(condition.explain(scope(of)))
    assert told['age("last_backup")'] == "7200"
    assert told["facts.last_backup"] == "2023-11-14 20:13:20Z"
    assert len(told["facts.file"]) == 102


def test_a_long_condition_tells_of_its_first_terms_only() -> None:
    parts = " || ".join(f'avg("used_percent", "{n}m") > {n}' for n in range(1, 60))
    assert len(VOLUMES.compile(parts).explain(scope(sample()))) == 20

"""What a new ticket says of what is known."""

from dataclasses import replace

import pytest

from tests.domain.made import SHOP, is_down, probe, rule, sample
from tests.store.made import incident
from watchkeeper.config.description import compile_description
from watchkeeper.domain.article import Article, Asked, Fit, Found
from watchkeeper.domain.briefing import MOST_TEXT, Briefing, describe, knowledge
from watchkeeper.domain.knowledge import Knowledge
from watchkeeper.domain.lessons import KnownError, Resolution, asked_about
from watchkeeper.domain.phrases import CHINESE, ENGLISH, Phrases
from watchkeeper.domain.probe import Status
from watchkeeper.domain.rule import Scope

ASKED = Asked("disk-full", "disk", "shop", "95% used", "it is full", key="disk/probe=root")
LAST = Resolution(
    12, ASKED.key, "disk-full", "shop", 1_000, "Removed old dumps.\nOrdered a disk.", "T-9", "https://t/9"
)
ARTICLE = Article(
    "disk", "Make room", "# Make room\n\n1. du -xh\n2. lsof +L1\n", fit=Fit(("disk-*",), ("disk",)),
    url="https://wiki/disk", place="knowledge/disk.md",
)  # fmt: skip
PROBLEM = KnownError(
    "PRB7", "The disk fills at night", "disk-full", "shop", "Log rotation fails", "Run logrotate", "A wrong owner"
).article()


def briefing(*articles: Article | None, words: Phrases = ENGLISH) -> Briefing:
    known = Knowledge.of(article for article in articles if article is not None)
    scope = Scope(sample(1_000, Status.DOWN), probe(), SHOP, 1_000)
    return Briefing(incident(), SHOP, rule("down", is_down), scope, words=words, knowledge=known.best(ASKED))


def test_what_ended_the_last_incident_and_an_article_stand_in_the_ticket() -> None:
    assert knowledge(briefing(ARTICLE, LAST.article())).splitlines() == [
        "Last time (INC-12, the same trouble) it was resolved with:",
        "  Removed old dumps.",
        "  Ordered a disk.",
        "  https://t/9",
        "Make room (knowledge/disk.md), because of the rule disk-full, the prober disk",
        "  1. du -xh",
        "  2. lsof +L1",
        "  https://wiki/disk",
    ]


def test_a_known_error_is_told_with_what_is_known_of_it() -> None:
    assert knowledge(briefing(PROBLEM)).splitlines() == [
        "The disk fills at night (PRB7), because of the rule disk-full, the service shop",
        "  Known error: Log rotation fails",
        "  Workaround: Run logrotate",
        "  Root cause: A wrong owner",
    ]


def test_it_is_told_in_chinese() -> None:
    assert knowledge(briefing(PROBLEM, LAST.article(), words=CHINESE)).splitlines() == [
        "The disk fills at night（PRB7），依据：规则 disk-full、服务 shop",
        "  已知错误：Log rotation fails",
        "  临时解决方案：Run logrotate",
        "  根本原因：A wrong owner",
        "上次（INC-12，同一故障）的解决方法：",
        "  Removed old dumps.",
        "  Ordered a disk.",
        "  https://t/9",
    ]


def test_the_section_stands_before_earlier_incidents_and_only_where_there_is_something() -> None:
    assert "\n\nWhat may help:\n  Make room (knowledge/disk.md)" in describe(briefing(ARTICLE))
    assert "help" not in describe(briefing())
    assert "\n\n可供参考的知识：\n  Make room（" in describe(briefing(ARTICLE, words=CHINESE))


def test_a_long_article_takes_a_part_of_the_ticket_only() -> None:
    long = replace(ARTICLE, title="t" * 5_000, body="word " * 50_000, url="https://x/" + "y" * 5_000)

    assert len(knowledge(briefing(long))) < 4_000
    assert len(describe(briefing(long))) < MOST_TEXT


def test_no_more_than_two_stand_in_the_ticket() -> None:
    many = [Found(replace(ARTICLE, id=str(at)), ()) for at in range(5)]

    assert knowledge(replace(briefing(), knowledge=many)).count("Make room") == 2


@pytest.mark.parametrize(
    ("articles", "said"), [([ARTICLE], "Known: Make room (knowledge/disk.md), because"), ([], "")]
)
def test_a_description_of_ones_own_has_it_by_name(articles: list[Article], said: str) -> None:
    write = compile_description("{% if knowledge %}Known: {{ knowledge }}{% endif %}")

    assert write(briefing(*articles)).startswith(said)
    assert bool(write(briefing(*articles))) == bool(said)


def test_what_is_asked_is_what_is_known_of_the_incident() -> None:
    one = incident(1, key="disk/probe=root")
    scope = Scope(sample(1_000, Status.DOWN, message="95% used"), probe(team="web"), SHOP, 1_000)

    assert asked_about(one, scope) == Asked(
        "service-down", "http", "shop", "95% used", one.title, {"team": "web"}, "disk/probe=root"
    )
    assert asked_about(one, None) == Asked("service-down", service="shop", title=one.title, key="disk/probe=root")

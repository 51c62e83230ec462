"""Which articles are offered for an incident, in which order, and why."""

from collections.abc import Sequence
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.domain.article import Article, Asked, Fit, Found, Part, Reason, Source, Why, excerpt
from watchkeeper.domain.knowledge import MOST_ARTICLES, MOST_KEPT, Knowledge, Shelf
from watchkeeper.domain.lessons import KnownError, Resolution

DISK = Asked(
    rule="disk-full",
    prober="disk",
    service="shop",
    message="97.3% of / used, 1.2 GB free",
    title="disk-root is 97.3% full, 1.2 GB free",
    labels={"team": "web"},
    key="disk/probe=disk-root",
)


def ids(found: Sequence[Found]) -> list[str]:
    return [one.article.id for one in found]


def article(id_: str, fit: Fit = Fit(), title: str = "", body: str = "") -> Article:  # noqa: B008
    return Article(id_, title or id_, body, fit=fit)


def resolution(number: int, key: str = DISK.key, rule: str = DISK.rule, service: str = DISK.service) -> Article:
    return Resolution(number, key, rule, service, 1_000 * number, f"did {number}", f"T-{number}").article()


LIBRARY = [
    Article("disk", "Make room on a full disk", "Find what fills it: du, lsof. Delete old logs.", tags=("space",)),
    Article("certs", "Renew a certificate", "Order one, put it on the load balancer.", tags=("expires", "tls")),
    Article("dns", "Name resolution is slow", "Ask the resolvers one by one with dig; restart unbound."),
    Article("dump", "The nightly backup is missing", "See the timer's journal. Run the dump by hand."),
    Article("login", "Nobody can log in to the shop", "The session store in redis is full or away."),
    Article("zh-disk", "磁盘空间不足的处理方法", "先用 du 找出占用空间最多的目录，再清理旧日志。"),
    Article("zh-cert", "证书过期如何更换", "申请新证书，更新负载均衡，然后重新加载。"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("message", "title", "expected"),
    [
        ("97% of / used, disk full", "disk-root is full", "disk"),
        ("certificate expires in 3 days", "shop.example: the certificate is about to expire", "certs"),
        ("no file matches /backup/nightly-*.dump", "the nightly backup is missing", "dump"),
        ("resolution took 3.2 s", "name resolution of shop.example is slow", "dns"),
        ("/data 磁盘空间不足，仅剩 2%", "数据库主机：磁盘空间不足", "zh-disk"),
        ("证书将于 3 天后过期", "网上商城：证书即将过期", "zh-cert"),
        ("connection refused", "Web shop: home is down", None),
        ("timed out after 5 s", "Web shop: the load balancer of the shop does not answer", None),
        ("97% used", "db1: memory is full", None),
        ("session store took 3 s", "redis: ping is slow", None),
        ("load 12.4 per CPU", "db1 is overloaded", None),
        ("HTTP 503 after 0.2 s", "Billing: invoices: answered 503", None),
        ("内存使用率 98%", "主机内存不足", None),
        ("", "", None),
    ],
)
def test_without_a_match_an_article_is_offered_only_where_it_is_about_the_same(
    message: str, title: str, expected: str | None
) -> None:
    found = Knowledge.of(LIBRARY).best(Asked("some-rule", "http", "shop", message, title))

    assert ids(found)[:1] == ([] if expected is None else [expected])


def test_what_an_article_says_it_is_for_goes_before_what_has_the_same_words() -> None:
    known = Knowledge.of([*LIBRARY, article("meant", Fit(rules=("disk-*",)), "Call the storage team")])

    assert ids(known.best(DISK)) == ["meant", "disk"]


def test_the_more_an_article_says_it_is_for_the_earlier_it_goes() -> None:
    fits = {
        "all": Fit(("disk-full",), ("disk",), ("shop",), lambda text: "used" in text, "used"),
        "three": Fit(("disk-full",), ("disk",), ("shop",)),
        "two": Fit(("disk-full",), ("disk",)),
        "exact": Fit(("disk-full",)),
        "glob": Fit(("disk-*",)),
    }
    for order in permutations(fits):
        known = Knowledge.of(article(name, fits[name]) for name in order)

        assert ids(known.best(DISK, 9)) == list(fits)


@pytest.mark.parametrize(
    "fit",
    [
        Fit(rules=("other",)),
        Fit(rules=("disk-full",), probers=("http",)),
        Fit(rules=("disk-full",), services=("billing", "b*")),
        Fit(rules=("disk-full",), message=lambda text: "inode" in text, pattern="inode"),
    ],
)
def test_an_article_that_is_for_something_else_is_not_offered_whatever_its_words(fit: Fit) -> None:
    known = Knowledge.of([article("no", fit, DISK.title, DISK.message)])

    assert ids(known.best(DISK)) == []


def test_each_article_says_why_it_was_chosen() -> None:
    fit = Fit(("disk-*", "x"), ("disk",), ("shop",), lambda _: True, "us[e]d")
    [meant, alike] = Knowledge.of([article("meant", fit), LIBRARY[0]]).best(DISK)

    assert meant.reasons == (
        Reason(Why.RULE, "disk-full"),
        Reason(Why.SERVICE, "shop"),
        Reason(Why.PROBER, "disk"),
        Reason(Why.MESSAGE, "us[e]d"),
    )
    assert alike.reasons == (Reason(Why.WORDS, "disk full"),)


def test_names_with_stars_in_them_are_no_globs_when_they_come_from_problems() -> None:
    known = KnownError("P-1", "It fills", "disk-*", "", workaround="wait").article()
    assert known is not None

    assert ids(Knowledge.of([known]).best(DISK)) == []
    assert ids(Knowledge.of([known]).best(Asked(rule="disk-*"))) == ["P-1"]


def test_a_problem_of_which_nothing_is_known_yet_is_no_article() -> None:
    assert KnownError("P-1", "It fills", "disk-full", "shop", "", " ", "\n").article() is None


def test_known_errors_of_the_same_rule_and_service_are_offered_with_what_is_known() -> None:
    here = KnownError("P-1", "It fills", "disk-full", "shop", workaround="wait", root_cause="logs").article()
    elsewhere = KnownError("P-2", "It fills", "disk-full", "billing", workaround="restart").article()
    assert here is not None
    assert elsewhere is not None

    [found] = Knowledge.of([here, elsewhere]).best(DISK)

    assert found.article.parts == ((Part.WORKAROUND, "wait"), (Part.ROOT_CAUSE, "logs"))


def test_what_ended_the_same_trouble_last_goes_first_and_leaves_room_for_an_article() -> None:
    known = Knowledge.of([resolution(1), resolution(3), resolution(2), resolution(9, key="other"), LIBRARY[0]])

    [last, alike] = known.best(DISK)

    assert (last.article.title, last.article.body, last.reasons[0].why) == ("INC-3", "did 3", Why.KEY)
    assert alike.article.id == "disk"


def test_what_ended_other_trouble_of_the_same_rule_and_service_is_offered_too() -> None:
    known = Knowledge.of([resolution(1, key="other"), resolution(2, "other", service="billing")])

    assert ids(known.best(DISK)) == ["INC-1"]


def test_what_fits_alike_comes_in_one_order_whatever_the_order_that_it_was_read_in() -> None:
    fit = Fit(rules=("disk-full",))
    some = [article("b", fit), article("a", fit), *(article(name, title="full disk, 97% used") for name in "dc")]

    assert {tuple(ids(Knowledge.of(order).best(DISK, 9))) for order in permutations(some)} == {("a", "b", "c", "d")}


def test_a_person_who_searches_finds_what_has_any_of_the_words() -> None:
    known = Knowledge.of([*LIBRARY, resolution(1)])

    assert ids(known.search("certificates of balancers"))[0] == "certs"
    assert ids(known.search("did")) == ["INC-1"]
    assert ids(known.search("日志"))[0] == "zh-disk"
    assert ids(known.search("ＤＩＳＫ"))[0] == "disk"
    assert ids(known.search("the of xyzzy !!")) == []


def test_one_source_is_replaced_and_the_others_stay() -> None:
    known = Knowledge.of([*LIBRARY, resolution(1)])

    later = known.replacing({Source.RESOLUTION: Shelf([resolution(2)])})

    assert len(known) == len(later) == len(LIBRARY) + 1
    assert "INC-2" in [one.id for one in later]
    assert "INC-1" not in [one.id for one in later]


def test_of_too_many_articles_the_first_are_kept() -> None:
    shelf = Shelf([article(f"a{number}") for number in range(MOST_ARTICLES + 5)])

    assert (len(shelf.entries), shelf.left_out) == (MOST_ARTICLES, 5)


def test_of_a_long_article_all_words_are_found_and_the_beginning_is_kept() -> None:
    body = "word " * MOST_KEPT + "needle"
    known = Knowledge.of([Article("long", "Long", body)])

    [found] = known.search("needle")

    assert len(found.article.body) == MOST_KEPT


def test_the_first_lines_are_those_that_say_something_and_wrapped_ones_are_whole() -> None:
    long = "1. Look at the very long line that goes on and on and was broken for its length"

    assert excerpt(f"# Title\n\n{long}\n   and ends here.\n2. Then\n\n") == [f"{long} and ends here.", "2. Then"]
    assert excerpt("a\nb\nc", lines=2) == ["a", "b", "…"]
    assert excerpt("x" * 700) == ["x" * 600 + "…"]
    assert excerpt("## only\n# headings\n") == []


TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=8), TEXTS, TEXTS)
def test_whatever_is_written_and_asked_there_is_an_answer_and_always_the_same(
    texts: list[tuple[str, str]], message: str, title: str
) -> None:
    articles = [Article(str(at), head, body) for at, (head, body) in enumerate(texts)]
    asked = Asked("r", "p", "s", message, title)

    found, again = Knowledge.of(articles).best(asked), Knowledge.of(reversed(articles)).best(asked)

    assert ids(found) == ids(again)
    assert len(found) <= 2
    for one in found:
        [reason] = one.reasons
        assert reason.why is Why.WORDS
        assert reason.what

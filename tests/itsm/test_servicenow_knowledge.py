"""Published articles of a ServiceNow instance."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.itsm import servicenow_backend
from tests.simulators import servicenow
from tests.simulators.servicenow import Instance
from watchkeeper.domain.article import Article, Source
from watchkeeper.itsm._servicenow_knowledge import PAGE, plain
from watchkeeper.itsm.base import Denied, Publishes, TicketBackend


@pytest.fixture
def instance() -> Iterator[Instance]:
    with servicenow.running() as running:
        yield running


@pytest.fixture
def backend(instance: Instance, tmp_path: Path) -> Iterator[TicketBackend]:
    with servicenow_backend.made(instance, tmp_path) as made:
        yield made


def add(instance: Instance, title: str, **given: str) -> dict[str, str]:
    return instance.add("kb_knowledge", **{"short_description": title, "workflow_state": "published", **given})


def read(backend: TicketBackend, query: str = "", most: int = 1000) -> list[Article]:
    assert isinstance(backend, Publishes)
    return [article for page in backend.articles(query, most) for article in page]


def test_a_published_article_is_read(instance: Instance, backend: TicketBackend) -> None:
    row = add(
        instance, "Make room", text="<h1>Make room</h1><p>See <b>du</b> &amp; lsof.<br>Then</p>", meta="disk, space,"
    )

    assert read(backend) == [
        Article(
            row["sys_id"],
            "Make room",
            "Make room\n\nSee du & lsof.\nThen",
            Source.SERVICENOW,
            ("disk", "space"),
            url=f"{instance.url}/kb_view.do?sys_kb_id={row['sys_id']}",
            place=row["number"],
        )
    ]


def test_what_is_not_published_is_not_read(instance: Instance, backend: TicketBackend) -> None:
    for state in ("draft", "retired", "review"):
        add(instance, state, workflow_state=state)

    assert read(backend) == []


def test_a_query_says_which_articles(instance: Instance, backend: TicketBackend) -> None:
    add(instance, "mine", kb_category="operations")
    add(instance, "other", kb_category="holidays")

    assert [one.title for one in read(backend, "kb_category=operations")] == ["mine"]


@pytest.mark.parametrize("query", ["nonsense=1^ORworkflow_state=draft", "kb_category=x^NQworkflow_state=draft"])
def test_a_query_that_goes_round_the_condition_finds_no_drafts(
    instance: Instance, backend: TicketBackend, query: str
) -> None:
    add(instance, "secret", workflow_state="draft")

    assert read(backend, query) == []


def test_many_articles_are_read_page_by_page_each_once(instance: Instance, backend: TicketBackend) -> None:
    for number in range(2 * PAGE + 5):
        add(instance, f"article {number}")

    titles = [one.title for one in read(backend)]

    assert len(titles) == len(set(titles)) == 2 * PAGE + 5
    assert len(instance.requests("GET", "/api/now/table/kb_knowledge")) == 3


def test_no_more_are_read_than_wanted_and_nothing_before_it_is(instance: Instance, backend: TicketBackend) -> None:
    for number in range(2 * PAGE):
        add(instance, f"article {number}")
    assert isinstance(backend, Publishes)

    pages = backend.articles("", PAGE + 1)
    assert instance.requests("GET", "/api/now/table/kb_knowledge") == []

    assert [len(page) for page in pages] == [PAGE, 1]


def test_articles_that_may_not_be_read_are_told(instance: Instance, backend: TicketBackend) -> None:
    add(instance, "mine")
    user = instance.auth.users["watchkeeper"]
    user.roles.clear()
    user.password = "changed"

    with pytest.raises(Denied):
        read(backend)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("plain text", "plain text"),
        ("<style>p {x}</style><script>alert(1)</script><p>a</p><!-- b --><p>c", "a\n\nc"),
        ("<ul><li>one</li><li>two</li></ul>", "one\n\ntwo"),
        ("if a < b and c > d", "if a < b and c > d"),
        ("<script>never ends", ""),
        ("&lt;p&gt;&nbsp;x", "<p> x"),
    ],
)
def test_of_a_page_the_text_is_taken(html: str, text: str) -> None:
    assert plain(html) == text


def test_a_page_of_unclosed_tags_takes_no_time() -> None:
    for html in ("<" * 200_000, "<p" * 100_000, "<script>" * 50_000, "<!--" * 50_000):
        plain(html)

"""Articles: Markdown files with front matter."""

import pytest

from tests.config.folder import DAEMON, Folder
from watchkeeper.config.codes import Code
from watchkeeper.config.knowledge import ArticleReader
from watchkeeper.config.pattern import PatternError, compile_pattern
from watchkeeper.config.problems import Problem
from watchkeeper.domain.article import Article, Asked, Source
from watchkeeper.domain.knowledge import MOST_LENGTH

WHOLE = """\
---
id: shop-down
title: The shop is down
tags: [shop, nginx]
match:
  rule: [down, slow-*]
  prober: http
  service: shop
  message: (?i)connection (refused|reset)
runbook: https://wiki.example.com/shop
---
# Look at the load balancer

Then restart it.
"""


def only(folder: Folder) -> Article:
    [article] = folder.load().plan.knowledge
    return article


def test_an_article_is_read_with_all_that_its_front_matter_says(folder: Folder) -> None:
    folder.write("knowledge/shop.md", WHOLE)

    article = only(folder)

    assert (article.id, article.title, article.source) == ("shop-down", "The shop is down", Source.FILE)
    assert (article.tags, article.url) == (("shop", "nginx"), "https://wiki.example.com/shop")
    assert article.place == "knowledge/shop.md"
    assert article.body == "# Look at the load balancer\n\nThen restart it.\n"
    assert (article.fit.rules, article.fit.probers, article.fit.services) == (
        ("down", "slow-*"),
        ("http",),
        ("shop",),
    )


def test_a_message_is_looked_for_as_the_pattern_says(folder: Folder) -> None:
    folder.write("knowledge/shop.md", WHOLE)
    known = folder.load().plan.knowledge

    assert [
        len(known.best(Asked("down", "http", "shop", message)))
        for message in ("Connection refused", "x connection reset y", "timed out", "", "\ud800")
    ] == [1, 1, 0, 0, 0]


@pytest.mark.parametrize("text", ["# Some heading ##\nand text", "---\n---\n# Some heading", "\ufeff# Some heading"])
def test_front_matter_may_be_left_out(folder: Folder, text: str) -> None:
    folder.write("knowledge/plain.md", text)

    assert (only(folder).id, only(folder).title) == ("plain", "Some heading")


def test_an_article_without_title_and_heading_is_named_after_its_file(folder: Folder) -> None:
    folder.write("knowledge/some name.md", "Just text.\r\nMore.\r\n")

    assert (only(folder).title, only(folder).body) == ("some name", "Just text.\nMore.\n")


def test_the_folder_beside_the_configuration_is_read_unless_files_are_named(folder: Folder) -> None:
    folder.write("knowledge/a.md", "a")
    folder.write("knowledge/notes.txt", "no article")
    folder.write("runbooks/deep/b.md", "b")

    assert [one.id for one in folder.load().plan.knowledge] == ["a"]

    folder.write("watchkeeper.yaml", f"{DAEMON}knowledge: {{files: ['runbooks/**/*.md']}}\n")
    assert [one.id for one in folder.load().plan.knowledge] == ["b"]

    folder.write("watchkeeper.yaml", f"{DAEMON}knowledge: {{files: []}}\n")
    assert list(folder.load().plan.knowledge) == []


def test_files_that_are_named_must_be_there(folder: Folder) -> None:
    folder.write("watchkeeper.yaml", f"{DAEMON}knowledge: {{files: [runbooks/*.md]}}\n")

    assert folder.problem() == "watchkeeper.yaml:5:21: knowledge.files[0]: no file matches runbooks/*.md"


@pytest.mark.parametrize(
    ("front", "said"),
    [
        ("titel: x", "2:1: titel: unknown key (did you mean 'title'?); accepted: id, match, runbook, tags, title"),
        ("match:\n  x: y", "3:3: match.x: unknown key; accepted: message, prober, rule, service"),
        ("match: down", "2:8: match: must be a mapping (key: value)"),
        ("match: {rule: 5}", "2:15: match.rule: must be a text, or a list of texts"),
        ("match: {rule: [down, 5]}", "2:22: match.rule[1]: must be a text"),
        ("id: a b", "2:5: id: 'a b' is not accepted: it must match ^[A-Za-z0-9][A-Za-z0-9._:@/-]*$"),
        ("title: x\ntitle: y", "3:1: title: this key stands here twice"),
        ("[a", "3:1: is not valid YAML: while parsing a flow sequence: did not find expected ',' or ']'"),
        ("- a", "2:1: must be a mapping (key: value) at its top"),
        ('runbook: "a\\nb"', "2:10: runbook: must be one line"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_front_matter_is_told_with_its_place(folder: Folder, front: str, said: str) -> None:
    folder.write("knowledge/a.md", f"---\n{front}\n---\n# A\n")

    assert folder.problem() == f"knowledge/a.md:{said}"


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(a", "is not valid: invalid regular expression: missing ): (a"),
        (r"(a)\\1", r"is not valid: invalid regular expression: invalid escape sequence: \1"),
        ("(a{1,999}){1,999}", "is too large: at most 2000 characters, where x{9} counts as nine"),
        ("(?=a)", "is not valid: invalid regular expression: invalid perl operator: (?="),
    ],
)
def test_a_pattern_that_can_not_be_used_is_told_with_its_place(folder: Folder, pattern: str, said: str) -> None:
    folder.write("knowledge/a.md", f'---\nmatch:\n  message: "{pattern}"\n---\n')

    assert folder.problem() == f"knowledge/a.md:3:12: match.message: {said}"


def test_a_pattern_that_would_take_others_for_ever_takes_no_time() -> None:
    holds = compile_pattern(r"(a+)+$")

    assert holds("b" + "a" * 50_000)
    assert not holds("a" * 50_000 + "!")


def test_half_a_surrogate_pair_is_no_pattern() -> None:
    with pytest.raises(PatternError, match="surrogate"):
        compile_pattern("\ud800")


def test_front_matter_without_an_end_is_an_error(folder: Folder) -> None:
    folder.write("knowledge/a.md", "---\ntitle: x\n# A\n")

    assert (
        folder.problem() == "knowledge/a.md:1:1: the front matter that begins here has no end: a line --- is missing"
    )


def test_a_file_that_is_no_text_is_an_error(folder: Folder) -> None:
    folder.write("knowledge/a.md", b"# A\n\xff\n")

    assert folder.problem() == "knowledge/a.md:2:1: is not UTF-8 text: the byte 0xff stands here"


def test_two_articles_with_one_id_are_an_error(folder: Folder) -> None:
    folder.write("knowledge/a.md", "# A\n")
    folder.write("knowledge/b.md", "---\nid: a\n---\n")

    assert folder.problem() == (
        "knowledge/b.md:2:5: id: the id 'a' is that of knowledge/a.md as well: give one of them another `id`"
    )


def test_names_that_there_are_not_are_warned_of(folder: Folder) -> None:
    folder.write("knowledge/a.md", "---\nmatch: {rule: [dwn, down, d*], prober: htp, service: x-*}\n---\n")

    warnings = [one for one in folder.load().warnings if one.code is Code.ARTICLE_MATCHES_NOTHING]

    assert [(one.line, one.column, one.message) for one in warnings] == [
        (2, 15, "there is no rule 'dwn' (did you mean 'down'?): correct it, or remove it"),
        (2, 40, "there is no probe with the prober 'htp' (did you mean 'http'?): correct it, or remove it"),
        (2, 54, "there is no service 'x-*': correct it, or remove it"),
    ]


def test_of_a_long_article_the_end_is_left_out_with_a_warning(folder: Folder) -> None:
    folder.write("knowledge/long.md", "# Long\n" + "word " * (MOST_LENGTH // 5) + "needle")

    config = folder.load()

    [warning] = [one for one in config.warnings if one.code is Code.ARTICLE_LEFT_OUT]
    assert warning.message == "only the first 200,000 of 200,013 characters are read; split it up"
    assert list(config.plan.knowledge.search("needle")) == []
    assert len(config.plan.knowledge.search("word")) == 1


def test_articles_that_are_too_many_are_left_out_with_a_warning(folder: Folder) -> None:
    problems: list[Problem] = []
    reader = ArticleReader(folder.path, problems, most=3)
    for number in range(5):
        reader.read(folder.write(f"knowledge/{number}.md", f"# {number}\n"))

    [warning] = reader.warnings(folder.load().plan)

    assert (list(reader.articles), problems) == (["0", "1", "2"], [])
    assert warning.code is Code.ARTICLE_LEFT_OUT
    assert warning.message.startswith("2 more files are left out: 3 articles")


@pytest.mark.parametrize("name", ["desk", "nowhere"])
def test_published_articles_come_from_a_backend_that_has_some(folder: Folder, name: str) -> None:
    folder.write("watchkeeper.yaml", f"{DAEMON}knowledge: {{servicenow: {name}}}\n")

    assert folder.problem() == (
        f"watchkeeper.yaml:5:25: knowledge.servicenow: {name!r} is no backend that publishes articles: name one of "
        "the type servicenow"
    )


def test_all_files_that_were_read_are_known(folder: Folder) -> None:
    file = folder.write("knowledge/a.md", "# A\n")

    assert file in folder.load().files

"""Articles from Markdown files: what stands in their front matter, and what is wrong with it."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import filter as fitting
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, StringConstraints

from watchkeeper.config.codes import Code
from watchkeeper.config.document import Document, Path_, read_text
from watchkeeper.config.pattern import PatternError, compile_pattern
from watchkeeper.config.problems import ConfigError, Problem, suggest
from watchkeeper.config.validation import validate
from watchkeeper.domain.article import Article, Fit, is_exact
from watchkeeper.domain.knowledge import MOST_ARTICLES, MOST_LENGTH
from watchkeeper.domain.plan import Plan
from watchkeeper.schema.base import Model
from watchkeeper.schema.names import Identifier

MOST_TEXT: Final = 64 * 1024 * 1024
"""Characters of all articles together."""

_FENCE: Final = re.compile(r"---[ \t]*")
_HEADING: Final = re.compile(r"#[ \t]+(.+?)[ \t]*#*")
_ANYTHING_IN_PLACE: Final = re.compile(r"[\x00-\x1f\x7f]")


def _several(value: Any) -> Any:
    if not isinstance(value, str | list | tuple):
        raise ValueError("must be a text, or a list of texts")
    return [value] if isinstance(value, str) else value


def _url_or_place(text: str) -> str:
    if _ANYTHING_IN_PLACE.search(text):
        raise ValueError("must be one line")
    return text.strip()


def _pattern(text: str) -> str:
    try:
        compile_pattern(text)
    except PatternError as error:
        raise ValueError(str(error)) from None
    return text


Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_several)]


class ArticleMatchModel(Model):
    """What an article is for: all that is set must agree."""

    rule: Names = ()
    """A rule's id or a glob, or a list of such: one of them must fit."""
    prober: Names = ()
    """Likewise the prober of the probe that is in trouble."""
    service: Names = ()
    """Likewise the service's id."""
    message: Annotated[str, AfterValidator(_pattern)] | None = None
    """What the probe's message must hold, as a regular expression in RE2's syntax, as `matches` of rules has it.
    `(?i)` in front takes no notice of case."""


class ArticleModel(Model):
    """The front matter of an article, between two lines of `---` at the beginning of the file."""

    id: Identifier | None = None
    """Unique among the articles; the file's name without `.md` if this is not set."""
    title: Name | None = None
    """What stands in the ticket; the first heading if this is not set, or else the id."""
    tags: Annotated[tuple[Name, ...], BeforeValidator(_several)] = ()
    """Words that it can be found by."""
    match: ArticleMatchModel = ArticleMatchModel()
    """What it is for. Without it, it is offered where it shares enough words with the incident."""
    runbook: Annotated[str, StringConstraints(max_length=2000), AfterValidator(_url_or_place)] = ""
    """Where to read on: a URL. It stands in the ticket."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an article stands. `document`: its front matter, if it has one."""

    path: Path
    document: Document | None

    def problem(self, path: Path_, message: str) -> Problem:
        if self.document is not None:
            return self.document.problem(path, message)
        return Problem(str(self.path), 1, 1, "", message)


class ArticleReader:
    """Reads articles, file by file.

    Args:
        base: the folder that their paths are shown from.
        problems: where to put what is wrong.
        most: so many are read.
    """

    def __init__(self, base: Path, problems: list[Problem], most: int = MOST_ARTICLES) -> None:
        self.articles: dict[str, Article] = {}
        self._base = base.absolute()
        self._most = most
        self._problems = problems
        self._places: dict[str, _Place] = {}
        self._warnings: list[Problem] = []
        self._left = MOST_TEXT
        self._left_out = 0

    def read(self, path: Path) -> None:
        """Takes in one file."""
        if len(self.articles) >= self._most or self._left <= 0:
            self._left_out += 1
            return
        try:
            front, body = _parts_of(path, read_text(path))
            document = None if front is None else Document(path, text=front)
        except ConfigError as error:
            self._problems.extend(error.problems)
            return
        model = ArticleModel()
        if document is not None:
            said = validate(ArticleModel, document.data, document, problems=self._problems)
            if said is None:
                return
            model = said
        self._add(_Place(path, document), model, body)

    def warnings(self, plan: Plan) -> Iterator[Problem]:
        """What is odd about the articles, as far as the plan tells."""
        yield from self._warnings
        if self._left_out:
            place = next(iter(self._places.values())).problem((), "")
            what = f"{self._left_out} more files are left out: {self._most:,} articles with {MOST_TEXT:,} characters"
            yield place.as_warning(Code.ARTICLE_LEFT_OUT, f"{what} are read; remove what is of no use any more")
        known: Mapping[str, Callable[[], Collection[str]]] = {
            "rule": lambda: plan.rules,
            "prober": lambda: {probe.prober for probe in plan.probes.values()},
            "service": lambda: plan.services,
        }
        there = {name: list(names()) for name, names in known.items()}
        for id_, article in self.articles.items():
            yield from self._unknown(self._places[id_], article.fit, there)

    def _add(self, place: _Place, model: ArticleModel, body: str) -> None:
        id_ = model.id or place.path.stem
        if (other := self._places.get(id_)) is not None:
            message = f"the id {id_!r} is that of {other.path} as well: give one of them another `id`"
            self._problems.append(place.problem(("id",), message))
            return
        if len(body) > MOST_LENGTH:
            message = f"only the first {MOST_LENGTH:,} of {len(body):,} characters are read; split it up"
            self._warnings.append(place.problem((), "").as_warning(Code.ARTICLE_LEFT_OUT, message))
            body = body[:MOST_LENGTH]
        self._left -= len(body)
        self._places[id_] = place
        match = model.match
        fit = Fit(
            rules=match.rule,
            probers=match.prober,
            services=match.service,
            message=None if match.message is None else compile_pattern(match.message),
            pattern=match.message or "",
        )
        self.articles[id_] = Article(
            id=id_,
            title=model.title or _heading(body) or id_,
            body=body,
            tags=model.tags,
            fit=fit,
            url=model.runbook,
            place=self._shown(place.path),
        )

    def _shown(self, path: Path) -> str:
        absolute = path.absolute()
        return str(absolute.relative_to(self._base) if absolute.is_relative_to(self._base) else absolute)

    def _unknown(self, place: _Place, fit: Fit, there: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
        for what, names in (("rule", fit.rules), ("prober", fit.probers), ("service", fit.services)):
            for name in names:
                if fitting(there[what], name):
                    continue
                hint = suggest(name, there[what]) if is_exact(name) else ""
                where = "no probe with the prober" if what == "prober" else f"no {what}"
                message = f"there is {where} {name!r}{hint}: correct it, or remove it"
                yield place.problem(("match", what), "").as_warning(Code.ARTICLE_MATCHES_NOTHING, message)


def _parts_of(path: Path, text: str) -> tuple[str | None, str]:
    """The front matter, with the line before it, so that its lines count as the file's; and the rest.

    Raises:
        ConfigError: the front matter has no end.
    """
    lines = text.split("\n")
    if not _FENCE.fullmatch(lines[0]):
        return None, text
    end = next((number for number, line in enumerate(lines[1:], 1) if _FENCE.fullmatch(line)), None)
    if end is None:
        message = "the front matter that begins here has no end: a line --- is missing"
        raise ConfigError([Problem(str(path), 1, 1, "", message)])
    front = "\n".join(lines[:end]) + "\n"
    body = "\n".join(lines[end + 1 :])
    return (front if "".join(lines[1:end]).strip() else None), body


def _heading(body: str) -> str:
    """The text of the first heading."""
    for line in body.split("\n"):
        if (found := _HEADING.fullmatch(line)) is not None:
            return found[1][:200]
    return ""

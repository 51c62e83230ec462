"""`watchkeeper knowledge`: what is known about trouble, for whoever looks for it at the terminal."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from watchkeeper.cli._options import config_option, json_option, read_config
from watchkeeper.cli._output import print_json, print_table, printable
from watchkeeper.domain.article import Article, Found, Source, excerpt
from watchkeeper.domain.phrases import ENGLISH

if TYPE_CHECKING:
    from watchkeeper.config.load import Config
    from watchkeeper.domain.knowledge import Knowledge

_NAMES = {
    Source.FILE: "article",
    Source.KNOWN_ERROR: "known error",
    Source.RESOLUTION: "resolution",
    Source.SERVICENOW: "ServiceNow",
}


@click.group("knowledge")
def command() -> None:
    """Search articles, known errors and what resolved earlier incidents.

    Articles of ServiceNow are read by the daemon, which puts them into tickets; they are searched there.
    """


@command.command("search")
@click.argument("words", metavar="TEXT...", nargs=-1, required=True)
@config_option
@json_option
@click.option("--limit", type=click.IntRange(1, 100), default=5, show_default=True, help="The best so many.")
def search(words: tuple[str, ...], config_path: Path, *, as_json: bool, limit: int) -> None:
    """Show what fits TEXT best: words, or the message of a probe."""
    found = _known(read_config(config_path)).search(" ".join(words), limit)
    if as_json:
        print_json([{**_as_json(one.article), "why": [reason._asdict() for reason in one.reasons]} for one in found])
    elif not found:
        click.echo("nothing is known about this")
    else:
        click.echo("\n\n".join("\n".join(_lines(one)) for one in found))


@command.command("list")
@config_option
@json_option
def list_(config_path: Path, *, as_json: bool) -> None:
    """List all that is known, and what it is for."""
    articles = list(_known(read_config(config_path)))
    if as_json:
        print_json([_as_json(article) for article in articles])
    elif not articles:
        click.echo("nothing is known: see `knowledge` of the configuration")
    else:
        print_table(
            ("KIND", "TITLE", "FOR", "WHERE"),
            [(_NAMES[one.source], one.title, _purpose(one), one.place) for one in articles],
        )


def _known(config: "Config") -> "Knowledge":
    """What the configuration has, and what is stored; without that where the database does not answer."""
    from watchkeeper.app.parts import open_database
    from watchkeeper.domain.knowledge import Shelf
    from watchkeeper.schema.fields import SecretUnavailable
    from watchkeeper.store import migrate
    from watchkeeper.store.database import StoreError
    from watchkeeper.store.resolutions import all_resolutions, known_errors

    try:
        database = open_database(config)
        try:
            migrate.require_current(database)
            past = [one.article() for one in all_resolutions(database)]
            errors = [article for one in known_errors(database) if (article := one.article()) is not None]
        finally:
            database.close()
    except (StoreError, SecretUnavailable) as error:
        click.echo(f"watchkeeper: of earlier incidents nothing is known: {error}", err=True)
        return config.plan.knowledge
    shelves = {Source.RESOLUTION: Shelf(past), Source.KNOWN_ERROR: Shelf(errors)}
    return config.plan.knowledge.replacing(shelves)


def _lines(found: Found) -> Iterator[str]:
    article = found.article
    yield printable(f"{article.title}  ({', '.join(filter(None, [_NAMES[article.source], article.place]))})")
    why = ", ".join(ENGLISH.whys[reason.why].format(what=reason.what) for reason in found.reasons)
    yield printable(f"  has {why}")
    for part, said in article.parts:
        yield from (printable(f"  {ENGLISH.parts[part]}: {line}") for line in excerpt(said, 1))
    yield from (printable(f"  {line}") for line in excerpt(article.body))
    if article.url:
        yield printable(f"  {article.url}")


def _purpose(article: Article) -> str:
    fit = article.fit
    named = (("rule", fit.rules), ("prober", fit.probers), ("service", fit.services))
    parts = [f"{what} {' or '.join(names)}" for what, names in named if names]
    parts += [f"message {fit.pattern}"] if fit.pattern else []
    return ", ".join(parts) or "its words"


def _as_json(article: Article) -> dict[str, Any]:
    fit = article.fit
    return {
        "id": article.id,
        "source": article.source,
        "title": article.title,
        "tags": article.tags,
        "match": {"rule": fit.rules, "prober": fit.probers, "service": fit.services, "message": fit.pattern or None},
        "place": article.place or None,
        "url": article.url or None,
        "text": article.text,
    }

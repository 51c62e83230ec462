"""Published knowledge articles of an instance."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Final

from watchkeeper.domain.article import Article, Source
from watchkeeper.domain.knowledge import MOST_LENGTH
from watchkeeper.itsm._servicenow_client import Client, Row
from watchkeeper.itsm.base import Unavailable

TABLE: Final = "kb_knowledge"
PAGE: Final = 100

_FIELDS: Final = ("sys_id", "number", "short_description", "text", "wiki", "meta", "workflow_state", "sys_updated_on")
_LONGEST_TITLE: Final = 300
_MOST_TAGS: Final = 50
_UNSEEN: Final = re.compile(r"<(script|style|head)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)", re.DOTALL | re.IGNORECASE)
_BREAK: Final = re.compile(r"<(?:br|/?p|/?div|/?li|/?h[1-6]|/?tr|/?table|/?ul|/?ol|/?pre)\b[^<>]*>", re.IGNORECASE)
_TAG: Final = re.compile(r"<[a-zA-Z/!][^<>]*>")


def published(client: Client, query: str, most: int) -> Iterator[list[Article]]:
    """See `Publishes`.

    Raises:
        Outcome: the instance did not answer, or with something else than was asked for.
    """
    condition = f"workflow_state=published^{query}" if query else "workflow_state=published"
    last, seen = "", set[str]()
    for offset in range(0, most, PAGE):
        wanted = f"{condition}^ORDERBYDESCsys_updated_on^ORDERBYsys_id"
        found = client.search(TABLE, wanted, _FIELDS, PAGE, offset=offset)
        # Others come where the condition was dropped, or a part of `query` goes round it.
        rows = [row for row in found.rows if row["workflow_state"] == "published"]
        # Pages move while articles are written.
        yield [_article(client, row) for row in rows if row["sys_id"] not in seen][: most - offset]
        seen |= {row["sys_id"] for row in rows}
        if len(found.rows) + found.hidden < PAGE:
            return
        if found.rows and found.rows[0]["sys_id"] == last:
            raise Unavailable("gives the same page of articles again and again")
        last = found.rows[0]["sys_id"] if found.rows else last


def plain(html: str) -> str:
    """The text of a page."""
    text = _TAG.sub("", _BREAK.sub("\n", _UNSEEN.sub("", html[: 4 * MOST_LENGTH])))
    lines = (" ".join(line.split()) for line in unescape(text).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()[:MOST_LENGTH]


def _article(client: Client, row: Row) -> Article:
    sys_id, number = row["sys_id"], row["number"] or row["sys_id"]
    tags = [tag.strip() for tag in row["meta"].split(",")]
    return Article(
        id=sys_id,
        title=" ".join(row["short_description"].split())[:_LONGEST_TITLE] or number,
        body=plain(row["text"] or row["wiki"]),
        source=Source.SERVICENOW,
        tags=tuple(tag[:100] for tag in tags if tag)[:_MOST_TAGS],
        url=f"{client.url}/kb_view.do?sys_kb_id={sys_id}",
        place=number,
    )

"""Texts as Jira takes them: a document (ADF) on Cloud, wiki markup on Data Center. Both say what was written, and
nothing more: no line of a log becomes a list, a link to nowhere or a smiley.

https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from watchkeeper.itsm._text import cut, mark, marked

LONGEST_TEXT: Final = 32_767
LONGEST_TITLE: Final = 255
MOST_DEPTH: Final = 50
_MOST_GROWN: Final = 5  # one character's escape
_SPARE: Final = 64  # for the mark's own

_ESCAPED: Final = re.compile(r"\\([^A-Za-z0-9\s])")
_BLOCKS: Final = frozenset(("paragraph", "heading", "hardBreak", "listItem", "codeBlock", "tableRow", "rule"))
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_URL: Final = re.compile(r"https?://[^\s<>\"'|\[\]{}]+[^\s<>\"'|\[\]{}.,;:!?)]")
_MARKUP: Final = re.compile(
    r"^(?P<indent>[ \t]*)(?P<begins>[*#|-])"  # lists, tables, rules
    r"|^(?P<block>[ \t]*(?:h[1-6]|bq))\.(?=\s)"  # headings, quotes
    r"|(?P<backslash>\\(?![A-Za-z0-9])|(?<=\\)\\)"
    r"|[\[{]"  # links, macros
    r"|(?<![^\W_])[*_+^~!-](?=\S)"  # what opens an emphasis stands before a word: used_percent and web-shop are plain
    r"|\?(?=\?)"  # citations
    r"|[:;](?=[()DPp])|\((?=(?:[xXyYniI/+*!?-]|on|off|flag|flagoff)\))",  # smileys
    re.MULTILINE,
)


def title(text: str) -> str:
    """A summary: one line."""
    return cut(" ".join(_clean(text).split()), LONGEST_TITLE) or "Trouble"


def body(text: str, *, cloud: bool) -> Any:
    """A description."""
    return _written(text, lambda limit: cut(text, limit), cloud=cloud)


def note(text: str, key: str, *, cloud: bool) -> Any:
    """A comment, with the mark of its change."""
    return _written(text, lambda limit: marked(text, key, limit), cloud=cloud)


def has_mark(comment: Any, key: str) -> bool:
    """Whether a comment, as it was read, is that of a change with this key."""
    return bool(key) and mark(key).strip("[]") in json.dumps(comment, ensure_ascii=False)


def plain(body: Any) -> str:
    """The text of a comment, as it was read: a document, or wiki markup without what escapes."""
    if isinstance(body, str):
        return _ESCAPED.sub(r"\1", body.replace("&#92;", "\\")).strip()
    return re.sub(r"\n{3,}", "\n\n", "".join(_plain(body, MOST_DEPTH))).strip()


def _plain(node: Any, depth: int) -> Iterator[str]:
    """The texts of a node, with a line's end behind each block."""
    if not isinstance(node, dict) or depth == 0:
        return
    kind, attributes = node.get("type"), node.get("attrs")
    said = attributes if isinstance(attributes, dict) else {}
    yield str(node.get("text") or said.get("text") or said.get("url") or "")
    for child in node.get("content") or ():
        yield from _plain(child, depth - 1)
    if kind in _BLOCKS:
        yield "\n"


def document(text: str) -> dict[str, Any]:
    """A text as a document: a paragraph for each of its own, its lines kept."""
    paragraphs = [_paragraph(part) for part in re.split(r"\n[ \t]*\n\s*", _clean(text).strip("\n"))]
    return {"type": "doc", "version": 1, "content": paragraphs}


def wiki(text: str) -> str:
    """A text in wiki markup that reads like it."""
    parts, at = [], 0
    clean = _clean(text)
    for link in _URL.finditer(clean):  # is a link as it stands
        parts += [_escaped(clean[at : link.start()]), link[0]]
        at = link.end()
    return "".join([*parts, _escaped(clean[at:])])


def _written(text: str, fitted: Callable[[int], str], *, cloud: bool) -> Any:
    """Jira counts what escapes as well, and characters beyond the basic plane as two."""
    head = text[:LONGEST_TEXT]
    more = 0 if cloud else len(wiki(head)) - len(head)
    more += sum(character > "\uffff" for character in head)
    fitting = fitted(max(LONGEST_TEXT // _MOST_GROWN, LONGEST_TEXT - more) - _SPARE)
    return document(fitting) if cloud else wiki(fitting)


def _clean(text: str) -> str:
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\r", "\n"))


def _paragraph(text: str) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    for line in text.split("\n"):
        if content:
            content.append({"type": "hardBreak"})
        content += _inline(line)
    while content and content[-1]["type"] == "hardBreak":
        content.pop()
    return {"type": "paragraph", "content": content}


def _inline(line: str) -> list[dict[str, Any]]:
    """A line's text; its URLs are links."""
    found: list[dict[str, Any]] = []
    at = 0
    for link in _URL.finditer(line):
        found += _text(line[at : link.start()])
        found.append({**_text(link[0])[0], "marks": [{"type": "link", "attrs": {"href": link[0]}}]})
        at = link.end()
    return [*found, *_text(line[at:])]


def _text(text: str) -> list[dict[str, Any]]:
    """No node at all for no text: an empty one is refused."""
    return [{"type": "text", "text": text}] if text else []


def _escaped(text: str) -> str:
    return _MARKUP.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    if found["backslash"]:  # two of them would be a line's end
        return "&#92;"
    if found["block"]:
        return f"{found['block']}\\."
    if found["begins"]:
        return f"{found['indent']}\\{found['begins']}"
    return f"\\{found[0]}"

"""The Atlassian Document Format, as far as Jira checks it: https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/"""

from collections.abc import Mapping, Sequence
from typing import Any

BLOCKS: Mapping[str, frozenset[str]] = {
    name: frozenset(children.split())
    for name, children in {
        "doc": "paragraph heading codeBlock bulletList orderedList blockquote panel rule table",
        "paragraph": "text hardBreak mention emoji inlineCard status date",
        "heading": "text hardBreak mention emoji inlineCard status date",
        "codeBlock": "text",
        "bulletList": "listItem",
        "orderedList": "listItem",
        "listItem": "paragraph codeBlock bulletList orderedList",
        "blockquote": "paragraph codeBlock bulletList orderedList",
        "panel": "paragraph heading bulletList orderedList rule codeBlock",
        "table": "tableRow",
        "tableRow": "tableCell tableHeader",
        "tableCell": "paragraph heading codeBlock bulletList orderedList panel blockquote rule",
        "tableHeader": "paragraph heading codeBlock bulletList orderedList panel blockquote rule",
    }.items()
}
"""What each kind of node may hold."""

NEEDS_CONTENT = BLOCKS.keys() - {"doc", "paragraph", "heading", "codeBlock"}
LEAVES = BLOCKS["paragraph"] | {"rule"}
_MARKS = "strong em code link strike underline subsup textColor backgroundColor border"
MARKS = frozenset(_MARKS.split())
DEEPEST = 30


def is_document(value: Any) -> bool:
    """Whether it claims to be one."""
    return (
        isinstance(value, dict)
        and value.get("type") == "doc"
        and value.get("version") == 1
        and isinstance(value.get("content"), list)
    )


def is_valid(document: Any) -> bool:
    """Whether every node is what it may be where it stands."""
    return is_document(document) and _holds(document, DEEPEST)


def _holds(node: Mapping[str, Any], depth: int) -> bool:
    kind = node["type"]
    content = node.get("content", [])
    if depth == 0 or not isinstance(content, list) or (kind in NEEDS_CONTENT and not content):
        return False
    return all(_fits(child, kind, depth) for child in content)


def _fits(node: Any, parent: str, depth: int) -> bool:
    if not isinstance(node, dict) or not isinstance(node.get("attrs", {}), dict):
        return False
    kind = node.get("type")
    if not isinstance(kind, str) or kind not in BLOCKS[parent]:
        return False
    if kind in LEAVES:
        return "content" not in node and (kind != "text" or _is_text(node, plain=parent == "codeBlock"))
    if kind == "heading" and node.get("attrs", {}).get("level") not in range(1, 7):
        return False
    return _holds(node, depth - 1)


def _is_text(node: Mapping[str, Any], *, plain: bool) -> bool:
    """A text node may not be empty; in a code block it has no marks."""
    text, marks = node.get("text"), node.get("marks", [])
    if not isinstance(text, str) or not text or not isinstance(marks, list) or (plain and marks):
        return False
    return all(isinstance(mark, dict) and str(mark.get("type")) in MARKS for mark in marks)


def text_of(document: Mapping[str, Any]) -> str:
    """What a person reads. A newline within a text node is shown as a blank, but in a code block."""
    return "\n".join(_lines(document["content"]))


def _lines(nodes: Sequence[Mapping[str, Any]]) -> list[str]:
    lines: list[str] = []
    for node in nodes:
        content = node.get("content", [])
        if node["type"] == "codeBlock":
            lines += "".join(child["text"] for child in content).split("\n")
        elif node["type"] in ("paragraph", "heading"):
            lines += "".join(_inline(child) for child in content).split("\n")
        elif node["type"] == "rule":
            lines.append("----")
        else:
            lines += _lines(content)
    return lines


def _inline(node: Mapping[str, Any]) -> str:
    if node["type"] == "text":
        return str(node["text"]).replace("\n", " ")
    if node["type"] == "hardBreak":
        return "\n"
    attributes = node.get("attrs", {})
    return str(attributes.get("text") or attributes.get("shortName") or attributes.get("url") or "")


def document_of(text: str) -> dict[str, Any]:
    """Plain text as a document: a paragraph for each line."""
    paragraphs = [
        {"type": "paragraph", "content": [{"type": "text", "text": line}] if line else []}
        for line in text.split("\n")
    ]
    return {"type": "doc", "version": 1, "content": paragraphs}

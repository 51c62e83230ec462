"""JSON documents with placeholders: Jinja2, sandboxed, in the texts of the document.

A text that is nothing but one placeholder becomes its value, whatever that is; any other becomes a text. There are no
calls, loops and sums: what is rendered is no longer than its parts.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from jinja2 import ChainableUndefined, TemplateSyntaxError, Undefined, nodes
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_TEXT: Final = 2000  # characters of one text of a template
MAX_TEXTS: Final = 200
MAX_DEPTH: Final = 20

_ACCEPTED: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem,
    nodes.Filter, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Concat,
)  # fmt: skip
_FILTERS: Final = ("default", "int", "length", "lower", "title", "trim", "truncate", "upper")

Render = Callable[[Mapping[str, Any]], Any]


class BadTemplate(ValueError):
    """A document that can not be used. Its text says where, and why."""


class RenderError(Exception):
    """A document that can not be made of what there is now."""


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=ChainableUndefined, autoescape=False)
    environment.globals.clear()
    environment.filters = {name: environment.filters[name] for name in _FILTERS}
    return environment


_ENVIRONMENT: Final = _environment()


def compile_document(document: Any, names: Collection[str]) -> Render:
    """What makes a document of the values of these names.

    Args:
        document: of what JSON is made of.

    Raises:
        BadTemplate: something in it is no template, or names what there is not.
    """
    if len(list(_texts(document, MAX_DEPTH))) > MAX_TEXTS:
        raise BadTemplate(f"has more than {MAX_TEXTS} texts")
    return _compile(document, names, "")


def _texts(document: Any, depth: int) -> Iterator[str]:
    if depth == 0:
        raise BadTemplate("is nested too deeply")
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict | list):
        for inner in document.values() if isinstance(document, dict) else document:
            yield from _texts(inner, depth - 1)


def _compile(document: Any, names: Collection[str], place: str) -> Render:
    if isinstance(document, dict):
        parts = {key: _compile(inner, names, f"{place}.{key}") for key, inner in document.items()}
        return lambda values: {key: render(values) for key, render in parts.items()}
    if isinstance(document, list):
        items = [_compile(inner, names, f"{place}[{at}]") for at, inner in enumerate(document)]
        return lambda values: [render(values) for render in items]
    if isinstance(document, str):
        try:
            return _compile_text(document, names)
        except BadTemplate as error:
            raise BadTemplate(f"{place.removeprefix('.')}: {error}" if place else str(error)) from None
    return lambda _values: document


def _compile_text(text: str, names: Collection[str]) -> Render:
    if len(text) > MAX_TEXT:
        raise BadTemplate(f"is longer than {MAX_TEXT} characters")
    try:
        tree = _ENVIRONMENT.parse(text)
        _check(tree, names)
        if _is_one_value(tree):
            value = _ENVIRONMENT.compile_expression(text.strip()[2:-2].strip("-+"), undefined_to_none=True)
            return lambda values: _plain(_rendered(lambda: value(**values)))
        template = _ENVIRONMENT.from_string(text)
    except TemplateSyntaxError as error:
        raise BadTemplate(f"is no valid template: {error.message}") from None
    except RecursionError:
        raise BadTemplate("is nested too deeply") from None
    return lambda values: _rendered(lambda: template.render(**values))


def _is_one_value(tree: nodes.Template) -> bool:
    """Whether a text is one placeholder, and nothing around it."""
    [output] = tree.body if len(tree.body) == 1 else [None]
    return (
        isinstance(output, nodes.Output)
        and len(output.nodes) == 1
        and not isinstance(output.nodes[0], nodes.TemplateData | nodes.Const)
    )


def _rendered(render: Callable[[], Any]) -> Any:
    try:
        return render()
    except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
        raise RenderError(str(error)) from None


def _plain(value: Any) -> Any:
    return None if isinstance(value, Undefined) else value


def _check(node: nodes.Node, names: Collection[str]) -> None:
    if not isinstance(node, _ACCEPTED):
        what = type(node).__name__.lower()
        raise BadTemplate(f"{what} is not accepted: accepted are {{{{ NAME }}}}, filters, comparisons and {{% if %}}")
    if isinstance(node, nodes.Name) and node.name not in names:
        close = get_close_matches(node.name, names, 1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise BadTemplate(f"there is no {node.name!r}{hint}: there is {', '.join(sorted(names))}")
    if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
        raise BadTemplate(f"there is no filter {node.name!r}: there is {', '.join(_FILTERS)}")
    for child in node.iter_child_nodes():
        _check(child, names)

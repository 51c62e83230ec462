"""Titles and texts with placeholders: Jinja2, sandboxed, with the names and functions of rules.

Only expressions and `{% if %}` are accepted: a template can not loop, include or define anything.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import Template as JinjaTemplate
from jinja2 import TemplateSyntaxError, Undefined, UndefinedError, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from watchkeeper.config.problems import listing, suggest
from watchkeeper.config.vocabulary import FUNCTIONS, NAMES, Parameter
from watchkeeper.domain.rule import Scope
from watchkeeper.domain.units import format_duration_ms, format_size, parse_duration_ms
from watchkeeper.domain.window import Unanswerable

MAX_LENGTH: Final = 2000
MAX_RENDERED: Final = 4000

_ACCEPTED: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.CondExpr, nodes.Expr, nodes.Helper,
    nodes.Keyword, nodes.EvalContext,
)  # fmt: skip
_ROOTS: Final = {"values", "facts", *(name.partition(".")[0] for name in NAMES)}


class TemplateError(Exception):
    """A template that can not be used. Its text says why."""


class _Missing(Undefined):
    """What has no value now is shown as `?`."""

    def __str__(self) -> str:
        return "?"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    __getitem__ = __getattr__


def _duration(seconds: object) -> str:
    return format_duration_ms(float(seconds) * 1000) if isinstance(seconds, int | float) else "?"


def _size(count: object) -> str:
    return format_size(float(count)) if isinstance(count, int | float) else "?"


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=_Missing, autoescape=False)
    environment.globals.clear()
    keep = ("abs", "default", "float", "int", "join", "length", "lower", "replace", "round", "title", "trim",
            "truncate", "upper")  # fmt: skip
    environment.filters = {name: environment.filters[name] for name in keep}
    environment.filters |= {"duration": _duration, "size": _size}
    return environment


_ENVIRONMENT = _environment()


@dataclass(frozen=True, slots=True)
class CompiledTemplate:
    """Callable over a scope; see `domain.rule.Template`."""

    source: str
    spans_ms: Mapping[str, int]
    _template: JinjaTemplate

    def __call__(self, scope: Scope) -> str:
        try:
            text = self._template.render(_context(scope))
        except (UndefinedError, SecurityError, TypeError, ValueError, ArithmeticError) as error:
            return f"{scope.probe.id}: {scope.sample.message or scope.sample.status} (title failed: {error})"
        return " ".join(text.split())[:MAX_RENDERED]


def compile_template(text: str) -> CompiledTemplate:
    """The template that a text is.

    Raises:
        TemplateError: a name, a filter or a statement that there is not, or bad syntax.
    """
    if len(text) > MAX_LENGTH:
        raise TemplateError(f"is longer than {MAX_LENGTH} characters")
    try:
        tree = _ENVIRONMENT.parse(text)
        for node in _walk(tree):
            _check(node)
        return CompiledTemplate(text, dict(_asked(tree)), _ENVIRONMENT.from_string(text))
    except TemplateSyntaxError as error:
        raise TemplateError(f"is no valid template: {error.message}") from None
    except RecursionError:
        raise TemplateError("is nested too deeply") from None


def _walk(tree: nodes.Node) -> Iterator[nodes.Node]:
    yield tree
    for child in tree.iter_child_nodes():
        yield from _walk(child)


def _check(node: nodes.Node) -> None:
    if not isinstance(node, _ACCEPTED) or (isinstance(node, nodes.Pow | nodes.Mul) and _is_huge(node)):
        what = type(node).__name__.lower()
        raise TemplateError(f"{what} is not accepted in a template: accepted are {{{{ … }}}} and {{% if %}}")
    if isinstance(node, nodes.Name) and node.name not in _ROOTS and node.name not in FUNCTIONS:
        known = sorted({*_ROOTS, *FUNCTIONS})
        raise TemplateError(
            f"there is no {node.name!r} here{suggest(node.name, known)}: there is {listing(known, 40)}"
        )
    if isinstance(node, nodes.Filter) and node.name not in _ENVIRONMENT.filters:
        known = sorted(_ENVIRONMENT.filters)
        raise TemplateError(
            f"there is no filter {node.name!r}{suggest(node.name, known)}: there is {listing(known, 20)}"
        )
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
        root, name = node.node.name, f"{node.node.name}.{node.attr}"
        known = [entry for entry in NAMES if entry.startswith(f"{root}.")]
        if known and name not in known:
            raise TemplateError(f"there is no {name!r} here{suggest(name, known)}: there is {listing(known)}")


def _is_huge(node: nodes.Node) -> bool:
    """`2 ** 9999999` and `"x" * 10**9` are work without end; dividing and adding are not."""
    return isinstance(node, nodes.Pow) or any(
        isinstance(side, nodes.Const) and isinstance(side.value, str)
        for side in (getattr(node, "left", None), getattr(node, "right", None))
    )


def _asked(tree: nodes.Template) -> Iterator[tuple[str, int]]:
    spans: dict[str, int] = {}
    for call in tree.find_all(nodes.Call):
        function = FUNCTIONS.get(call.node.name) if isinstance(call.node, nodes.Name) else None
        if function is None or not isinstance(call.node, nodes.Name):
            raise TemplateError("only the functions of rules can be called here")
        if len(call.args) != len(function.parameters) or call.kwargs or call.dyn_args or call.dyn_kwargs:
            raise TemplateError(f"{call.node.name} is called as {function.signature(call.node.name)}")
        series, span = function.series, 0
        for parameter, argument in zip(function.parameters, call.args, strict=True):
            if parameter is Parameter.NUMBER:
                continue
            if not isinstance(argument, nodes.Const) or not isinstance(argument.value, str):
                raise TemplateError(f"{call.node.name}: the {parameter} is written as a plain text in quotes")
            if parameter is Parameter.SERIES:
                series = argument.value
            elif parameter is Parameter.WINDOW:
                try:
                    span = parse_duration_ms(argument.value)
                except ValueError as error:
                    raise TemplateError(str(error)) from None
        if series is not None:
            spans[series] = max(spans.get(series, 0), span)
    yield from spans.items()


def _context(scope: Scope) -> dict[str, Any]:
    context: dict[str, Any] = {"values": dict(scope.sample.values), "facts": dict(scope.sample.facts)}
    for name, entry in NAMES.items():
        group, dot, rest = name.partition(".")
        if dot:
            context.setdefault(group, {})[rest] = entry.get(scope)
        else:
            context[name] = entry.get(scope)
    context["labels"] = dict(scope.probe.labels)
    for name, function in FUNCTIONS.items():
        context[name] = _bound(function.call, scope)
    return context


def _bound(call: Callable[..., float], scope: Scope) -> Callable[..., Any]:
    def answer(*arguments: Any) -> Any:
        try:
            return call(scope, *arguments)
        except Unanswerable:
            return _Missing()

    return answer

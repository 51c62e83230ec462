"""Titles and texts with placeholders: Jinja2, sandboxed, with the names and functions of rules.

Only expressions and `{% if %}` are accepted: a template can not loop, include or define anything.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, NamedTuple

from jinja2 import Template as JinjaTemplate
from jinja2 import TemplateSyntaxError, Undefined, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from watchkeeper.config.document import Document, Path_
from watchkeeper.config.problems import Problem, listing, suggest
from watchkeeper.config.templatetrial import why_not
from watchkeeper.config.vocabulary import (
    FUNCTIONS,
    NAMES,
    Name,
    Parameter,
    ProberKind,
    asked,
    names_for,
    names_in_text,
)
from watchkeeper.domain.rule import Scope
from watchkeeper.domain.streak import STATUS
from watchkeeper.domain.units import format_elapsed_ms, format_size
from watchkeeper.domain.window import DURATION, Unanswerable

MAX_LENGTH: Final = 2000
MAX_RENDERED: Final = 4000
MAX_DEPTH: Final = 40

_ACCEPTED: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.CondExpr, nodes.Expr, nodes.Helper,
    nodes.Keyword, nodes.EvalContext,
)  # fmt: skip
_ROOTS: Final = {"values", "facts", *(name.partition(".")[0] for name in NAMES)}


class TemplateError(Exception):
    """A template that can not be used. Its text says why, `line` in which line, from 1."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


class _Missing(Undefined):
    """What has no value now is shown as `?`."""

    def __str__(self) -> str:
        return "?"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def _still_missing(self, *_: Any) -> Any:
        return self

    def _no(self, *_: Any) -> Any:
        return False

    __getitem__ = __getattr__
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _still_missing
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __neg__ = _still_missing
    __lt__ = __le__ = __gt__ = __ge__ = _no


def _duration(seconds: object) -> str:
    """Of `time_to`, which may be infinite, too."""
    if not isinstance(seconds, int | float) or not isfinite(seconds):
        return "?"
    return format_elapsed_ms(float(seconds) * 1000)


def _size(count: object) -> str:
    return format_size(float(count)) if isinstance(count, int | float) and isfinite(count) else "?"


def _replace(text: object, old: str, new: str) -> str:
    whole = str(text)
    if len(whole) + whole.count(old) * len(new) > MAX_RENDERED:
        raise ValueError("replace makes the text too long")
    return whole.replace(old, new)


def _round(number: Any, digits: int = 0) -> object:
    return number if isinstance(number, Undefined) else round(float(number), digits)


class _Environment(ImmutableSandboxedEnvironment):
    """Arithmetic is for numbers: `status * 999999999` and `"%999999999d" % 1` are work without end."""

    intercepted_binops = frozenset(("*", "%"))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if isinstance(left, Undefined) or isinstance(right, Undefined):
            return _Missing()
        if not isinstance(left, int | float) or not isinstance(right, int | float):
            raise SecurityError(f"{operator} is for numbers")
        return super().call_binop(context, operator, left, right)


def _environment() -> _Environment:
    environment = _Environment(undefined=_Missing, autoescape=False)
    environment.globals.clear()
    keep = ("abs", "default", "float", "int", "length", "lower", "title", "trim", "truncate", "upper")
    environment.filters = {name: environment.filters[name] for name in keep}
    environment.filters |= {"duration": _duration, "size": _size, "replace": _replace, "round": _round}
    return environment


_ENVIRONMENT = _environment()


@dataclass(frozen=True, slots=True)
class CompiledTemplate:
    """Callable over a scope; see `domain.rule.Template`."""

    source: str
    spans_ms: Mapping[str, int]
    _template: JinjaTemplate
    _one_line: bool = True

    def __call__(self, scope: Scope) -> str:
        try:
            text = self._template.render(_context(scope))
        except Exception as error:  # noqa: BLE001  # whatever is wrong with a text, it must not cost an incident
            text = f"{scope.probe.id}: {scope.sample.message or scope.sample.status} (template failed: {error})"
        return (" ".join(text.split()) if self._one_line else text.strip())[:MAX_RENDERED]


def compile_template(text: str, probers: Iterable[ProberKind] = (), *, one_line: bool = True) -> CompiledTemplate:
    """The template that a text is.

    Args:
        probers: whose samples it is for: a value or fact that none of them produces is an error. None: any.
        one_line: whether line breaks become spaces.

    Raises:
        TemplateError: a name, a filter or a statement that there is not, bad syntax, or what can not be done with a
            name, such as adding a number to a text.
    """
    names: dict[str, Name] = {}
    for prober in probers:
        names |= names_for(prober) | names_in_text(prober, text)
    template, tree = parse(text, names)
    spans_ms = dict(_asked(tree, names))
    if (why := why_not(template, names)) is not None:
        raise TemplateError(why)
    return CompiledTemplate(text, spans_ms, template, one_line)


def parse(
    text: str, produced: Collection[str] = (), own: Collection[str] = (), most: int = MAX_LENGTH
) -> tuple[JinjaTemplate, nodes.Template]:
    """A template, with its syntax tree in which everything but calls is checked.

    Args:
        produced: the names that there are beside those of `own`; those that rules have anywhere, if it is empty.
        own: names that only this kind of template has.
        most: how many characters it may have.

    Raises:
        TemplateError: as of `compile_template`.
    """
    if len(text) > most:
        raise TemplateError(f"is longer than {most} characters")
    try:
        tree = _ENVIRONMENT.parse(text)
        _check_all(tree, _Known(produced, own), MAX_DEPTH)
        return _ENVIRONMENT.from_string(text), tree
    except TemplateSyntaxError as error:
        raise TemplateError(f"is no valid template: {error.message}", error.lineno) from None
    except RecursionError:
        raise TemplateError("is nested too deeply") from None
    except (SyntaxError, ValueError) as error:  # Jinja2 leaves numbers to Python, which takes fewer digits for one
        raise TemplateError(f"is no valid template: {error.args[0]}") from None


class _Known(NamedTuple):
    """Which names there are: what probers produce, if that is known, and what a kind of template has of its own."""

    produced: Collection[str] = ()
    own: Collection[str] = ()

    @property
    def roots(self) -> set[str]:
        return _ROOTS | {name.partition(".")[0] for name in self.own}


def _check_all(node: nodes.Node, known: _Known, depth: int) -> None:
    if depth == 0:
        raise TemplateError("is nested too deeply")
    try:
        _check(node, known)
    except TemplateError as error:
        raise TemplateError(str(error), node.lineno) from None
    for child in node.iter_child_nodes():
        if isinstance(node, nodes.Call) and child is node.node:
            continue  # a function's name; `_asked` checks calls
        _check_all(child, known, depth - 1)


def _check(node: nodes.Node, known_names: _Known) -> None:
    if isinstance(node, nodes.Getattr | nodes.Getitem) and isinstance(node.node, nodes.Name):
        name = node.attr if isinstance(node, nodes.Getattr) else getattr(node.arg, "value", None)
        if isinstance(name, str):
            _check_name(node.node.name, name, known_names)
    if not isinstance(node, _ACCEPTED) or isinstance(node, nodes.Pow | nodes.List | nodes.Tuple | nodes.Dict):
        what = type(node).__name__.lower()
        raise TemplateError(f"{what} is not accepted in a template: accepted are {{{{ … }}}} and {{% if %}}")
    if isinstance(node, nodes.Const) and isinstance(node.value, float) and not isfinite(node.value):
        raise TemplateError("a number is too large")
    if isinstance(node, nodes.Mul | nodes.Mod) and any(
        isinstance(side, nodes.Const) and isinstance(side.value, str) for side in (node.left, node.right)
    ):
        raise TemplateError(f"{node.operator} is for numbers")
    if isinstance(node, nodes.Name) and node.name not in (roots := known_names.roots):
        if (function := FUNCTIONS.get(node.name)) is not None:
            raise TemplateError(f"{node.name} is a function: {function.signature(node.name)}")
        known = sorted({*roots, *(FUNCTIONS if not known_names.own else ())})
        raise TemplateError(
            f"there is no {node.name!r} here{suggest(node.name, known)}: there is {listing(known, 40)}"
        )
    if isinstance(node, nodes.Filter) and node.name not in _ENVIRONMENT.filters:
        known = sorted(_ENVIRONMENT.filters)
        raise TemplateError(
            f"there is no filter {node.name!r}{suggest(node.name, known)}: there is {listing(known, 20)}"
        )


def _check_name(root: str, attribute: str, names: _Known) -> None:
    """Of `service.title` or `values.used_percent`, whether there is such a name."""
    if root in ("values", "facts") and not names.produced:
        return
    name = f"{root}.{attribute}"
    known = [entry for entry in (*(names.produced or NAMES), *names.own) if entry.startswith(f"{root}.")]
    if name not in known and (known or root in ("values", "facts")):
        raise TemplateError(f"there is no {name!r} here{suggest(name, known)}: there is {listing(known)}")


def _asked(tree: nodes.Template, produced: Collection[str]) -> Iterator[tuple[str, int]]:
    """Which series the calls read, and how far back."""
    spans: dict[str, int] = {}
    for call in tree.find_all(nodes.Call):
        function = FUNCTIONS.get(call.node.name) if isinstance(call.node, nodes.Name) else None
        if function is None or not isinstance(call.node, nodes.Name):
            raise TemplateError("only the functions of rules can be called here")
        if len(call.args) != len(function.parameters) or call.kwargs or call.dyn_args or call.dyn_kwargs:
            raise TemplateError(f"{call.node.name} is called as {function.signature(call.node.name)}")
        literals: list[str | None] = []
        for parameter, argument in zip(function.parameters, call.args, strict=True):
            if parameter is Parameter.NUMBER:
                literals.append(None)
                continue
            if not isinstance(argument, nodes.Const) or not isinstance(argument.value, str):
                raise TemplateError(f"{call.node.name}: the {parameter} is written as a plain text in quotes")
            literals.append(argument.value)
            _check_argument(parameter, argument.value, produced)
        try:
            found = asked(function, literals)
        except ValueError as error:
            raise TemplateError(str(error)) from None
        if found is not None:
            spans[found[0]] = max(spans.get(found[0], 0), found[1])
    yield from spans.items()


def _check_argument(parameter: Parameter, literal: str, produced: Collection[str]) -> None:
    """Of the name of a value or a fact, whether there is such a one."""
    if parameter is Parameter.FACT:
        _check_name("facts", literal, _Known(produced))
    elif parameter is Parameter.SERIES and literal != DURATION:
        _check_name("values", literal, _Known(produced))
    elif parameter is Parameter.NAME and produced:
        roots = (name.partition(".") for name in produced)
        known = [*dict.fromkeys(name for root, _, name in roots if root in ("values", "facts")), STATUS]
        if literal not in known:
            raise TemplateError(
                f"there is no value or fact {literal!r} here{suggest(literal, known)}: there is {listing(known)}"
            )


def names_in(scope: Scope) -> dict[str, Any]:
    """What the names of rules stand for."""
    context: dict[str, Any] = {"values": dict(scope.sample.values), "facts": dict(scope.sample.facts)}
    for name, entry in NAMES.items():
        group, dot, rest = name.partition(".")
        if dot:
            context.setdefault(group, {})[rest] = entry.get(scope)
        else:
            context[name] = entry.get(scope)
    context["labels"] = dict(scope.probe.labels)
    return context


def _context(scope: Scope) -> dict[str, Any]:
    context = names_in(scope)
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


def template_problem(document: Document, path: Path_, text: str, error: TemplateError) -> Problem:
    """What is wrong with the template at a path, pointing at its line."""
    before = text.splitlines(keepends=True)[: error.line - 1]
    return document.problem(path, str(error), offset=sum(map(len, before)) if before else None)

"""CEL expressions: checked against what a prober produces, compiled once, evaluated over a scope.

CEL keeps whole numbers and numbers with decimals apart. All of watchkeeper's numbers have decimals, and people
write `values.used_percent > 90`: a whole-number literal next to one of them is taken as `90.0` before compiling.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

from cel_expr_python import cel

from watchkeeper.config.cellimits import too_much
from watchkeeper.config.celliterals import Literals
from watchkeeper.config.celmistakes import (
    WORDS,
    Explainer,
    ExpressionError,
    Mistake,
    asks_for_unknown,
    divides_by_zero,
    general_mistake,
    plain_error,
)
from watchkeeper.config.celnumbers import promote
from watchkeeper.config.celtokens import Call, Tokens
from watchkeeper.config.explanation import Term, terms_of
from watchkeeper.config.problems import listing, suggest
from watchkeeper.config.vocabulary import (
    FUNCTIONS,
    Function,
    Kind,
    Parameter,
    ProberKind,
    asked,
    names_for,
    names_in_text,
    parse_status,
    parse_window_ms,
    produces,
)
from watchkeeper.domain.probe import FactType, Status
from watchkeeper.domain.rule import Scope
from watchkeeper.domain.streak import STATUS
from watchkeeper.domain.window import DURATION, Unanswerable

MAX_LENGTH: Final = 4000
MAX_DEPTH: Final = 32  # CEL's own limit
MAX_TEXT: Final = 2048
"""Characters of a text that a condition sees."""
_MOST_MISTAKES: Final = 20
_MOST_COMPILED: Final = 40_000  # characters, in all passes of one compilation

_ERROR = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*?)(?=\n \||\nERROR|\Z| \[[A-Z_]+\]\Z)", re.DOTALL)
_TYPES: Final = {
    Kind.TEXT: cel.Type.STRING,
    Kind.NUMBER: cel.Type.DOUBLE,
    Kind.BOOLEAN: cel.Type.BOOL,
    Kind.TIME: cel.Type.TIMESTAMP,
    Kind.LABELS: cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
}
_SURROGATE = re.compile("[\ud800-\udfff]")
_OF_STATUS: Final = frozenset(("status", "up"))
_HAS = "p"  # stands for `has(values.x)`, written `p("values.x")`


@dataclass(slots=True)
class CompiledCondition:
    """A `when`, compiled for one prober's probes. Callable over a scope; see `Condition`."""

    source: str
    spans_ms: Mapping[str, int]
    _expression: Any
    _variables: list[tuple[str, Callable[[Scope], Any]]]
    _current: list[Scope | None] = field(repr=False)
    asks_missed: bool = False
    _by_status: dict[Status, bool] | None = None
    """The answers so far, where they depend on nothing but the status."""
    _terms: Sequence[Term] = ()

    def __call__(self, scope: Scope) -> bool:
        if self._by_status is None:
            return self._evaluate(scope)
        status = scope.sample.status
        answer = self._by_status.get(status)
        if answer is None:
            answer = self._by_status[status] = self._evaluate(scope)
        return answer

    def explain(self, scope: Scope) -> Sequence[tuple[str, str]]:
        """See `Condition`."""
        return [(term.written, term.value(scope)) for term in self._terms]

    def _evaluate(self, scope: Scope) -> bool:
        data = {}
        for name, get in self._variables:
            value = get(scope)
            if value is not None:
                data[name] = _encodable(value) if type(value) is str else value
        self._current[0] = scope
        try:
            answer = self._expression.eval(data=data).value()
        except RuntimeError as error:  # such as a budget of iterations that is exceeded
            raise Unanswerable(plain_error(str(error))) from None
        if answer is True or answer is False:
            return bool(answer)
        raise Unanswerable(plain_error(str(answer)))


class Compiler:
    """Compiles expressions for the probes of one prober.

    An environment is made once. Its functions read the scope that is being evaluated from a cell: evaluation is
    synchronous, and each compiler belongs to one thread.
    """

    def __init__(self, prober: ProberKind) -> None:
        self._prober = prober
        self._names = names_for(prober)
        self._explainer = Explainer(prober.name, self._names)
        self._current: list[Scope | None] = [None]
        self._declarations = [self._declare(name, function) for name, function in FUNCTIONS.items()]
        self._declarations.append(_declaration(_HAS, cel.Type.BOOL, [[cel.Type.STRING]], self._has))
        self._env = self._environment()
        self._literals = Literals(self._evaluate)

    def compile(self, text: str) -> CompiledCondition:
        """The condition that a text states.

        Raises:
            ExpressionError: it is no expression, or names what this prober does not produce.
        """
        if len(text) > MAX_LENGTH:
            raise ExpressionError([Mistake(0, f"is longer than {MAX_LENGTH} characters")])
        if (broken := _SURROGATE.search(text)) is not None:
            raise ExpressionError([Mistake(broken.start(), "holds half of a surrogate pair, which is no character")])
        tokens = Tokens(text)
        if tokens.depth() > MAX_DEPTH:
            raise ExpressionError([Mistake(0, "is nested too deeply")])
        mentioned = names_in_text(self._prober, text)
        if mentioned.keys() - self._names.keys():
            self._names |= mentioned
            self._env = self._environment()
        spans, mistakes = self._check_calls(tokens)
        mistakes += self._replace_has(tokens)
        mistakes += asks_for_unknown(tokens)
        mistakes += divides_by_zero(tokens)
        patterns, wrong = self._literals.patterns(tokens)
        mistakes += wrong
        mistakes += list(too_much(tokens, patterns)) or self._literals.wrong(tokens)
        if mistakes:
            raise ExpressionError(sorted(mistakes, key=attrgetter("offset"))[:_MOST_MISTAKES])
        expression = self._compile_with_doubles(tokens)
        if (result := expression.return_type()) not in (cel.Type.BOOL, cel.Type.DYN):
            found = WORDS.get(str(result.name()).lower(), str(result.name()).lower())
            message = f"must be true or false, but is a {found}: compare it with something"
            raise ExpressionError([Mistake(0, message)])
        used = [(name, entry.get) for name, entry in self._names.items() if _mentions(tokens, name)]
        asks_more = any(call.name.text in FUNCTIONS or call.name.text == _HAS for call in tokens.calls())
        asks_status_only = not asks_more and {name for name, _ in used} <= _OF_STATUS
        return CompiledCondition(
            text,
            spans,
            expression,
            used,
            self._current,
            asks_missed=any(name == "missed" for name, _ in used),
            _by_status={} if asks_status_only else None,
            _terms=tuple(terms_of(Tokens(text), self._names)),
        )

    def _environment(self) -> Any:
        variables = {name: _TYPES[entry.kind] for name, entry in self._names.items()}
        return cel.NewEnv(variables=variables, functions=self._declarations)

    def _declare(self, name: str, function: Function) -> Any:
        numbers = (cel.Type.DOUBLE, cel.Type.INT)
        overloads: list[list[Any]] = [[]]
        for parameter in function.parameters:
            accepted = numbers if parameter is Parameter.NUMBER else (cel.Type.STRING,)
            overloads = [[*before, kind] for before in overloads for kind in accepted]

        def call(*arguments: Any) -> float | bool:
            scope = self._current[0]
            assert scope is not None
            answer = function.call(scope, *arguments)
            return answer if type(answer) is bool else float(answer)

        return _declaration(name, _TYPES[function.result], overloads, call)

    def _evaluate(self, text: str) -> Any:
        """What an expression of literals is.

        Raises:
            RuntimeError: nothing; its text says why.
        """
        answer = self._env.compile(text).eval(data={})
        if answer.type() == cel.Type.ERROR:
            raise RuntimeError(answer.value())
        return answer.value()

    def _has(self, name: str) -> bool:
        scope = self._current[0]
        assert scope is not None
        return self._names[name].get(scope) is not None

    def _check_calls(self, tokens: Tokens) -> tuple[dict[str, int], list[Mistake]]:
        """What the calls of our functions ask for, and what is wrong with them."""
        spans: dict[str, int] = {}
        mistakes: list[Mistake] = []
        for call in tokens.calls():
            function = FUNCTIONS.get(call.name.text)
            if function is None:
                if call.name.text == _HAS:
                    mistakes.append(Mistake(call.name.at, self._explainer.undeclared(_HAS)))
                continue
            wrong = list(self._check_call(tokens, call, function))
            mistakes += wrong
            if not wrong:
                arguments = [tokens.items[indices[0]].literal() if indices else None for indices in call.arguments]
                if (found := asked(function, arguments)) is not None:
                    series, span = found
                    spans[series] = max(spans.get(series, 0), span)
        return spans, mistakes

    def _check_call(self, tokens: Tokens, call: Call, function: Function) -> Iterator[Mistake]:
        name = call.name.text
        if len(call.arguments) != len(function.parameters):
            message = f"{name} takes {len(function.parameters)} arguments: {function.signature(name)}"
            yield Mistake(call.name.at, message)
            return
        for parameter, indices in zip(function.parameters, call.arguments, strict=True):
            if parameter is Parameter.NUMBER or not indices:
                continue
            token = tokens.items[indices[0]]
            literal = token.literal() if len(indices) == 1 else None
            if literal is None:
                yield Mistake(token.at, f'{name}: a {parameter} is written as a text in quotes, such as "10m"')
            elif (wrong := self._check_literal(parameter, literal)) is not None:
                yield Mistake(token.at + 1, wrong)

    def _check_literal(self, parameter: Parameter, literal: str) -> str | None:
        prober = self._prober
        if parameter in (Parameter.WINDOW, Parameter.STATUS):
            try:
                (parse_window_ms if parameter is Parameter.WINDOW else parse_status)(literal)
            except ValueError as error:
                return str(error)
            return None
        if parameter is Parameter.FACT:
            what, known = "time", [fact for fact, (kind, _) in prober.facts.items() if kind is FactType.TIME]
        elif parameter is Parameter.NAME:
            what, known = "value or fact", [*prober.values, *prober.facts, STATUS]
        else:
            what, known = "value", [*prober.values, DURATION]
        if literal in known or (parameter is not Parameter.FACT and produces(prober, literal)):
            return None
        has = f"it has {listing(known)}" if known else "it has none"
        return f"the {prober.name} prober produces no {what} {literal!r}{suggest(literal, known)}: {has}"

    def _replace_has(self, tokens: Tokens) -> Iterator[Mistake]:
        """`has(values.x)` asks CEL about a field; our names are flat, so it becomes a call with the name."""
        items = tokens.items
        solid = [index for index, token in enumerate(items) if token.kind != "space"]
        for place in range(len(solid) - 5):
            six = solid[place : place + 6]
            texts = [items[index].text for index in six]
            if texts[:2] == ["has", "("] and texts[2] in ("values", "facts") and texts[3] + texts[5] == ".)":
                name = f"{texts[2]}.{texts[4]}"
                if name not in self._names:
                    yield Mistake(items[six[4]].at, self._explainer.undeclared(name))
                for index, kind, text in zip(
                    six,
                    ("name", "operator", "string", "space", "space"),
                    (_HAS, "(", f'"{name}"', "", ""),
                    strict=False,
                ):
                    items[index] = _with(items[index], kind, text)

    def _compile_with_doubles(self, tokens: Tokens) -> Any:
        """Compiles, turning whole-number literals into ones with decimals where only that is missing."""
        compiled = 0
        while True:
            text = tokens.render()
            compiled += len(text)
            try:
                return self._env.compile(text)
            except RuntimeError as error:
                found = [one for one in _ERROR.findall(str(error)) if "*error*" not in one[2]]
                promoted = [promote(tokens, *one) for one in found]
                if not any(promoted) or compiled > _MOST_COMPILED:
                    mistakes = [self._explainer.explain(tokens, *one) for one in found[:_MOST_MISTAKES]]
                    raise ExpressionError(mistakes or [general_mistake(str(error))]) from None


def _declaration(name: str, result: Any, overloads: list[list[Any]], call: Callable[..., Any]) -> Any:
    return cel.FunctionDecl(
        name,
        [
            cel.Overload(f"wk_{name}_{number}", result, parameters, False, call)
            for number, parameters in enumerate(overloads)
        ],
    )


def _with(token: Any, kind: str, text: str) -> Any:
    return type(token)(kind, text, token.at)


def _mentions(tokens: Tokens, name: str) -> bool:
    """Whether an expression may use a name. Erring on the side of yes costs a little, never a wrong answer."""
    wanted = name.split(".")
    solid = [token.text for token in tokens.items if token.kind != "space" and token.text != "."]
    return any(solid[at : at + len(wanted)] == wanted for at in range(len(solid)))


def _encodable(text: str) -> str:
    """Text of a target's may hold half surrogates (file names do), which CEL can not take, and be of any length."""
    text = text[:MAX_TEXT]
    return text if text.isascii() else text.encode(errors="replace").decode()

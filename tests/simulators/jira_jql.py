"""JQL: text to a tree, with the errors of Jira's own parser.

The grammar is Jira's (quoting, escapes, reserved words and characters, precedence); the history operators WAS and
CHANGED are left out. What the fields mean is `jira_search`'s affair.
"""

import re
from dataclasses import dataclass

OPERATORS = ("=", "!=", "<", ">", "<=", ">=", "~", "!~", "in", "not in", "is", "is not")
_RESERVED = """
abort access add after alias all alter any as audit avg before begin between boolean break byte catch char
character check checkpoint collate collation column commit connect continue count create current date decimal
declare decrement default defaults define delete delimiter difference distinct divide do double drop else
encoding end equals escape exclusive exec execute exists explain false fetch field file float for from
function go goto grant greater group having identified if immediate increment index initial inner inout input
insert int integer intersect intersection into isempty isnull join last left less like limit lock long max min
minus mode modify modulo more multiply next noaudit notin nowait number object of on option outer output power
previous prior privileges public raise raw remove rename resource return returns revoke right row rowid rownum
rows select session set share size sqrt start strict string subtract sum synonym table then to trans
transaction trigger true uid union unique update user validate values view when whenever where while with
"""
RESERVED_WORDS = frozenset(_RESERVED.split())
RESERVED_CHARACTERS = "{}*/%+^$#@?;[]"
ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\", "'": "'", '"': '"', " ": " "}
DEEPEST = 100
FIELD = re.compile(r"[^\s\"'=!<>~(),&|{}*/%+^$#@?;\[\]\\]+\[[^\]\s]+\](?:\.[\w.]+)?")
SYMBOLS = ("!=", "<=", ">=", "!~", "&&", "||", "=", "<", ">", "~", "!", "(", ")", ",", "&", "|")


class JqlError(Exception):
    """What Jira says of a query. `messages` are its errorMessages."""

    def __init__(self, *messages: str) -> None:
        super().__init__(*messages)
        self.messages = messages


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    at: int
    quoted: bool = False
    symbol: bool = False

    @property
    def word(self) -> str:
        """What it is as a keyword; nothing quoted is one."""
        return "" if self.quoted else self.text.lower()


@dataclass(frozen=True, slots=True)
class Empty:
    """EMPTY or NULL."""


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    arguments: tuple[str, ...]


Value = str | Empty | Call


@dataclass(frozen=True, slots=True)
class Clause:
    """`operator` in lower case, one of OPERATORS."""

    field: str
    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: "Node"


Node = Clause | AllOf | AnyOf | Not


@dataclass(frozen=True, slots=True)
class Query:
    """`where`: None when there is no restriction. `order`: fields, and whether descending."""

    where: Node | None
    order: tuple[tuple[str, bool], ...]


def parse(text: str) -> Query:
    """Raises JqlError."""
    return _Parser(text).query()


def clauses(node: Node | None) -> list[Clause]:
    """Every clause of a tree."""
    match node:
        case None:
            return []
        case Clause():
            return [node]
        case Not(part):
            return clauses(part)
        case AllOf(parts) | AnyOf(parts):
            return [clause for part in parts for clause in clauses(part)]


def _error(text: str, at: int | None = None) -> JqlError:
    place = "" if at is None else f" (line 1, character {at + 1})"
    return JqlError(f"Error in the JQL Query: {text}{place}")


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    at = 0
    while at < len(text):
        character = text[at]
        if character.isspace():
            at += 1
        elif character in "\"'":
            value, end = _quoted(text, at)
            found.append(Token(value, at, quoted=True))
            at = end
        elif symbol := next((each for each in SYMBOLS if text.startswith(each, at)), None):
            found.append(Token(symbol, at, symbol=True))
            at += len(symbol)
        elif field := FIELD.match(text, at):
            found.append(Token(field.group(), at))
            at = field.end()
        else:
            value, end = _word(text, at)
            found.append(Token(value, at))
            at = end
    return found


def _quoted(text: str, start: int) -> tuple[str, int]:
    value, at = "", start + 1
    while at < len(text):
        if text[at] == text[start]:
            return value, at + 1
        if text[at] == "\\":
            character, at = _escaped(text, at)
            value += character
        else:
            value += text[at]
            at += 1
    raise _error(f"The quoted string '{value}' has not been completed.", start)


def _word(text: str, start: int) -> tuple[str, int]:
    value, at = "", start
    while at < len(text) and not text[at].isspace() and text[at] not in "\"'=!<>~(),&|":
        if text[at] in RESERVED_CHARACTERS:
            raise _error(
                f"The character '{text[at]}' is a reserved JQL character. You must enclose it in a string or use "
                f"the escape '\\u{ord(text[at]):04x}' instead.",
                at,
            )
        if text[at] == "\\":
            character, at = _escaped(text, at)
            value += character
        else:
            value += text[at]
            at += 1
    return value, at


def _escaped(text: str, at: int) -> tuple[str, int]:
    following = text[at + 1 : at + 2]
    if following == "u" and re.fullmatch("[0-9a-fA-F]{4}", text[at + 2 : at + 6]):
        return chr(int(text[at + 2 : at + 6], 16)), at + 6
    if following not in ESCAPES:
        raise _error(
            f"'\\{following}' is an illegal JQL escape sequence. The valid escape sequences are "
            "\\', \\\", \\t, \\n, \\r, \\\\, '\\ ' and \\uXXXX.",
            at,
        )
    return ESCAPES[following], at + 2


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0

    def query(self) -> Query:
        where = None if self._peek("order") or not self._tokens else self._any()
        order = self._order()
        if (token := self._next) is not None:
            raise _error(f"Expecting either 'OR' or 'AND' but got '{token.text}'.", token.at)
        return Query(where, order)

    @property
    def _next(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _peek(self, *words: str) -> bool:
        return self._next is not None and self._next.word in words

    def _take(self, *words: str) -> bool:
        taken = self._peek(*words)
        self._at += taken
        return taken

    def _any(self) -> Node:
        parts = [self._all()]
        while self._take("or", "||", "|"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all(self) -> Node:
        parts = [self._not()]
        while self._take("and", "&&", "&"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _not(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise _error("The query is nested too deeply.")
        try:
            if self._take("not", "!"):
                return Not(self._not())
            if self._take("("):
                inner = self._any()
                self._expect(")")
                return inner
            return self._clause()
        finally:
            self._depth -= 1

    def _clause(self) -> Clause:
        field = self._name("a field name")
        operator = self._operator()
        several = operator in ("in", "not in") and not self._is_call()
        values = self._list() if several else (self._value(),)
        if operator in ("is", "is not") and values != (Empty(),):
            raise _error(f"The operator '{operator}' expects the value EMPTY or NULL.")
        return Clause(field, operator, values)

    def _operator(self) -> str:
        token = self._next
        operator = "" if token is None else token.word
        self._at += 1
        if operator == "not" and self._take("in"):
            return "not in"
        if operator == "is" and self._take("not"):
            return "is not"
        if token is not None and operator in OPERATORS:
            return operator
        got = "got nothing" if token is None else f"got '{token.text}'"
        raise _error(
            f"Expecting operator but {got}. The valid operators are '=', '!=', '<', '>', '<=', '>=', '~', '!~', "
            "'IN', 'NOT IN', 'IS' and 'IS NOT'.",
            None if token is None else token.at,
        )

    def _is_call(self) -> bool:
        after = self._tokens[self._at + 1 : self._at + 2]
        return self._next is not None and not self._next.symbol and bool(after) and after[0].word == "("

    def _list(self) -> tuple[Value, ...]:
        self._expect("(")
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        self._expect(")")
        return tuple(values)

    def _value(self) -> Value:
        if self._is_call():
            function = self._name("a function")
            self._expect("(")
            arguments: list[str] = []
            while not self._take(")"):
                arguments.append(self._name("an argument"))
                self._take(",")
            return Call(function.lower(), tuple(arguments))
        if self._take("empty", "null"):
            return Empty()
        return self._name("either a value, list or function")

    def _name(self, what: str) -> str:
        token = self._next
        if token is None:
            raise _error(f"Expecting {what} before the end of the query.")
        if token.symbol:
            raise _error(
                f"Expecting {what} but got '{token.text}'. You must surround it in quotation marks.", token.at
            )
        if token.word in RESERVED_WORDS or token.word in ("and", "or", "not", "in", "is", "empty", "null", "order"):
            raise _error(
                f"'{token.text}' is a reserved JQL word. You must surround it in quotation marks to use it in a "
                "query.",
                token.at,
            )
        self._at += 1
        return token.text

    def _expect(self, symbol: str) -> None:
        token = self._next
        if not self._take(symbol):
            got = "the end of the query" if token is None else f"'{token.text}'"
            raise _error(f"Expecting '{symbol}' but got {got}.", None if token is None else token.at)

    def _order(self) -> tuple[tuple[str, bool], ...]:
        if not self._take("order"):
            return ()
        if not self._take("by"):
            raise _error("Expecting 'by' after 'order'.")
        order: list[tuple[str, bool]] = []
        while True:
            field = self._name("a field name")
            descending = self._take("desc")
            if not descending:
                self._take("asc")
            order.append((field, descending))
            if not self._take(","):
                return tuple(order)

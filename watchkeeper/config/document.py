"""One YAML file: its data, and where in the file each piece of it stands.

Only plain data is read: YAML 1.2's core types (so that `NO` is a text and `12:30` not a number), mappings, lists,
anchors, aliases and `<<` merges. What aliases expand to is bounded: a YAML bomb is an error, not a hang.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from watchkeeper.config.problems import ConfigError, Problem
from watchkeeper.config.scalars import offset_in_source

MAX_BYTES: Final = 64 * 1024 * 1024
MAX_ALIASED: Final = 50_000  # values that may be reached through aliases
MAX_DEPTH: Final = 60

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]  # which base there is depends on how PyYAML was built
    """Composes nodes only. Scalars are typed below: PyYAML's own resolver speaks YAML 1.1."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012


_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TAGS: Final = {
    yaml.ScalarNode: (None, "", "!", "tag:yaml.org,2002:str"),
    yaml.SequenceNode: (None, "", "!", "tag:yaml.org,2002:seq"),
    yaml.MappingNode: (None, "", "!", "tag:yaml.org,2002:map"),
}
_LINE_BREAK: Final = re.compile("[\n\x85\u2028\u2029]")  # what YAML counts lines by
_MERGE: Final = "<<"

Path_ = tuple[str | int, ...]
"""Where a value stands in a document: keys and indices from its top."""


class Document:
    """A parsed file. `data` is plain Python data.

    Args:
        labels: the keys that a list's elements go by in messages.
        text: what stands in the file from its first line on, where it is read already, or is not YAML as a whole.

    Raises:
        ConfigError: the file can not be read, or is no YAML of the accepted kind.
    """

    def __init__(self, path: Path, labels: tuple[str, ...] = ("id",), text: str | None = None) -> None:
        self.path = path
        self._labels = labels
        self.text = read_text(path) if text is None else text
        self._aliased = 0
        try:
            root = yaml.compose(self.text, _Loader)
        except yaml.YAMLError as error:
            raise ConfigError([_syntax_problem(path, self.text, error)]) from None
        except RecursionError:  # of the parser in Python, where PyYAML has no other
            raise ConfigError([Problem(str(path), 1, 1, "", "the document is nested too deeply")]) from None
        if root is None:
            raise ConfigError([Problem(str(path), 1, 1, "", "the file is empty")])
        self._root: yaml.Node = root
        self._seen: set[int] = set()
        self._wrong: list[tuple[yaml.Node, Path_, str]] = []
        self.data = self._construct(self._root, (), aliased=False)
        if self._wrong:
            raise ConfigError(self._problem(node, self.name(place), said) for node, place, said in self._wrong)
        if not isinstance(self.data, dict):
            message = "must be a mapping (key: value) at its top"
            raise ConfigError([self._problem(self._root, "", message)])

    def problem(self, path: Path_, message: str, *, key: bool = False, offset: int | None = None) -> Problem:
        """A problem with the value at a path, or with its key. Stands at the nearest place that exists.

        Args:
            offset: points at a character of a text value.
        """
        key_node, node, _ = self._find(path)
        place = key_node if key and key_node is not None else node
        mark = place.start_mark
        line, column = mark.line + 1, mark.column + 1
        if offset is not None and isinstance(place, yaml.ScalarNode):
            line, column = self._locate(place, offset)
        return Problem(str(self.path), line, column, self.name(path), message)

    def written(self, path: Path_) -> str | None:
        """The scalar at a path, whatever it would be read as: of `0x3` the three letters. `None`: there is none."""
        _, node, is_there = self._find(path)
        return node.value if is_there and isinstance(node, yaml.ScalarNode) else None

    def name(self, path: Path_) -> str:
        """A path for people: `probes[shop-home].expect.within`. A list's elements go by their id if they have one."""
        text = ""
        value: Any = self.data
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                value = None
            if isinstance(step, int):
                names = [value.get(label) for label in self._labels] if isinstance(value, dict) else []
                text += f"[{next((name for name in names if isinstance(name, str)), step)}]"
            else:
                text += f".{step}" if text else str(step)
        return text

    def _find(self, path: Path_) -> tuple[yaml.Node | None, yaml.Node, bool]:
        """The key and the value at a path, or at the nearest place that exists; whether it is the path itself."""
        key_node: yaml.Node | None = None
        node = self._root
        for step in path:
            found = _child(node, step)
            if found is None:
                return key_node, node, False
            key_node, node = found
        return key_node, node, True

    def _locate(self, node: yaml.ScalarNode, offset: int) -> tuple[int, int]:
        """Line and column of a character of a scalar."""
        start, end = node.start_mark, node.end_mark
        source = self.text[start.index : end.index]
        before = source[: offset_in_source(source, node.value, node.style, offset)]
        breaks = list(_LINE_BREAK.finditer(before))
        if not breaks:
            return start.line + 1, start.column + 1 + len(before)
        return start.line + 1 + len(breaks), len(before) - breaks[-1].end() + 1

    def _problem(self, node: yaml.Node, path: str, message: str) -> Problem:
        mark = node.start_mark
        return Problem(str(self.path), mark.line + 1, mark.column + 1, path, message)

    def _construct(self, node: yaml.Node, path: Path_, *, aliased: bool) -> Any:
        if node.tag not in _TAGS[type(node)]:
            message = f"the tag {node.tag!r} is not accepted: this file holds plain data only"
            self._wrong.append((node, path, message))
        if isinstance(node, yaml.ScalarNode):
            self._count(node, aliased=aliased)
            return _scalar(node)
        # A collection that was met before is reached through an alias now.
        again = aliased or id(node) in self._seen
        self._seen.add(id(node))
        self._count(node, aliased=again)
        if len(path) > MAX_DEPTH:
            what = "refers to itself" if again else f"is nested deeper than {MAX_DEPTH} levels"
            raise ConfigError([self._problem(node, "", f"the document {what} here")])
        if isinstance(node, yaml.SequenceNode):
            return [self._construct(item, (*path, index), aliased=again) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.MappingNode)
        return self._mapping(node, path, aliased=again)

    def _count(self, node: yaml.Node, *, aliased: bool) -> None:
        if aliased:
            self._aliased += 1
            if self._aliased > MAX_ALIASED:
                message = f"the aliases in this file stand for more than {MAX_ALIASED} values"
                raise ConfigError([self._problem(node, "", message)])

    def _mapping(self, node: yaml.MappingNode, path: Path_, *, aliased: bool) -> dict[str, Any]:
        data: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._wrong.append((key_node, path, "a key must be a text"))
                continue
            key = key_node.value
            place = (*path, key)
            value = self._construct(value_node, place, aliased=aliased)
            if key == _MERGE and not key_node.style:
                for source in value if isinstance(value, list) else [value]:
                    if not isinstance(source, dict):
                        self._wrong.append((value_node, place, "merges mappings only"))
                        continue
                    for name, inherited in source.items():
                        merged.setdefault(name, inherited)
            elif key in data:
                self._wrong.append((key_node, place, "this key stands here twice"))
            else:
                data[key] = value
        return {**merged, **data} if merged else data


def _scalar(node: yaml.ScalarNode) -> Any:
    text: str = node.value
    if node.style:  # quoted or a block: text
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text) and len(text) < 40:
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    if _FLOAT.fullmatch(text) and len(text) < 40:
        return float(text)
    return text


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node | None, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode):
        return (None, node.value[step]) if isinstance(step, int) and step < len(node.value) else None
    if not isinstance(node, yaml.MappingNode):
        return None
    pairs: Sequence[tuple[yaml.Node, yaml.Node]] = node.value
    for key, value in pairs:
        if key.value == step:
            return key, value
    for key, value in pairs:
        if key.value == _MERGE:
            for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if (found := _child(source, step)) is not None:
                    return found
    return None


def read_text(path: Path) -> str:
    """The text of a file of UTF-8, whose lines end as Unix's do.

    Raises:
        ConfigError: it can not be read, or is no such text.
    """

    def refuse(message: str) -> ConfigError:
        return ConfigError([Problem(str(path), 1, 1, "", message)])

    try:
        if path.is_dir():
            raise refuse("is a directory; a file is expected")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise refuse("there is no such file") from None
    except OSError as error:
        raise refuse(f"can not be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise refuse(f"is larger than {MAX_BYTES // 1024**2} MiB")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _end_of(content[: error.start].decode("utf-8"))
        message = f"is not UTF-8 text: the byte 0x{content[error.start]:02x} stands here"
        raise ConfigError([Problem(str(path), line, column, "", message)]) from None
    return re.sub("\r\n?", "\n", text.removeprefix("\ufeff"))


def _end_of(text: str) -> tuple[int, int]:
    """Line and column after a text."""
    lines = text.removeprefix("\ufeff").splitlines() or [""]
    if text.endswith("\n"):
        return len(lines) + 1, 1
    return len(lines), len(lines[-1]) + 1


def _syntax_problem(path: Path, text: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark:
        line, column = mark.line + 1, mark.column + 1
    else:  # a character that YAML does not allow, at a byte of the text
        line, column = _end_of(text.encode()[: getattr(error, "position", 0)].decode(errors="ignore"))
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    context = getattr(error, "context", None) or ""
    if "another document" in said:
        said = "a second document begins here; a file holds one"
    elif mark and _at_tab(text, mark):
        said = "a tab stands here; YAML is indented with spaces"
    elif "nesting depth" in said:
        said = "the document is nested too deeply"
    else:
        said = f"is not valid YAML: {context + ': ' if context else ''}{said}"
    return Problem(str(path), line, column, "", said)


def _at_tab(text: str, mark: yaml.Mark) -> bool:
    lines = text.splitlines()
    return mark.line < len(lines) and "\t" in lines[mark.line][: mark.column + 1]

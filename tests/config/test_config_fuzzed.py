"""Whatever is written into the files, reading them ends, soon, in data or in an error of ours."""

import contextlib
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.config.folder import CATALOGUE, DAEMON, PROBES, RULES, VOLUME, Folder
from tests.config.scope import sample, scope
from watchkeeper.config.celmistakes import ExpressionError
from watchkeeper.config.document import Document
from watchkeeper.config.expression import CompiledCondition, Compiler
from watchkeeper.config.jsonschema import schemas
from watchkeeper.config.problems import ConfigError
from watchkeeper.config.template import MAX_RENDERED, CompiledTemplate, TemplateError, compile_template
from watchkeeper.domain.window import Unanswerable

bounded = settings(
    max_examples=150,
    deadline=timedelta(seconds=3),
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
VALIDATORS: Final = {file: Draft202012Validator(schema) for file, schema in schemas(CATALOGUE).items()}
COMPILER: Final = Compiler(VOLUME)

YAML_PIECES: Final = (
    "a", "b: ", "- ", "  ", "\n", "\n  ", "&x ", "*x", "<<: ", "? ", ": ", "[", "]", "{", "}", ", ", "|\n",
     ">-\n", "'", '"',
    "\\", "#", "!!str ", "!x ", "---\n", "...\n", "%YAML 1.1\n", "\t", "~", "1e400", "0x", "\x85", "\u2028",
     "\ufeff", "é", "😀",
)  # fmt: skip
CEL_PIECES: Final = (
    "up", "status", "values", ".used_percent", "facts", "has(", "avg(", '"used_percent"', '"10m"', "(", ")", ",",
     " && ", " || ",
    " > ", " == ", " in ", "[", "]", "{", "}", "?", ":", "!", "-", "1", "0.5", "1u", "'", '"""', "\\", "//",
     "\n", ".", "b'", "r'",
    ".all(x, ", "dyn(", "labels", "now", "size(", "p(", "@in", "\0", "é", "\ud800", "99999999999999999999", "null",
)  # fmt: skip
TITLE_PIECES: Final = (
    "{{ ", " }}", "{% if ", "{% else %}", "{% endif %}", "{# ", " #}", "{% for x in y %}", "values", ".used_percent",
     "status",
    "avg('used_percent', '1h')", "avg(", ")", "(", "'", '"', " | round", " | size", " | replace('', 'aaaaaaaa')",
     " | truncate",
    " * ", " ** ", " % ", " ~ ", " + ", " - ", " / ", "9999999999", "1e999", "[", "]", "{", "}", ":", ",", "is ",
     "defined", "not ",
    " if ", " else ", "\n", "\0", "é", "\ud800", "-%}", "{%- raw %}",
)  # fmt: skip


def pieces(of: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(of) | st.text(max_size=3), max_size=40).map("".join)


@bounded
@given(pieces(YAML_PIECES) | st.text(max_size=200) | st.binary(max_size=100))
@example("a: &a {<<: *a}\n")
@example("&a [*a, *a]")
@example('"\\ud800"')
def test_any_file_is_data_or_an_error_with_a_place(content: str | bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "one.yaml")
        path.write_bytes(content if isinstance(content, bytes) else content.encode(errors="replace"))
        found = document(path)
    if isinstance(found, ConfigError):
        assert found.problems
        assert all(problem.line >= 1 and problem.column >= 1 for problem in found.problems)
    else:
        assert isinstance(found.data, dict)


def document(path: Path) -> Document | ConfigError:
    try:
        return Document(path)
    except ConfigError as error:
        return error


@st.composite
def mutated(draw: st.DrawFn, text: str) -> str:
    """A valid file with a few characters taken out, doubled or replaced."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        middle = draw(st.sampled_from(("", text[start:end] * 2, *YAML_PIECES, "30s", "{a}", "each: {a: [1]}")))
        text = text[:start] + middle + text[end:]
    return text


MORE_PROBES: Final = PROBES + "    expect: {status: [200], within: 2s}\n    labels: &l {env: prod}\n"
MORE_RULES: Final = (
    RULES + "        for: 2m\n        incident: {group_by: [service]}\n        title: '{{ probe.id }}'\n"
)


@bounded
@given(mutated(DAEMON), mutated(MORE_PROBES), mutated(MORE_RULES), st.integers(0, 7))
def test_any_change_to_a_valid_configuration_is_accepted_or_explained(
    daemon: str, probes: str, rules: str, which: int
) -> None:
    with TemporaryDirectory() as path:
        folder = Folder(Path(path))
        for number, (name, text) in enumerate((("watchkeeper", daemon), ("probes", probes), ("rules", rules))):
            if which & 1 << number:
                folder.write(f"{name}.yaml", text)
        said = folder.problems()
        assert all(line.split(":")[1].isdigit() for line in said)
        if not said:  # then an editor has nothing to mark
            for file in ("watchkeeper", "probes", "rules"):
                data = Document(folder.path / f"{file}.yaml").data
                assert [error.message for error in VALIDATORS[file].iter_errors(data)] == []


@bounded
@given(pieces(CEL_PIECES) | st.text(max_size=100))
@example(".(up)")
@example("!" * 3999)
@example("[" * 4000)
@example("-" * 4000)
@example("duration>1&&" * 330 + "up")
@example("'" + "\\" * 3000)
@example("up" + "?up:up" * 600)
def test_any_text_is_a_condition_or_an_error_at_one_of_its_characters(text: str) -> None:
    found = condition(text)
    if isinstance(found, ExpressionError):
        assert found.mistakes
        assert all(0 <= mistake.offset <= len(text) and mistake.message for mistake in found.mistakes)
    else:
        with contextlib.suppress(Unanswerable):
            assert found(scope(sample(), found.spans_ms)) in (True, False)


def condition(text: str) -> CompiledCondition | ExpressionError:
    try:
        return COMPILER.compile(text)
    except ExpressionError as error:
        return error


@bounded
@given(pieces(TITLE_PIECES) | st.text(max_size=100))
@example("{{ 1e999໒ }}")
@example("{{ ३1e999 }}")
@example("{{ " + "-" * 1900 + "1 }}")
@example("{{ " + "a." * 900 + "b }}")
@example("{{ " + "1 + " * 400 + "1 }}")
@example("{{ '" + "\\" * 1000 + "' }}")
def test_any_text_is_a_title_or_an_error(text: str) -> None:
    found = template(text)
    if isinstance(found, TemplateError):
        assert str(found)
    else:
        assert len(found(scope(sample(), found.spans_ms))) <= MAX_RENDERED


def template(text: str) -> CompiledTemplate | TemplateError:
    try:
        return compile_template(text, [VOLUME])
    except TemplateError as error:
        return error

"""What a YAML file may hold, and what is said of one that holds anything else."""

from pathlib import Path
from time import monotonic

import pytest

from tests.config.folder import DAEMON, Folder
from watchkeeper.config.document import Document
from watchkeeper.config.problems import ConfigError


def said_of(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Document(path)
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


def data_of(folder: Folder, text: str) -> object:
    return Document(folder.write("one.yaml", text)).data


def test_text_that_older_yaml_takes_for_something_else_stays_text(folder: Folder) -> None:
    text = "a: NO\nb: 12:30\nc: 1_000\nd: 2020-01-01\ne: on\nf: 0o17\ng: 1.5e3\nh: '1'\ni: ~\nj: 0x1F\nk: -7\n"
    expected = {"a": "NO", "b": "12:30", "c": "1_000", "d": "2020-01-01", "e": "on"}
    expected_numbers = {"f": 15, "g": 1500.0, "h": "1", "i": None, "j": 31, "k": -7}
    assert data_of(folder, text) == {**expected, **expected_numbers}


def test_merged_mappings_give_what_is_not_said_nearby(folder: Folder) -> None:
    text = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: [*a, *b], x: 5}\n"
    data = data_of(folder, text)
    assert isinstance(data, dict)
    assert data["c"] == {"x": 5, "y": 2, "z": 4}


def test_a_byte_order_mark_and_windows_line_ends_are_fine(folder: Folder) -> None:
    path = folder.write("one.yaml", b"\xef\xbb\xbfa: 1\r\nb: |\r\n  x\r\n  y\r\n")
    assert Document(path).data == {"a": 1, "b": "x\ny\n"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1:1: the file is empty"),
        ("# nothing but a comment\n", "1:1: the file is empty"),
        ("~\n", "1:1: must be a mapping (key: value) at its top"),
        ("- a\n", "1:1: must be a mapping (key: value) at its top"),
        ("a: 1\nb:\n\tc: 1\n", "3:1: a tab stands here; YAML is indented with spaces"),
        ("a: 1\n---\nb: 1\n", "2:1: a second document begins here; a file holds one"),
        (
            "a: [1, 2\nb: 3\n",
            "2:2: is not valid YAML: while parsing a flow sequence: did not find expected ',' or ']'",
        ),
        ("a: *b\n", "1:4: is not valid YAML: found undefined alias"),
        ("a:\n  b: 1\n  b: 2\n", "3:3: a.b: this key stands here twice"),
        ("a: 1\n? [b]\n: 2\n", "2:3: a key must be a text"),
        ("a:\n- {<<: 3}\n", "2:8: a[0].<<: merges mappings only"),
        (
            "a: !!int '3'\n",
            "1:4: a: the tag 'tag:yaml.org,2002:int' is not accepted: this file holds plain data only",
        ),
        ("a: {b: !mine {}}\n", "1:8: a.b: the tag '!mine' is not accepted: this file holds plain data only"),
        (
            "a: !!set {b}\n",
            "1:4: a: the tag 'tag:yaml.org,2002:set' is not accepted: this file holds plain data only",
        ),
        ("a: b\n\nc: d\0e\n", "3:5: is not valid YAML: control characters are not allowed"),
        ("a: &a [*a]\n", "1:4: the document refers to itself here"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(folder: Folder, text: str, said: str) -> None:
    assert said_of(folder.write("one.yaml", text)) == [said]


def test_a_tag_that_makes_an_object_makes_none(folder: Folder) -> None:
    path = folder.write("one.yaml", "a: !!python/object/apply:os.system ['exit 1']\n")
    [said] = said_of(path)
    assert said.startswith("1:4: a: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not accepted")


def test_bytes_that_are_not_utf_8_are_found(folder: Folder) -> None:
    path = folder.write("one.yaml", "a: 1\nb: größe ".encode() + b"\xff\n")
    assert said_of(path) == ["2:10: is not UTF-8 text: the byte 0xff stands here"]


def test_a_missing_file_a_folder_and_an_unreadable_one_are_told_apart(tmp_path: Path) -> None:
    assert said_of(tmp_path / "none.yaml") == ["1:1: there is no such file"]
    assert said_of(tmp_path) == ["1:1: is a directory; a file is expected"]
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    assert said_of(tmp_path / "loop.yaml") == ["1:1: can not be read: Too many levels of symbolic links"]


def test_a_key_with_a_line_break_does_not_break_the_line_of_its_error(folder: Folder) -> None:
    folder.write("watchkeeper.yaml", DAEMON + '"one\\ntwo\\e[31m": 3\n')
    assert folder.problem().startswith(r"watchkeeper.yaml:5:1: one\ntwo\x1b[31m: unknown key; accepted: ")


def bomb_of_lists() -> str:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    return "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + levels


def bomb_of_merges() -> str:
    keys = ", ".join(f"k{n}: v" for n in range(1000))
    levels = "".join(f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 20)}], z{n}: 1}}\n" for n in range(1, 30))
    return f"m0: &m0 {{{keys}}}\n{levels}"


@pytest.mark.parametrize("text", [bomb_of_lists(), bomb_of_merges()], ids=["lists", "merges"])
def test_a_bomb_of_aliases_is_an_error_and_soon(folder: Folder, text: str) -> None:
    path = folder.write("one.yaml", text)
    began = monotonic()
    [said] = said_of(path)
    assert said.endswith("the aliases in this file stand for more than 50000 values")
    assert monotonic() - began < 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: " + "[" * 100_000, "1:1003: the document is nested too deeply"),
        ("a: " + "[" * 90 + "]" * 90, "1:64: the document is nested deeper than 60 levels here"),
        ("".join(" " * depth + "a:\n" for depth in range(3000)), "1000:1001: the document is nested too deeply"),
    ],
    ids=["flow", "flow, not so deep", "block"],
)
def test_deep_nesting_is_an_error_and_soon(folder: Folder, text: str, said: str) -> None:
    path = folder.write("one.yaml", text)
    began = monotonic()
    assert said_of(path) == [said]
    assert monotonic() - began < 5


def test_a_merge_of_very_many_mappings_takes_no_longer_than_reading_them(folder: Folder) -> None:
    many = ", ".join(f"{{k{number}: 1}}" for number in range(20_000))
    path = folder.write("one.yaml", f"a: {{<<: [{many}]}}\n")
    began = monotonic()
    assert len(Document(path).data["a"]) == 20_000
    assert monotonic() - began < 5


def test_a_file_without_end_is_not_read_to_its_end() -> None:
    assert said_of(Path("/dev/zero")) == ["1:1: is larger than 64 MiB"]

"""What plugins print, by the grammar of the Monitoring Plugins Development Guidelines."""

from math import inf, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.probers._names import free_name, safe_name
from watchkeeper.probers._perfdata import Datum, Range, parse_range, read_data, read_output

numbers = st.floats(-1e12, 1e12, allow_nan=False).map(lambda number: round(number, 6))
labels = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1).filter(
    lambda one: "=" not in one
)


def test_a_range_alerts_as_the_guidelines_table_says() -> None:
    table: dict[str, tuple[list[float], list[float]]] = {
        "10": ([-1, -0.1, 10.1, inf], [0, 5, 10]),
        "10:": ([9.9, -5, 0], [10, 1e9]),
        "~:10": ([10.1], [-1e9, 0, 10]),
        "10:20": ([9.9, 20.1], [10, 15, 20]),
        "@10:20": ([10, 15, 20], [9.9, 20.1]),
        "@10": ([0, 10], [-1, 11]),
        ":10": ([-1, 11], [0, 10]),
        "~:": ([], [-1e9, 1e9]),
        "-20:-10": ([-21, -9, 0], [-20, -15]),
        "1e2:.5e3": ([99, 501], [100, 500]),
    }
    for text, (alerting, fine) in table.items():
        found = parse_range(text)
        assert [value for value in alerting if not found.alerts(value)] == [], text
        assert [value for value in fine if found.alerts(value)] == [], text


@pytest.mark.parametrize("text", ["", "@", "~", "x", "10:x", "20:10", "10::20", "~10", "1 0", "10%", "1e999", "@~"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"range|large"):
        parse_range(text)


@given(numbers, numbers, st.booleans(), numbers)
def test_a_range_read_back_alerts_for_the_same_values(one: float, other: float, inside: bool, value: float) -> None:
    low, high = sorted((one, other))
    found = parse_range(f"{'@' * inside}{low!r}:{high!r}")
    assert found == Range(low, high, inside)
    assert found.alerts(value) is ((low <= value <= high) is inside)
    assert found.alerts(value) is not Range(low, high, not inside).alerts(value)


@given(st.text(st.sampled_from("@~:0123456789.-+e "), max_size=12))
def test_whatever_is_written_as_a_range_is_one_or_is_refused(text: str) -> None:
    try:
        found = parse_range(text)
    except ValueError:
        return
    assert found.low <= found.high


@pytest.mark.parametrize(
    ("text", "label", "value"),
    [
        ("time=0.25s", "time", 0.25),
        ("time=250ms", "time", 0.25),
        ("time=250us", "time", 0.00025),
        ("size=3B", "size", 3),
        ("size=3KB", "size", 3000),
        ("size=3MB", "size", 3e6),
        ("size=3TB", "size", 3e12),
        ("size=3MiB", "size", 3 * 2**20),
        ("used=12.5%", "used", 12.5),
        ("requests=1042c", "requests", 1042),
        ("load1=-.5", "load1", -0.5),
        ("x=1.5e3", "x", 1500),
        ("temperature=20C", "temperature", 20),
        ("'free space'=5", "free space", 5),
        ("'it''s'=5", "it's", 5),
        ("'a=b'=5", "a=b", 5),
        ("/var=5", "/var", 5),
        ("unknown=U", "unknown", None),
        ("unknown=U;1;2", "unknown", None),
    ],
)
def test_a_datum_is_in_base_units(text: str, label: str, value: float | None) -> None:
    [found] = read_data(text)
    assert found is not None
    assert found.label == label
    assert found.value is None if value is None else isclose(found.value or 0, value)


def test_thresholds_and_limits_have_the_unit_of_the_value() -> None:
    [found] = read_data("time=1500ms;1000;@2000:3000;0;10000")
    assert found == Datum("time", 1.5, Range(0, 1), Range(2, 3, inside=True), 0, 10)
    assert found.beyond == "warning"


def test_fields_at_the_end_may_be_left_out_and_be_empty() -> None:
    for text in ("a=1", "a=1;", "a=1;;;;", "a=1;;"):
        assert list(read_data(text)) == [Datum("a", 1)]
    assert list(read_data("a=1;;5:;0")) == [Datum("a", 1, None, Range(5, inf), 0)]


@pytest.mark.parametrize(
    "text", ["a", "a=", "=1", "''=1", "a=x", "a=1;x", "a=1;;;;;6", "a=1;;;x", "a=nan", "a=1e999"]
)
def test_what_is_no_datum_is_passed_over_and_the_next_is_read(text: str) -> None:
    assert list(read_data(f"{text} b=2")) == [None, Datum("b", 2)]


@given(st.lists(st.tuples(labels, numbers), max_size=8))
def test_labels_in_quotes_are_read_as_they_were_written(data: list[tuple[str, float]]) -> None:
    written = " ".join("'{}'={!r}".format(label.replace("'", "''"), value) for label, value in data)
    assert [(one.label, one.value) for one in read_data(written) if one] == data


@given(st.text(max_size=300))
def test_whatever_a_plugin_prints_is_read_within_its_bounds(printed: str) -> None:
    found = read_output(printed, most=3)
    assert len(found.data) <= 3
    assert "\n" not in found.text


def test_text_long_output_and_data_are_told_apart() -> None:
    printed = "DISK OK - free | /=1MB\nthe first\nthe second | /boot=2MB\n/home=3MB /var=4MB\n"
    found = read_output(printed, 50)
    assert (found.text, found.long) == ("DISK OK - free", "the first\nthe second")
    assert [datum.label for datum in found.data] == ["/", "/boot", "/home", "/var"]


def test_data_beyond_the_bound_count_as_unreadable() -> None:
    found = read_output("OK | " + " ".join(f"d{number}=1" for number in range(60)), 50)
    assert (len(found.data), found.unreadable) == (50, 10)


@given(st.text(max_size=200))
def test_a_name_is_one_that_rules_can_write(label: str) -> None:
    name = safe_name(label)
    assert name.isidentifier()
    assert name.isascii()
    assert name == name.lower()
    assert name[0] != "_"
    assert len(name) <= 82
    assert not name.endswith("_percent")


def test_labels_become_names() -> None:
    names = {
        "/": "root", "/var/log": "var_log", "Free Space": "free_space", "5min": "v5min", "in": "in_", "up": "up_",
        "items": "items_", "duration": "duration_", "used_percent": "used_pct", "%": "value", "负载": "value",
    }  # fmt: skip
    assert {label: safe_name(label) for label in names} == names


def test_a_name_that_is_taken_gets_a_number() -> None:
    assert free_name("a", {}) == "a"
    assert free_name("a", {"a": 1, "a_2": 1}) == "a_3"

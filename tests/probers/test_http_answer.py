"""What an answer is compared with: the rules, whatever the values."""

import json
from encodings.aliases import aliases
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.probers.asking import a_probe
from watchkeeper.probers._http_answer import wrong_answer
from watchkeeper.probers._http_redirects import SameOrigin
from watchkeeper.probers.base import Failure

SCALARS = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
OBJECTS = st.dictionaries(st.text(max_size=3), VALUES, min_size=1, max_size=4)


def wrong(expect: dict[str, Any], body: bytes, content_type: str = "") -> tuple[Failure, str] | None:
    options = a_probe("http", {"url": "http://127.0.0.1", "expect": expect}).options
    return wrong_answer(options.expect, 200, 0.1, body, content_type)


def more(value: Any) -> Any:
    """The same value with more in every mapping."""
    if isinstance(value, dict):
        return {**{key: more(item) for key, item in value.items()}, "something else": 1}
    return [more(item) for item in value] if isinstance(value, list) else value


@given(OBJECTS)
def test_json_is_as_expected_when_it_holds_that_and_more(expected: dict[str, Any]) -> None:
    assert wrong({"json": expected}, json.dumps(expected).encode()) is None
    assert wrong({"json": expected}, json.dumps(more(expected)).encode()) is None


@given(OBJECTS, OBJECTS)
def test_json_that_differs_in_a_value_is_told_by_the_name_of_it(
    expected: dict[str, Any], found: dict[str, Any]
) -> None:
    expected = {**expected, "place": "here"}
    found = {**more(expected), **found, "place": "there"}
    difference = wrong({"json": expected}, json.dumps(found).encode())
    assert difference is not None
    assert difference[0] is Failure.BODY
    assert difference[1].encode()  # it can be stored


@pytest.mark.parametrize(
    ("expected", "body", "text"),
    [
        ({"a": 1}, "[]", "the body is [], expected"),
        ({"a": 1}, "{}", "the body has no a"),
        ({"a": {"b": 1}}, '{"a": {}}', "the body has no a.b"),
        ({"a": {"b": 1}}, '{"a": 1}', "a is 1, expected"),
        ({"a": True}, '{"a": 1}', "a is 1, expected true"),
        ({"a": [True]}, '{"a": [1]}', "a[0] is 1, expected true"),
        ({"a": [{"b": 1}]}, '{"a": [{"b": 2}]}', "a[0].b is 2, expected 1"),
        ({"a": [1]}, '{"a": [1, 2]}', "a is [1, 2], expected [1]"),
        ({"a": "x"}, '{"a": "\\ud800"}', 'a is "?", expected "x"'),
        ({"a": 1}, '{"a": ' + "[" * 900 + "]" * 900 + "}", "expected 1"),
    ],
)
def test_a_difference_says_where_it_is(expected: dict[str, Any], body: str, text: str) -> None:
    difference = wrong({"json": expected}, body.encode())
    assert difference is not None
    assert text in difference[1]
    assert len(difference[1]) < 250


@pytest.mark.parametrize("depth", [*range(900, 1010, 3), 100_000])
def test_json_of_any_depth_is_judged(depth: int) -> None:
    assert wrong({"json": {"a": 1}}, b'{"a": ' + b"[" * depth + b"]" * depth + b"}") is not None


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b'{"a": 1} x', b'{"a": ' + b"9" * 5000 + b"}"])
def test_a_body_that_is_no_json_is_told(body: bytes) -> None:
    assert wrong({"json": {"a": 1}}, body) == (Failure.BODY, "the body is not JSON")


@given(st.binary(max_size=50), st.sampled_from(sorted(aliases)) | st.text(max_size=10))
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of unicode_escape, which a server may claim
def test_a_text_is_looked_for_whatever_the_server_claims_of_its_letters(body: bytes, charset: str) -> None:
    difference = wrong({"body": {"contains": "☃☃☃"}}, body, f"text/html; charset={charset}")
    assert difference in (None, (Failure.BODY, 'the body does not contain "☃☃☃"'))


@given(st.binary(max_size=80))
def test_a_redirect_to_whatever_stays_at_home_or_is_ended(location: bytes) -> None:
    watch = SameOrigin("https://shop.example.com/")
    assert watch.on_header(b"HTTP/1.1 302 Found\r\n") is None
    ended = watch.on_header(b"Location: " + location + b"\r\n") is not None
    assert ended is (watch.elsewhere is not None)


@pytest.mark.parametrize(
    ("location", "stays"),
    [
        (b"/in", True),
        (b"in?q=1", True),
        (b"https://shop.example.com/in", True),
        (b"https://SHOP.example.com:443/in", True),
        (b"//shop.example.com/in", True),
        (b"http://shop.example.com/in", False),
        (b"https://shop.example.com:8443/in", False),
        (b"//evil.example.com/", False),
        (b"https://shop.example.com@evil.example.com/", False),
        (b"https://[::1/", False),
    ],
)
def test_only_redirects_to_the_same_scheme_host_and_port_stay(location: bytes, stays: bool) -> None:
    watch = SameOrigin("https://shop.example.com/")
    watch.on_header(b"HTTP/2 307\r\n")
    watch.on_header(b"location: " + location + b"\r\n")
    assert (watch.elsewhere is None) is stays


def test_a_location_of_an_answer_that_is_no_redirect_does_not_matter() -> None:
    watch = SameOrigin("https://shop.example.com/")
    assert watch.on_header(b"HTTP/1.1 201 Created\r\n") is None
    assert watch.on_header(b"Location: https://evil.example.com/\r\n") is None
    assert watch.elsewhere is None

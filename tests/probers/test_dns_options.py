"""What the dns prober takes."""

from typing import Any

import pytest
from pydantic import ValidationError

from tests.probers.asking import a_probe


@pytest.mark.parametrize(
    ("server", "host", "port"),
    [
        ("ns.example", "ns.example", 53),
        ("ns.example:5353", "ns.example", 5353),
        ("10.0.0.1", "10.0.0.1", 53),
        ("::1", "::1", 53),
        ("[::1]:5353", "::1", 5353),
    ],
)
def test_a_server_may_go_without_its_port(server: str, host: str, port: int) -> None:
    options = a_probe("dns", {"name": "shop.example", "server": server}).options
    assert (options.server.host, options.server.port) == (host, port)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"name": "a..b"}, "is not a name that can be looked up"),
        ({"name": "x" * 64}, "is not a name that can be looked up"),
        ({"name": ""}, "at least 1 character"),
        ({"type": "ANY"}, "Input should be 'A', 'AAAA'"),
        ({"server": "10.0.0.1:0"}, "is not an address"),
        ({"server": ""}, "is not an address"),
        ({"server": 53}, "is not an address"),
        ({"expect": {"answers": []}}, "at least 1 item"),
        ({"expect": {"answers": ["10.0.0"]}}, "'10.0.0' is no A record: accepted is one such as 192.0.2.1"),
        ({"type": "MX", "expect": {"answers": ["mail.example"]}}, "accepted is one such as 10 mail.example.com"),
    ],
)
def test_options_that_mean_nothing_are_errors(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        a_probe("dns", {"name": "shop.example", **options})

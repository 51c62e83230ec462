"""The field types of the YAML files: cron, addresses, URLs, secrets."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.schema.base import Model
from watchkeeper.schema.cron import parse_cron
from watchkeeper.schema.fields import (
    Address,
    HttpUrl,
    Secret,
    SecretRef,
    SecretUnavailable,
    TextOrSecret,
    TimeZone,
    Verify,
    parse_address,
)

NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@pytest.mark.parametrize(
    ("weekday", "days"),
    [
        ("0", "sun"),
        ("7", "sun"),
        ("1-5", "mon,tue,wed,thu,fri"),
        ("mon-fri", "mon,tue,wed,thu,fri"),
        ("FRI-mon", "fri,sat,sun,mon"),
        ("5-7", "fri,sat,sun"),
        ("*/2", "sun,tue,thu,sat"),
        ("1-5/2", "mon,wed,fri"),
        ("sat,sun,6", "sat,sun"),
        ("3/2", "wed,fri"),
    ],
)
def test_weekdays_count_from_sunday_as_in_crontab(weekday: str, days: str) -> None:
    assert parse_cron(f"30 6 * * {weekday}").day_of_week == days


def test_the_days_on_which_it_fires_are_those_of_crontab() -> None:
    trigger = CronTrigger(**parse_cron("0 6 * * 1,3-4")._asdict(), timezone="UTC")
    start = datetime(2026, 11, 22, tzinfo=UTC)  # a Sunday
    fired = []
    for _ in range(3):
        at = trigger.get_next_fire_time(None, start)
        fired.append((at.strftime("%a").lower(), at.hour))
        start = at + timedelta(minutes=1)
    assert fired == [("mon", 6), ("wed", 6), ("thu", 6)]


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "* * * * mo",
     "a * * * *", "*/0 * * * *", "* * * * */0", "* * * * */x", "5-1 * * * *", "* * * * 1-", "* * * * ,", "@daily",
     "1-999999999 * * * *", "* * * * 0-999999999", "٣ * * * x"],
)  # fmt: skip
def test_what_is_no_cron_expression_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a cron expression: accepted are five fields"):
        parse_cron(text)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text("0123456789*/-,monfrisat ", max_size=20) | st.text(max_size=20))
def test_any_text_is_a_cron_expression_or_an_error(text: str) -> None:
    try:
        fields = parse_cron(text)
    except ValueError:
        return
    assert fields.day_of_week == "*" or set(fields.day_of_week.split(",")) <= set(NAMES)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost:80", Address("localhost", 80)),
        ("10.0.0.5:65535", Address("10.0.0.5", 65535)),
        ("[::1]:443", Address("::1", 443)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["", "host", ":80", "host:", "host:0", "host:65536", "host:x", "::1:80", "[]:80", 80, None]
)
def test_what_is_no_address_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        parse_address(text)


class Fields(Model):
    url: HttpUrl | None = None
    secret: SecretRef | None = None
    text: TextOrSecret | None = None
    verify: Verify = True
    zone: TimeZone = "UTC"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "ftp://a/"),
        ("url", "https:///path"),
        ("url", "https://a b/"),
        ("url", "https://a:99999/"),
        ("url", "https://[::1/"),
        ("url", "https://me:hunter2@a/"),
        ("url", "https://hunter2@a/"),
        ("url", "https://a/\x7f"),
        ("secret", "hunter2"),
        ("secret", {"vault": "hunter2"}),
        ("secret", {"env": ""}),
        ("secret", {"credential": "../hunter2"}),
        ("text", {"env": "A", "file": "hunter2"}),
        ("verify", 1),
        ("zone", "Mars/Phobos"),
        ("zone", "../../etc/passwd"),
        ("zone", ""),
    ],
)
def test_what_a_field_does_not_take_is_refused_without_telling_it(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field) as caught:
        Fields.model_validate({field: value})
    assert "hunter2" not in str(caught.value)


def test_paths_of_secrets_and_authorities_are_relative_to_their_file() -> None:
    given_ = {"secret": {"file": "key"}, "verify": "ca.pem", "text": {"credential": "name"}}
    fields = Fields.model_validate(given_, context={"base": Path("/etc/watch")})
    assert fields.secret == Secret("file", "/etc/watch/key")
    assert fields.verify == "/etc/watch/ca.pem"
    assert fields.text == Secret("credential", "name")


def test_a_secret_is_read_where_it_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("from a file\n")
    monkeypatch.setenv("WK_SECRET", "from the environment")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    places = [Secret("env", "WK_SECRET"), Secret("file", str(tmp_path / "key")), Secret("credential", "key")]
    assert [place.reveal() for place in places] == ["from the environment", "from a file", "from a file"]


def test_a_secret_that_is_not_there_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WK_SECRET", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    expected = {
        Secret("env", "WK_SECRET"): "the environment variable WK_SECRET is not set",
        Secret("credential", "key"): "the credential key needs systemd: CREDENTIALS_DIRECTORY is not set",
        Secret("file", f"{tmp_path}/none"): f"the secret file {tmp_path}/none: No such file or directory",
        Secret("file", str(tmp_path)): f"the secret file {tmp_path}: Is a directory",
        Secret("file", f"{tmp_path}/binary"): f"the secret file {tmp_path}/binary is not UTF-8 text",
    }
    for secret, said in expected.items():
        with pytest.raises(SecretUnavailable) as caught:
            secret.reveal()
        assert str(caught.value) == said

"""What is read of certificates, whoever made them."""

import ssl
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.probers.authority import a_ca, issued
from watchkeeper.probers._certificate import Certificate, read_certificate


def der_of(made: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert((made.parent / "cert.pem").read_text())


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_ca(tmp_path_factory.mktemp("pki") / "ca")


@pytest.fixture(scope="module")
def der(ca: Path) -> bytes:
    folder = ca.parents[1] / "good"
    folder.mkdir()
    return der_of(issued(folder, ca))


@pytest.mark.parametrize(
    ("days", "years"),
    [(("19500101", "20491231"), (1950, 2049)), (("20500101", "99991231"), (2050, 9999))],
    ids=["two digits", "four digits"],
)
def test_years_have_two_digits_or_four(
    tmp_path: Path, ca: Path, days: tuple[str, str], years: tuple[int, int]
) -> None:
    found = read_certificate(der_of(issued(tmp_path, ca, days=days)))
    assert found.not_before == datetime(years[0], 1, 1, tzinfo=UTC)
    assert found.not_after == datetime(years[1], 12, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("/CN=prüfer.example", "CN=prüfer.example"),
        ("/C=DE/O=Müller & Söhne/OU=IT/L=Köln/ST=NRW/DC=example/CN=x", None),
        ("/CN=evil\nname", "CN=evil\N{REPLACEMENT CHARACTER}name"),
        ("/O=" + "x" * 60 + "/OU=" + "y" * 60 + "/CN=" + "z" * 60, None),
    ],
)
def test_a_name_is_one_line_of_text(tmp_path: Path, subject: str, shown: str | None) -> None:
    found = read_certificate(self_signed(tmp_path, subject))
    assert found.subject == (shown or ", ".join(subject.strip("/").split("/")))
    assert found.issuer == found.subject


def self_signed(folder: Path, subject: str) -> bytes:
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-utf8",
    ]
    command += ["-subj", subject, "-keyout", "/dev/null", "-outform", "DER", "-out", str(folder / "made.der")]
    subprocess.run(command, check=True, capture_output=True)
    return (folder / "made.der").read_bytes()


def test_a_name_without_end_is_cut_off(tmp_path: Path) -> None:
    subject = "".join(f"/OU={n}{'x' * 60}" for n in range(10))
    found = read_certificate(self_signed(tmp_path, subject))
    assert len(found.subject) == 200
    assert found.subject.endswith("…")


def reads_it_or_says_that_it_is_none(data: bytes) -> None:
    try:
        found = read_certificate(data)
    except ValueError:
        return
    assert isinstance(found, Certificate)
    assert (found.subject + found.issuer + found.serial).isprintable()


@given(st.binary(max_size=200))
def test_of_bytes_that_are_no_certificate_it_says_so(data: bytes) -> None:
    reads_it_or_says_that_it_is_none(data)


@given(st.data())
def test_a_certificate_that_is_damaged_breaks_nothing(der: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(der) - 1))
    new = data.draw(st.binary(max_size=4))
    reads_it_or_says_that_it_is_none(der[:at] + new + der[at + len(new) :])
    reads_it_or_says_that_it_is_none(der[:at])

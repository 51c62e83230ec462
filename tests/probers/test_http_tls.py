"""The http prober and certificates."""

from pathlib import Path
from typing import Any

import pytest

from tests.probers.asking import ask, run
from tests.probers.servers import certificate, says, serving, tls_by
from watchkeeper.domain.probe import Sample, Status


def ask_https(made: Path, options: dict[str, Any], host: str = "127.0.0.1") -> Sample:
    """The sample of a check of a server that shows this certificate."""

    async def main() -> Sample:
        async with serving(says(), tls_by(made)) as server:
            return await ask("http", {"url": server.url(host=host), **options})

    return run(main())


def test_a_certificate_by_a_ca_of_ones_own_is_good_when_the_ca_is_named(tmp_path: Path) -> None:
    made = certificate(tmp_path)
    sample = ask_https(made, {"verify": str(made)})
    assert sample.status is Status.UP
    assert 0 < sample.values["tls_seconds"] < sample.duration_s


def test_the_file_of_a_ca_may_have_any_name(tmp_path: Path) -> None:
    made = certificate(tmp_path).rename(tmp_path / "prüfer.pem")
    assert ask_https(made, {"verify": str(made)}).status is Status.UP


def test_a_certificate_by_nobody_that_is_known_is_down(tmp_path: Path) -> None:
    sample = ask_https(certificate(tmp_path), {})
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "tls")
    assert "self-signed certificate" in sample.message


def test_a_certificate_that_has_expired_is_down(tmp_path: Path) -> None:
    made = certificate(tmp_path, days=("20200101", "20200201"))
    sample = ask_https(made, {"verify": str(made)})
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "tls")
    assert "certificate has expired" in sample.message


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_certificate_for_another_host_is_down(tmp_path: Path, host: str) -> None:
    made = certificate(tmp_path, names="DNS:shop.example.com")
    sample = ask_https(made, {"verify": str(made)}, host)
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "tls")
    assert f"no TLS with {host}:" in sample.message


def test_a_certificate_is_not_looked_at_when_told_so(tmp_path: Path) -> None:
    made = certificate(tmp_path, names="DNS:shop.example.com", days=("20200101", "20200201"))
    assert ask_https(made, {"verify": False}).status is Status.UP


def test_a_ca_file_that_is_missing_is_unknown(tmp_path: Path) -> None:
    sample = ask_https(certificate(tmp_path), {"verify": str(tmp_path / "missing.pem")})
    assert (sample.status, sample.facts["failure"]) == (Status.UNKNOWN, "local")


def test_a_server_that_does_not_speak_tls_is_down() -> None:
    async def main() -> Sample:
        async with serving(says(), greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
            return await ask("http", {"url": f"https://127.0.0.1:{server.port}"})

    sample = run(main())
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "tls")

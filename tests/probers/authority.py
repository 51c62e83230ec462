"""A CA of the tests' own."""

import subprocess
from pathlib import Path

from tests.probers.servers import certificate


def a_ca(folder: Path, days: tuple[str, str] = ("20200101", "20990101")) -> Path:
    """The key and the certificate of a new CA, in one file."""
    folder.mkdir()
    return certificate(folder, names="DNS:ca.example", days=days)


def issued(
    folder: Path,
    ca: Path,
    *,
    subject: str = "/C=DE/O=Example/CN=shop.example",
    names: str = "IP:127.0.0.1,DNS:localhost",
    days: tuple[str, str] = ("20200101", "20990101"),
    more: str = "",
) -> Path:
    """A new key, a certificate that the CA has issued, and the CA's own, in one file.

    Args:
        names: whom it is for, as OpenSSL's subjectAltName has it.
        days: its first and its last day.
        more: extensions, a line each.
    """
    key, request, config = folder / "key.pem", folder / "request.pem", folder / "issue.cnf"
    config.write_text(
        f"[ca]\ndefault_ca=own\n[own]\nnew_certs_dir={folder}\ndatabase={folder}/index\nserial={folder}/serial\n"
        "default_md=sha256\npolicy=any\nx509_extensions=web\npreserve=yes\n"
        "[any]\ncountryName=optional\norganizationName=optional\ncommonName=optional\n"
        f"[web]\nsubjectAltName={names}\nbasicConstraints=CA:FALSE\n{more}\n"
    )
    (folder / "index").write_text("")
    (folder / "serial").write_text("0A1B2C")
    _openssl(
        *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-utf8"),
        *("-subj", subject, "-keyout", str(key), "-out", str(request)),
    )
    _openssl(
        *("ca", "-batch", "-notext", "-utf8", "-config", str(config), "-cert", str(ca), "-keyfile", str(ca)),
        *("-startdate", f"{days[0]}000000Z", "-enddate", f"{days[1]}000000Z"),
        *("-in", str(request), "-out", str(folder / "cert.pem")),
    )
    made = folder / "server.pem"
    made.write_text(
        key.read_text()
        + (folder / "cert.pem").read_text()
        + ca.read_text().partition("KEY-----\n")[2].partition("KEY-----\n")[2]
    )
    return made


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True)

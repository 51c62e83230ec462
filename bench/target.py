"""What is probed: one nginx on loopback, a port that refuses, and one that never answers."""

import os
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from bench import children, machine

HOSTS = [f"127.0.0.{n}" for n in range(1, 17)]
"""Many addresses, as many machines would have: what a program does once for each host is not done once for all."""

_BODY = "The web shop is open: 12 carts, 3 orders, 0 bad."  # 48 bytes

# Whatever else runs on the target's core, the target shall not be what is waited for.
_FAVOURED = ("prlimit", "--nofile=10000", *(("nice", "-n", "-10") if os.getuid() == 0 else ()))

_NGINX = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 8192; multi_accept on; }}
http {{
  default_type text/plain;
  keepalive_timeout 0;
  access_log off;
  log_format arrivals '$msec $status $uri';
  client_body_temp_path {folder}/tmp; proxy_temp_path {folder}/tmp; fastcgi_temp_path {folder}/tmp;
  uwsgi_temp_path {folder}/tmp; scgi_temp_path {folder}/tmp;
  server {{
    {http}
    location / {{ return 200 "{body}"; }}
  }}
  server {{
    {https}
    ssl_certificate {folder}/certificate.pem;
    ssl_certificate_key {folder}/key.pem;
    ssl_session_cache off;
    ssl_session_tickets off;
    location / {{ return 200 "{body}"; }}
  }}
  server {{
    {logged}
    access_log {folder}/arrivals.log arrivals buffer=64k flush=500ms;
    location / {{
      if (-f {folder}/broken$uri) {{ return 503 "closed"; }}
      return 200 "{body}";
    }}
  }}
  server {{
    listen 127.0.0.1:{status};
    location / {{ stub_status; }}
  }}
}}
"""


class Target:
    """One nginx process, pinned to a core, that answers 200 with 48 bytes and closes; and ports that fail.

    Its `logged` port notes when which probe arrived, and answers 503 to those that were broken.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = {name: children.free_port() for name in ("http", "https", "logged")}
        self._status = children.free_port()
        self._asked = 0
        self.certificate = folder / "certificate.pem"
        self.arrivals = folder / "arrivals.log"
        self._refusing = _refusing()
        self._silent = _silent()
        (folder / "broken" / "p").mkdir(parents=True)
        (folder / "tmp").mkdir()
        self._make_certificate()
        listens = {name: _listens(port, name == "https") for name, port in self._ports.items()}
        file = folder / "nginx.conf"
        file.write_text(_NGINX.format(folder=folder, body=_BODY, status=self._status, **listens))
        log = folder / "nginx.log"
        self._process = children.spawn(
            [*_FAVOURED, machine.need("nginx"), "-c", str(file)], log, core=children.TARGET_CORE
        )
        children.wait_for_port(self._status, self._process, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    def urls(self, count: int, kind: str) -> Sequence[str]:
        """Addresses to probe, one for each probe. `kind`: http, https, logged, refused or silent."""
        if kind in self._ports:
            scheme = "https" if kind == "https" else "http"
            port = self._ports[kind]
            return [f"{scheme}://{HOSTS[n % len(HOSTS)]}:{port}/p/{n:05}" for n in range(count)]
        port = (self._refusing if kind == "refused" else self._silent[0]).getsockname()[1]
        return [f"http://127.0.0.1:{port}/p/{n:05}" for n in range(count)]

    def requests(self) -> int:
        """How many requests nginx has answered, those for this number excluded."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._status}/", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        self._asked += 1
        return int(lines[2].split()[2]) - self._asked

    def break_probe(self, number: int) -> None:
        """From now on the probe of this number is answered 503, on the logged port."""
        (self._folder / "broken" / "p" / f"{number:05}").touch()

    def mend_all(self) -> None:
        shutil.rmtree(self._folder / "broken" / "p")
        (self._folder / "broken" / "p").mkdir()

    def stop(self) -> None:
        children.end(self._process)
        for sock in (self._refusing, *self._silent):
            sock.close()

    def _make_certificate(self) -> None:
        names = ",".join(f"IP:{host}" for host in HOSTS)
        subprocess.run(
            [
                *(machine.need("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-subj", "/CN=bench", "-addext", f"subjectAltName={names}"),
                *("-keyout", str(self._folder / "key.pem"), "-out", str(self.certificate)),
            ],
            check=True,
            capture_output=True,
        )


def _listens(port: int, tls: bool) -> str:
    return " ".join(f"listen {host}:{port} backlog=4096{' ssl' if tls else ''};" for host in HOSTS)


def _refusing() -> socket.socket:
    """A port that is taken and does not listen: who connects is refused."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


def _silent() -> list[socket.socket]:
    """A port that never answers: its queue is full, so the kernel drops who wants to connect."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(0)
    waiting = []
    for _ in range(4):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(listening.getsockname())
        waiting.append(sock)
    return [listening, *waiting]

"""Keeps secret headers where they belong when a server sends a check on to another URL."""

import re
from typing import Final
from urllib.parse import urljoin

from watchkeeper.probers._http_options import origin

_REDIRECT: Final = re.compile(rb"HTTP/\S+ 3\d\d\b")
_ABORT: Final = -1


class SameOrigin:
    """Watches the headers of answers, and ends a transfer that is about to take its own headers elsewhere.

    libcurl itself holds back only two of them, `Authorization` and `Cookie`. Its callback before each request is no
    place to decide it: it does not tell the URL.

    `elsewhere` is where the transfer would have gone, once it was ended.
    """

    def __init__(self, url: str) -> None:
        self.elsewhere: str | None = None
        self._url = url
        self._redirected = False

    def on_header(self, line: bytes) -> int | None:
        """Takes in one line of an answer's head, as libcurl's HEADERFUNCTION."""
        if line.startswith(b"HTTP/"):
            self._redirected = _REDIRECT.match(line) is not None
            return None
        name, _, value = line.partition(b":")
        if not self._redirected or name.strip().lower() != b"location":
            return None
        location = value.strip().decode("latin-1")
        try:
            target = urljoin(self._url, location)
            same = origin(target) == origin(self._url)
        except ValueError:  # who knows what libcurl would make of it
            target, same = location, False
        if same:
            self._url = target
            return None
        self.elsewhere = target
        return _ABORT

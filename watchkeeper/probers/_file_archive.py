"""Whether an archive can be read to its end. Nothing is unpacked to the disk."""

import bz2
import gzip
import lzma
import signal
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any, Final, cast

from watchkeeper.probers._program import Work, clean_environment, kill

_CHUNK: Final = 2**20
_PATIENCE_S: Final = 5.0
DAMAGED: Final = (
    EOFError,
    zlib.error,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    ValueError,
    NotImplementedError,
)
_OPENERS: Final[dict[bytes, Callable[[str], Any]]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_ZSTD: Final = b"\x28\xb5\x2f\xfd"


class Damaged(Exception):
    """An archive that can not be read to its end; says why."""


@dataclass(slots=True)
class Contents:
    """What was read of an archive. `files` is absent where it is a single packed file; `whole`: to its end."""

    kind: str
    read_bytes: int = 0
    files: int | None = None
    whole: bool = True


class _Enough(Exception):
    """As much was read as may be."""


class _Counted:
    """A stream that counts what is read, and asks whether to go on."""

    def __init__(self, stream: IO[bytes], contents: Contents, most: int, work: Work) -> None:
        self._stream, self._contents, self._most, self._work = stream, contents, most, work

    def read(self, size: int = -1) -> bytes:
        self._work.go_on()
        data = self._stream.read(_CHUNK if size < 0 else min(size, 64 * _CHUNK))
        self._contents.read_bytes += len(data)
        if self._contents.read_bytes > self._most:
            raise _Enough
        return data


def read_through(path: str, most: int, work: Work) -> Contents | None:
    """Reads an archive to its end, or until so many bytes came out of it. `None`: it is no archive that is known.

    Raises:
        Damaged: it can not be read.
        OSError: the file can not be read.
        Interrupted: the run is over.
    """
    with open(path, "rb") as file:
        begin = file.read(512)
    contents = Contents("")
    try:
        if begin.startswith(b"PK\x03\x04") or zipfile.is_zipfile(path):
            _read_zip(path, contents, most, work)
        elif _is_tar(begin):
            with open(path, "rb") as file:
                _read_tar(file, contents, most, work)
        else:
            with unpacked(path, begin, contents, work) as stream:
                if stream is None:
                    return None
                _read_packed(stream, contents, most, work)
    except _Enough:
        contents.whole = False
    except DAMAGED as error:
        raise Damaged(str(error) or type(error).__name__) from None
    except gzip.BadGzipFile as error:  # an OSError, but of the archive
        raise Damaged(str(error)) from None
    except OSError as error:
        if error.errno is None:  # what the modules of archives raise, and no system
            raise Damaged(str(error)) from None
        raise
    return contents


def _is_tar(begin: bytes) -> bool:
    return begin[257:262] == b"ustar" or begin == bytes(512)  # one without a file begins with its end


def _read_zip(path: str, contents: Contents, most: int, work: Work) -> None:
    contents.kind, contents.files = "zip", 0
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.flag_bits & 1:
                continue  # encrypted: there is no password to read it with
            with archive.open(member) as stream:
                _drain(_Counted(stream, contents, most, work))
            contents.files += not member.is_dir()


def _read_packed(stream: IO[bytes], contents: Contents, most: int, work: Work) -> None:
    counted = _Counted(stream, contents, most, work)
    begin = counted.read(512)
    if _is_tar(begin):
        contents.kind = "tar." + contents.kind
        contents.read_bytes = 0
        _read_tar(_Again(begin, stream), contents, most, work)
    else:
        _drain(counted)


class _Again:
    """A stream of which the beginning was read."""

    def __init__(self, begin: bytes, stream: IO[bytes]) -> None:
        self._begin, self._stream = begin, stream

    def read(self, size: int = -1) -> bytes:
        begin, self._begin = self._begin[:size], self._begin[size:]
        return begin + self._stream.read(size - len(begin))


def _read_tar(stream: Any, contents: Contents, most: int, work: Work) -> None:
    contents.kind, contents.files = contents.kind or "tar", 0
    counted = _Counted(stream, contents, most, work)
    with tarfile.open(fileobj=cast("IO[bytes]", counted), mode="r|") as archive:
        for member in archive:
            contents.files += member.isfile()
            archive.members = []  # type: ignore[attr-defined]  # or all of them stay in memory
    while counted.read(_CHUNK):  # to the packed file's end, where its checksum is
        pass


def _drain(stream: _Counted) -> None:
    while stream.read(_CHUNK):
        pass


@contextmanager
def unpacked(path: str, begin: bytes, contents: Contents, work: Work) -> Iterator[IO[bytes] | None]:
    """What comes out of a packed file; `None` where nobody knows how to unpack it."""
    for magic, opener in _OPENERS.items():
        if begin.startswith(magic):
            contents.kind = opener.__module__.replace("gzip", "gz").replace("lzma", "xz")
            with opener(path) as stream:
                yield stream
            return
    if not begin.startswith(_ZSTD):
        yield None
        return
    contents.kind = "zst"
    with open(path, "rb") as file:
        process = work.start(["zstd", "-dcq"], clean_environment({}), stdin=file, errors=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        yield process.stdout
        process.stdout.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE_S)
        if process.returncode not in (0, -signal.SIGPIPE):
            raise Damaged("zstd can not unpack it")
    finally:
        kill(process)

"""The bytes of a chunk of rollups.

Flags, the first position and the number of rows, one byte each; the number of series, two bytes; the positions, if
they have gaps; of how many samples each row is, one number if all are alike. Then, unless the numbers are exact, the
least and the greatest of each series as 32-bit floats. Then of each series, one after the other: of each row the
least, the greatest, the mean, as far as they can differ: of one sample there is one number, of two there are two.
Integers and floats have their least significant byte first.
"""

import struct
import sys
import zlib
from array import array
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Final

from watchkeeper.domain.rollup import Chunk, Row

_HEAD: Final = struct.Struct("<BBBH")
_NUMBERS: Final = 0b11  # how many numbers a row has of each series, 1 to 3
_EXACT: Final = 1 << 2  # 32-bit floats; without it, steps of 1/63 between the least and the greatest of the series
_GAPS: Final = 1 << 3
_COUNTS: Final = 1 << 4
_DEFLATED: Final = 1 << 5

_STEPS: Final = 63

_WINDOW: Final = -12  # zlib without its header; a chunk is short
_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
# Base64 is 6 bits a letter: the standard library packs and unpacks them without a loop.
_TO_BASE64: Final = _BASE64 + b"/" * (256 - 64)
_FROM_BASE64: Final = bytes(max(_BASE64.find(letter), 0) for letter in range(256))


def encode_exactly(chunk: Chunk, *, deflate: bool = True) -> bytes:
    """At least one row, every number exact to 24 bits.

    Args:
        deflate: smaller, and slower to write. Not worth it for what is not kept.
    """
    return _encode(chunk, _EXACT, deflate=deflate)


def encode_coarsely(chunk: Chunk) -> bytes:
    """At least one row, 6 bits for each number: each is moved by at most 1/126 of what its series varies by in the
    chunk. The least and the greatest of the chunk are exact to 24 bits."""
    return _encode(chunk, 0, deflate=True)


def decode(data: bytes) -> Chunk:
    """What one of the above has written.

    Raises:
        ValueError: the data is damaged.
    """
    try:
        return _decode(data)
    except (IndexError, StopIteration, struct.error, zlib.error) as error:
        raise ValueError(f"a chunk is damaged: {error!r}") from error


def _encode(chunk: Chunk, flags: int, *, deflate: bool) -> bytes:
    positions = sorted(chunk)
    rows = [chunk[position] for position in positions]
    counts = [row.samples for row in rows]
    numbers = min(max(counts), 3)
    flags |= numbers
    parts = [b""]
    if positions[-1] - positions[0] >= len(rows):
        flags |= _GAPS
        parts.append(bytes(positions))
    if counts.count(counts[0]) == len(counts):
        del counts[1:]
    else:
        flags |= _COUNTS
    parts.append(_packed(array("I", counts)))
    # Of each series: the lows of all rows, their highs, their means.
    kinds = [zip(*(row[kind] for row in rows), strict=True) for kind in range(1, numbers + 1)]
    columns = [list(chain(*series)) for series in zip(*kinds, strict=True)]
    if flags & _EXACT:
        floats = _packed(array("f", chain(*columns)))
        # Bytes of one significance together: signs and exponents are alike, and deflate well.
        body = b"".join(floats[part::4] for part in range(4))
    else:
        lows, highs = (array("f", map(limit, columns)) for limit in (min, max))
        varies = [low != high for low, high in zip(lows, highs, strict=True)]
        varied = array("f", [high for high, differs in zip(highs, varies, strict=True) if differs])
        parts += bytes(varies), _packed(lows), _packed(varied)
        body = _steps(columns, lows, highs)
    if deflate and len(deflated := zlib.compress(body, 6, _WINDOW)) < len(body):
        flags |= _DEFLATED
        body = deflated
    parts[0] = _HEAD.pack(flags, positions[0], len(rows), len(columns))
    parts.append(body)
    return b"".join(parts)


def _steps(columns: Iterable[Sequence[float]], lows: Sequence[float], highs: Sequence[float]) -> bytes:
    steps = bytearray()
    for low, high, column in zip(lows, highs, columns, strict=True):
        if low == high:
            continue
        scale = _STEPS / (high - low)
        try:
            steps += bytes([int((value - low) * scale + 0.5) for value in column])
        except ValueError:  # as a 32-bit float, an end lies a little beside what it was
            steps += bytes([min(max(round((value - low) * scale), 0), _STEPS) for value in column])
        steps += bytes(-len(column) % 4)  # to a whole byte
    return a2b_base64(steps.translate(_TO_BASE64))


def _decode(data: bytes) -> Chunk:
    flags, first, size, width = _HEAD.unpack_from(data)
    reader = _Reader(data, _HEAD.size)
    positions: Iterable[int] = reader.take(size) if flags & _GAPS else range(first, first + size)
    counts = reader.whole(size) if flags & _COUNTS else reader.whole(1) * size
    length = (flags & _NUMBERS) * size
    if flags & _EXACT:
        columns = _floats(reader.rest(flags), width, length)
    else:
        varies = reader.take(width)
        lows, varied = reader.floats(width), iter(reader.floats(sum(varies)))
        highs = [next(varied) if differs else low for low, differs in zip(lows, varies, strict=True)]
        steps = b2a_base64(reader.rest(flags), newline=False).translate(_FROM_BASE64)
        columns = _values(steps, lows, highs, length)
    return dict(zip(positions, _rows(columns, counts, size), strict=True))


def _rows(columns: Sequence[Sequence[float]], counts: Sequence[int], size: int) -> list[Row]:
    if not columns or not columns[0]:
        raise ValueError("a chunk holds nothing")
    lows = list(zip(*(column[:size] for column in columns), strict=True))
    if len(columns[0]) == size:
        return list(map(Row, counts, lows, lows, lows))
    highs = list(zip(*(column[size : 2 * size] for column in columns), strict=True))
    if len(columns[0]) == 3 * size:
        return list(map(Row, counts, lows, highs, zip(*(column[2 * size :] for column in columns), strict=True)))
    return [
        Row(count, low, high, [(a + b) / 2 for a, b in zip(low, high, strict=True)])
        for count, low, high in zip(counts, lows, highs, strict=True)
    ]


def _floats(raw: bytes, width: int, length: int) -> list[Sequence[float]]:
    quarter = width * length
    if len(raw) != 4 * quarter:
        raise ValueError("a chunk has not as many numbers as it says")
    floats = bytearray(4 * quarter)
    for part in range(4):
        floats[part::4] = raw[part * quarter : (part + 1) * quarter]
    numbers = _unpacked(array("f", bytes(floats)))
    return [numbers[begin : begin + length] for begin in range(0, quarter, length)]


def _values(steps: bytes, lows: Sequence[float], highs: Sequence[float], length: int) -> list[Sequence[float]]:
    columns: list[Sequence[float]] = []
    at = 0
    for low, high in zip(lows, highs, strict=True):
        if low == high:
            columns.append([low] * length)
            continue
        if at + length > len(steps):
            raise ValueError("a chunk has not as many numbers as it says")
        step = (high - low) / _STEPS
        stairs = [*(low + count * step for count in range(_STEPS)), high]
        columns.append([stairs[count] for count in steps[at : at + length]])
        at += length + -length % 4
    return columns


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def take(self, length: int) -> bytes:
        begin, self._at = self._at, self._at + length
        if self._at > len(self._data):
            raise ValueError("a chunk ends too early")
        return self._data[begin : self._at]

    def whole(self, count: int) -> "array[int]":
        return _unpacked(array("I", self.take(4 * count)))

    def floats(self, count: int) -> "array[float]":
        return _unpacked(array("f", self.take(4 * count)))

    def rest(self, flags: int) -> bytes:
        rest = self._data[self._at :]
        return zlib.decompress(rest, _WINDOW) if flags & _DEFLATED else rest


def _packed(numbers: "array[Any]") -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def _unpacked(numbers: "array[Any]") -> "array[Any]":
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers

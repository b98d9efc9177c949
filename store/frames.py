"""Payloads to frames and back: `u32-LE payload length | u32-LE crc32(payload) | payload`.

`read_frame` tells whether a whole, checksummed frame stands at an offset; what a bad one means, a tear or
damage, is for the caller to decide, who knows what had been synced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from struct import Struct
from zlib import crc32

FRAME_HEAD = Struct("<II")
FRAME_HEAD_BYTES = FRAME_HEAD.size
PAYLOAD_MAX_BYTES = 16 * 2**20
"""A longer length field is never believed. Length 0 is not a frame either: eight zero bytes would pass for one."""


def frame(payload: bytes) -> bytes:
    return FRAME_HEAD.pack(len(payload), crc32(payload)) + payload


def framed(payloads: Sequence[bytes]) -> bytes:
    """The frames of these payloads, one after the other."""
    heads = map(FRAME_HEAD.pack, map(len, payloads), map(crc32, payloads))
    return b"".join(chain.from_iterable(zip(heads, payloads, strict=True)))


def read_frame(buffer: bytes | memoryview, offset: int) -> bytes | None:
    """The payload of the frame at `offset`, or None when no whole and sound frame stands there."""
    start = offset + FRAME_HEAD_BYTES
    if start > len(buffer):
        return None
    length, checksum = FRAME_HEAD.unpack_from(buffer, offset)
    end = start + length
    if not 0 < length <= PAYLOAD_MAX_BYTES or end > len(buffer):
        return None
    payload = bytes(buffer[start:end])
    return payload if crc32(payload) == checksum else None


def frames_in(buffer: bytes, count: int, offset: int = 0, most_bytes: int = 2**63) -> Iterator[bytes]:
    """The payloads of up to `count` frames from `offset`, as far as they are whole and sound.

    Ends with the frame that reaches `most_bytes`.
    """
    head, size = FRAME_HEAD.unpack_from, len(buffer) - FRAME_HEAD_BYTES
    size = min(size, offset + most_bytes - 1)
    while count and offset <= size:
        length, checksum = head(buffer, offset)
        offset += FRAME_HEAD_BYTES
        payload = buffer[offset : offset + length]
        if len(payload) != length or not 0 < length <= PAYLOAD_MAX_BYTES or crc32(payload) != checksum:
            return
        yield payload
        offset += length
        count -= 1


def bytes_of(payloads: Sequence[bytes]) -> int:
    """How many bytes the frames of these payloads take."""
    return sum(map(len, payloads)) + FRAME_HEAD_BYTES * len(payloads)


def frame_bytes_wanted(buffer: bytes | memoryview, offset: int) -> int:
    """How many bytes from `offset` the frame there claims to take, its head included; at least the head's."""
    if offset + FRAME_HEAD_BYTES > len(buffer):
        return FRAME_HEAD_BYTES
    length, _ = FRAME_HEAD.unpack_from(buffer, offset)
    return FRAME_HEAD_BYTES + (length if length <= PAYLOAD_MAX_BYTES else 0)

"""A ledger's files as bytes: a reader of frames that shares no code with the store, and ways to do damage."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cbor2

HEAD = struct.Struct("<II")


@dataclass(frozen=True)
class Frame:
    offset: int
    payload: bytes

    @property
    def end(self) -> int:
        return self.offset + HEAD.size + len(self.payload)


def framed(payload: bytes) -> bytes:
    return HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def frames(data: bytes) -> list[Frame]:
    """The good frames from the start, up to the first that is not one."""
    found, offset = [], 0
    while offset + HEAD.size <= len(data):
        length, checksum = HEAD.unpack_from(data, offset)
        payload = data[offset + HEAD.size : offset + HEAD.size + length]
        if not 0 < length <= 16 * 2**20 or len(payload) < length or zlib.crc32(payload) != checksum:
            break
        found.append(Frame(offset, payload))
        offset = found[-1].end
    return found


def book_directory(directory: Path, book: str) -> Path:
    """The only directory whose name stands for the book; plain names stand for themselves."""
    return directory / "books" / book


def segments(directory: Path, book: str) -> list[Path]:
    return sorted(book_directory(directory, book).glob("segment-*.log"))


def snapshots(directory: Path, book: str) -> list[Path]:
    return sorted(book_directory(directory, book).glob("snapshot-*.snap"))


def runs(directory: Path, book: str) -> list[Path]:
    return sorted(book_directory(directory, book).glob("idem-*.run"))


def flip(path: Path, offset: int, mask: int = 0xFF) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= mask
    path.write_bytes(bytes(data))


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def append(path: Path, data: bytes) -> None:
    path.write_bytes(path.read_bytes() + data)


def with_header(path: Path, **changes: Any) -> None:
    """Write the segment anew with another header: magic, version, book, base_seq or salt."""
    data = path.read_bytes()
    header = frames(data)[0]
    names = ("magic", "version", "book", "base_seq", "salt")
    fields = dict(zip(names, cbor2.loads(header.payload), strict=True))
    path.write_bytes(framed(cbor2.dumps(list({**fields, **changes}.values()))) + data[header.end :])

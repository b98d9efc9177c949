"""Events are decoded with libipld where it is installed: the same comes out with and without it."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from store import codec
from tests.support.strategies import json_values

pytest.importorskip("libipld")

CID = b"\xd8\x2a\x45\x00\x01\x55\x00\x00"
LONG_CID = b"\xd9\x00\x2a\x45\x00\x01\x55\x00\x00"


def by_cbor2_alone(payload: bytes) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "_decode_quickly", None)
        return codec.decode_items(payload)


def told(value: Any) -> str:
    """Types and the order of keys count, too."""
    return repr(value)


@given(st.lists(json_values() | st.binary(max_size=20), max_size=12))
@example([2**64, -(2**64) - 1, 1.0, True, "\N{SNOWMAN}"])
@example([{"longer": 1, "b": {"z": 0, "a": 1}}])
@example(["x" * 5000])
def test_whatever_an_event_can_hold_is_decoded_alike(items: list[Any]) -> None:
    payload = cbor2.dumps(items)
    found = codec.decode_items(payload)
    assert told(found) == told(by_cbor2_alone(payload))
    assert found == items


@given(
    st.lists(json_values(), max_size=4).map(cbor2.dumps),
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=3),
    st.binary(max_size=3),
)
def test_damaged_bytes_are_decoded_alike(
    payload: bytes, damage: list[tuple[int, int]], trailing: bytes
) -> None:
    data = bytearray(payload)
    for at, byte in damage:
        data[at % len(data)] = byte
    hurt = bytes(data) + trailing
    assert told(codec.decode_items(hurt)) == told(by_cbor2_alone(hurt))


@pytest.mark.parametrize(
    "payload",
    [
        b"\x81" + CID,
        b"\x81" + LONG_CID,
        b"\x81\xda\0\0\0\x2a" + CID[2:],
        b"\x81\xdb\0\0\0\0\0\0\0\x2a" + CID[2:],
        b"\x82\x61\x2a" + CID,
        b"\x9f\x01\xff",
        b"\x81\xf7",
        b"\x81\xf9\x3c\x00",
        b"\x81\xfb\x7f\xf8\0\0\0\0\0\0",
        b"\x81\xa2\x61a\x01\x61a\x02",
        b"\x81\xa1\x01\x02",
        b"\x81\x62\xc3\x28",
        b"\x80\x00",
        b"",
    ],
)
def test_what_only_forgers_write_is_decoded_alike(payload: bytes) -> None:
    assert told(codec.decode_items(payload)) == told(by_cbor2_alone(payload))

"""A log that loses bytes under an open store: whoever reads there is told, and is never left waiting."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from store import CorruptLog
from tests.support.build import BOOK
from tests.support.disk import cut, frames, segments
from tests.support.ledgers import opened, written


@pytest.mark.parametrize("missing", ["the frame", "its head", "its end"])
async def test_reading_what_was_cut_off_under_an_open_store_is_damage(tmp_path: Path, missing: str) -> None:
    await written(tmp_path)
    (path,) = segments(tmp_path, BOOK)
    last = frames(path.read_bytes())[-1]
    async with opened(tmp_path) as store:
        cut(path, {"the frame": last.offset, "its head": last.offset + 3, "its end": last.end - 1}[missing])
        with pytest.raises(CorruptLog) as refusal:
            await asyncio.wait_for(store.read_events(BOOK), 10)
        assert (refusal.value.segment, refusal.value.offset) == (path.name, last.offset)
        assert (await store.book(BOOK)).writer == "damaged"

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from store.protocol import Store
from tests.support.build import household
from tests.support.clock import FakeClock
from tests.support.subjects import SUBJECTS, Subject


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=SUBJECTS, ids=lambda subject: subject.name)
def subject(request: pytest.FixtureRequest) -> Subject:
    found: Subject = request.param
    return found


@pytest.fixture
async def store(subject: Subject, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Store]:
    """An empty store of each kind, on a clock that stands still."""
    async with subject.open(tmp_path / "ledger", clock) as opened:
        yield opened


@pytest.fixture
async def home(store: Store) -> Store:
    """The store with the household's accounts: book `household` stands at seq 7."""
    await household(store)
    return store

"""Hypothesis profiles: `ci` is small and repeatable, `deep` searches; HYPOTHESIS_PROFILE chooses.

And how many tests run side by side, which of them begin, and for what the pilot waits.
"""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings

from tests.support import rest

settings.register_profile(
    "ci",
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile(
    "deep",
    max_examples=1000,
    stateful_step_count=50,
    deadline=timedelta(minutes=1),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

_WORKERS_PER_CORE = 2
"""A test of a screen waits for its timers for nearly half its time: with two cores, four workers took 121 s for what
two took 192 s for."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What `-n auto` means."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return _WORKERS_PER_CORE * cores


rest.install()

_LONGEST = (
    "tests/house/test_screenshots.py",
    "tests/store/test_failing_files.py",
    "tests/cli/test_demo.py",
    "tests/tui/test_shell_fuzz.py",
    "tests/store/test_damage.py",
    "tests/tui/test_tail.py",
)
"""They begin, so that at the end no worker is left alone with one of them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(_LONGEST))

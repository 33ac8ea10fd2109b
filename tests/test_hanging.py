"""A test that waits for ever is ended and named, however it waits, and the others go on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

TESTS = """
import asyncio, threading, time
import pytest

async def test_that_awaits_what_never_comes():
    await asyncio.Event().wait()

async def test_that_asks_again_and_again():
    while True:
        await asyncio.sleep(0.001)

async def test_whose_cleaning_up_waits_too():
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.Event().wait()

def test_that_spins():
    while True:
        pass

def test_that_waits_for_a_lock():
    lock = threading.Lock()
    with lock, lock:
        pass

@pytest.fixture
def slow():
    threading.Event().wait()

def test_whose_fixture_waits(slow):
    pass

@pytest.mark.long
def test_that_may_take_long():
    time.sleep(1.2)

async def test_that_is_well():
    await asyncio.sleep(0)
"""


def test_what_hangs_is_ended_and_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "test_them.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", f"--config-file={ROOT / 'pyproject.toml'}", f"--rootdir={tmp_path}"]
    # In a process of xdist's, which also has threads of its own.
    options = ["--long", "-p", "tests.conftest", "-p", "no:cacheprovider", "--most=0.5", "--numprocesses=1"]
    ran = subprocess.run(
        [*command, *options, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "500"},  # or what is said of each is cut off
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    hung = re.findall(r"^(?:FAILED|ERROR) \S+::(\w+) - Failed: \S+ its (\w+)", ran.stdout, re.MULTILINE)
    assert set(hung) == {
        ("test_that_awaits_what_never_comes", "body"),
        ("test_that_asks_again_and_again", "body"),
        ("test_whose_cleaning_up_waits_too", "body"),
        ("test_whose_cleaning_up_waits_too", "cleaning"),
        ("test_that_spins", "body"),
        ("test_that_waits_for_a_lock", "body"),
        ("test_whose_fixture_waits", "preparation"),
    }, ran.stdout + ran.stderr
    assert re.search(r"\b2 passed", ran.stdout)
    assert "await asyncio.Event().wait()" in ran.stdout, "where it stood"

"""Options that all tests share: how often randomised tests repeat, from which seed, and what a missing tool means."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.hanging import MOST_S
from tests.support.hanging import pytest_runtest_call as pytest_runtest_call
from tests.support.hanging import pytest_runtest_setup as pytest_runtest_setup
from tests.support.hanging import pytest_runtest_teardown as pytest_runtest_teardown
from tests.support.scheduling import scheduling

REPETITIONS = 3
LONG_REPETITIONS = 50
PROGRAMS = {  # by marker
    "aarch64": "aarch64-linux-gnu-gcc",
    "chromium": "chromium",
    "curl": "curl",
    "firefox": "firefox",
    "gstreamer": "gst-inspect-1.0",
    "jq": "jq",
    "promtool": "promtool",
    "systemd": "systemd-analyze",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help=f"{LONG_REPETITIONS} repetitions of randomised tests, not 3")
    parser.addoption("--most", type=float, default=MOST_S, help="seconds for each test, those marked `long` excepted")
    parser.addoption("--seed", type=int, default=None, help="replay randomised tests from this seed")


def pytest_configure(config: pytest.Config) -> None:
    # Servers that tests start keep nothing, and nothing of anybody else's is touched, unless they are told a file.
    os.environ["SFU_STORE"] = "memory"
    # How long an example takes says more about the machine's other work than about ours.
    settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("shared machine")
    if config.getoption("--seed") is None:
        config.option.seed = random.SystemRandom().randrange(1 << 32)


def pytest_report_header(config: pytest.Config) -> str:
    return f"randomised tests: --seed {config.getoption('--seed')}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked `long` are there only when they are asked for: a skip would say that something is missing."""
    if not config.getoption("--long"):
        items[:] = [item for item in items if item.get_closest_marker("long") is None]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `seed` runs once per repetition, each with its own, derived from the printed one."""
    if "seed" in metafunc.fixturenames:
        first = metafunc.config.getoption("--seed")
        count = LONG_REPETITIONS if metafunc.config.getoption("--long") else REPETITIONS
        metafunc.parametrize("seed", [first + index for index in range(count)])


@pytest.fixture(autouse=True)
def _needs(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests marked with a program run where it is installed; in CI its absence is a failure, not a skip."""
    for name, program in PROGRAMS.items():
        if request.node.get_closest_marker(name) and not shutil.which(program):
            if os.environ.get("CI") == "true":
                pytest.fail(f"{name} is not installed")
            pytest.skip(f"{name} is not installed: script/test installs it on Debian as root")
    yield


@pytest.fixture(autouse=True)
def _leaves_scheduling_alone() -> Iterator[None]:
    """What a test or a library does to the priority of this thread, all that is started later has, too."""
    before = scheduling()
    yield
    assert scheduling() == before, "this test, or a library it uses, has changed the priority of its thread"

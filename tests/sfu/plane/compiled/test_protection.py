"""SRTP of our own: no number twice, whoever numbers; and libsrtp where there is no OpenSSL to be found."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from sfu.plane import openssl
from sfu.plane.interface import PlaneConfig
from tests.support.planes import PLANES, Scene
from tests.support.rtp import PROFILES, VIDEO, VideoSource

ROOT = Path(__file__).parents[4]
WINDOW = PlaneConfig().srtp_window
DOOR = """
from sfu.plane.compiled.spent cimport SpentNumbers, spend

cdef class Spent:
    cdef SpentNumbers spent

    def spend(self, number):
        return bool(spend(&self.spent, number))
"""
BUILD = """
import sys
from Cython.Build import cythonize
from setuptools import Extension, setup
extension = Extension("spent_door", ["spent_door.pyx"], extra_compile_args=["-O0"])
# As setup.py has it
built = cythonize(extension, include_path=[sys.argv[1]], compiler_directives={"language_level": 3, "cdivision": True})
setup(name="door", ext_modules=built, script_args=["build_ext", "--inplace"])
"""


class Spent(Protocol):
    def spend(self, number: int) -> bool: ...


@pytest.fixture(scope="module")
def spent_class(tmp_path_factory: pytest.TempPathFactory) -> type[Spent]:
    """`spent.pxd` with a door for Python, which the plane has no use for."""
    folder = tmp_path_factory.mktemp("spent")
    (folder / "spent_door.pyx").write_text(DOOR)
    subprocess.run([sys.executable, "-c", BUILD, str(ROOT)], cwd=folder, check=True, capture_output=True)
    (built,) = folder.glob("spent_door*.so")
    spec = importlib.util.spec_from_file_location("spent_door", built)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: type[Spent] = module.Spent
    return found


steps = st.one_of(
    st.integers(1, 3),  # in order, or nearly
    st.integers(-3, 0),
    st.integers(-WINDOW - 2, -WINDOW + 2),
    st.integers(-WINDOW, WINDOW),
    st.integers(WINDOW - 2, WINDOW + 2),
    st.integers(1, 1 << 20),
)


@settings(max_examples=500, deadline=None)
@given(first=st.one_of(st.integers(0, 70_000), st.just((1 << 48) - 500)), script=st.lists(steps, max_size=200))
def test_each_number_once_and_none_that_is_too_old(spent_class: type[Spent], first: int, script: list[int]) -> None:
    spent, used, newest = spent_class(), {first}, first
    assert spent.spend(first) and not spent.spend(first)
    for step in script:
        number = newest + step
        may = number not in used and number > newest - WINDOW and 0 <= number < 1 << 48
        assert spent.spend(number) is may, (number, newest)
        if may:
            used.add(number)
            newest = max(newest, number)


def test_no_number_is_outside_of_srtps_48_bits(spent_class: type[Spent]) -> None:
    spent = spent_class()
    assert [spent.spend(number) for number in (-1, 1 << 48, (1 << 48) - 1)] == [False, False, True]


def test_the_wheel_has_the_ciphers() -> None:
    found = openssl.function_addresses()
    assert found is not None and len(set(found)) == len(openssl.FUNCTIONS) and 0 not in found


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_without_them_libsrtp_makes_the_same_bytes(monkeypatch: pytest.MonkeyPatch, profile: str) -> None:
    def datagrams() -> list[bytes]:
        scene, source = Scene(PLANES["compiled"], VIDEO, profile=profile), VideoSource(ssrc=33)
        scene.subscribe()
        packets = [packet for turn in range(20) for packet in source.frame(3, key=turn == 0)]
        batch = [scene.publisher.protect(packet) for packet in packets]
        return [datagram.payload for datagram in scene.plane.on_datagrams(batch, scene.now)]

    ours = datagrams()
    monkeypatch.setattr(openssl, "FUNCTIONS", (*openssl.FUNCTIONS, "not_there"))
    assert openssl.function_addresses() is None
    assert datagrams() == ours != []

"""What Cython made of our extensions compiles for the other processor that servers have."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
EXTENSIONS = ("sfu/plane/compiled/_plane", "sfu/core/estimation/compiled/_loops")


@pytest.mark.aarch64
@pytest.mark.parametrize("extension", EXTENSIONS)
def test_compiles_for_aarch64(extension: str, tmp_path: Path) -> None:
    # As setup.py, but for the optimiser; this machine's pyconfig.h will do: both have the same sizes of everything.
    flags = ("-DPy_LIMITED_API=0x030B0000", "-D_GNU_SOURCE", "-ffp-contract=off", "-Wno-unused-function")
    include = "-I" + sysconfig.get_paths()["include"]
    to = tmp_path / "out.o"
    command = ["aarch64-linux-gnu-gcc", "-c", "-O1", *flags, include, str(ROOT / f"{extension}.c"), "-o", str(to)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert to.read_bytes()[18:20] == b"\xb7\x00", "ELF's number for it"

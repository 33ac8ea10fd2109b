"""The table of QUALITY.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from sfu.core import quality


def rows(what: str) -> list[tuple[str, float, str]]:
    """What is given, the score, its cause."""
    page = (Path(quality.__file__).parent / "QUALITY.md").read_text()
    found = re.findall(rf"^\| {what} \| (.+) \| (\d\.\d\d) \| (\w+) \|$", page, re.MULTILINE)
    assert len(found) > 10
    return [(given, float(score), cause) for given, score, cause in found]


def numbers_after(word: str, given: str) -> list[float]:
    found = re.search(rf"\b{word}((?: [\d./]+)+)", given)
    return [] if found is None else [float(one) for one in re.split("[ /]", found[1].strip())]


def nearly(value: float, within: float = 0.01) -> Any:
    """In place of a score's value."""
    return pytest.approx(value, abs=within)

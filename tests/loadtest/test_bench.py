"""The micro-benchmarks run, and two revisions are compared run by run."""

from __future__ import annotations

import pytest

from loadtest import bench
from loadtest.bench_cases import CASES


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("plane")])
def test_every_case_can_be_called_again_and_again(name: str) -> None:
    call = CASES[name]()
    call()
    assert call() is not None


def test_cases_that_a_revision_does_not_know_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ImportError

    monkeypatch.setattr(bench, "CASES", {"wire: new": missing, "wire: old": lambda: int})
    monkeypatch.setattr(bench, "BATCH_S", 1e-5)
    figures = bench.run_cases("wire")
    assert figures.keys() == {"wire: old"}
    assert figures["wire: old"] > 0


def test_revisions_are_compared_by_neighbouring_runs() -> None:
    """The machine became twice as slow in between; the ratio did not change."""
    ours = [{"a": 110.0, "b": 5.0}, {"a": 220.0, "b": 5.0}]
    theirs = [{"a": 100.0}, {"a": 200.0}]
    head, a, b = bench.comparison(ours, theirs, "0123456789abcdef0123").splitlines()
    assert "0123456789abcdef " in head
    assert a.split() == ["a", "150", "ns", "165", "ns", "1.10", "(1.10,", "1.10)"]
    assert b.split() == ["b", "–", "5", "ns"]

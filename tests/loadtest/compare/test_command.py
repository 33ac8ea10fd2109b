"""Arguments of `sfu loadtest compare`, and the order of runs."""

from __future__ import annotations

import argparse

import pytest

from loadtest.compare.command import add_arguments, order_of_runs


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(arguments)


def test_runs_are_interleaved_within_each_table() -> None:
    parsed = parse("--servers=ours,janus", "--subscribers=5", "--meeting=3", "--srtp=gcm", "--runs=2")
    assert [str(task) for task in order_of_runs(parsed)] == [
        "ours, 1 → 5, gcm, run 1",
        "janus, 1 → 5, gcm, run 1",
        "ours, 1 → 5, gcm, run 2",
        "janus, 1 → 5, gcm, run 2",
        "ours, 3 × 3 meeting, gcm, run 1",
        "janus, 3 × 3 meeting, gcm, run 1",
        "ours, 3 × 3 meeting, gcm, run 2",
        "janus, 3 × 3 meeting, gcm, run 2",
    ]


def test_traffics_can_be_left_out_and_the_top_rate_added() -> None:
    parsed = parse("--servers=pion", "--subscribers=5", "--meeting=0", "--srtp=cm", "--runs=1", "--top")
    assert [str(task) for task in order_of_runs(parsed)] == [
        "pion, 1 → 5, cm, run 1",
        "pion, top rate, 1 → 5, cm, run 1",
    ]


@pytest.mark.parametrize("argument", ["--servers=ours,medooze", "--srtp=null", "--servers="])
def test_unknown_names_are_refused(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(argument)
    assert "is not one of" in capsys.readouterr().err

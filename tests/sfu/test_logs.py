"""Log lines for programs."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from sfu.logs import JsonFormatter


def line(message: str, *args: object, worker: int | None = None, error: bool = False) -> Any:
    record = logging.LogRecord(
        "signaling.x", logging.INFO, __file__, 1, message, args, sys.exc_info() if error else None
    )
    text = JsonFormatter(worker).format(record)
    assert "\n" not in text
    return json.loads(text)


def test_a_line_is_json_and_its_words_are_fields() -> None:
    said = line("joined room=%s identity=%s: done\n%s", "standup", "ada", "ü", worker=2)
    assert said["message"] == "joined room=standup identity=ada: done\nü"
    assert said["fields"] == {"room": "standup", "identity": "ada"}
    assert (said["level"], said["logger"], said["worker"]) == ("info", "signaling.x", 2)
    assert said["time"].endswith("+00:00")


def test_a_traceback_stays_on_the_line() -> None:
    try:
        raise ValueError("no")
    except ValueError:
        assert "ValueError: no" in line("an error", error=True)["exception"]

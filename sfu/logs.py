"""How log lines look: as text for people, or as JSON for programs that collect them. One line per record either way."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

LogFormat = Literal["text", "json"]


def set_up(level: str, log_format: LogFormat, worker: int | None = None) -> None:
    """Once per process. `level` of Python's logging: "INFO". `worker`: which of them it is, for each line."""
    who = "" if worker is None else f"worker={worker} "
    text = logging.Formatter(f"%(asctime)s %(levelname)-7s {who}%(name)s: %(message)s")
    to_stderr = logging.StreamHandler(sys.stderr)
    to_stderr.setFormatter(JsonFormatter(worker) if log_format == "json" else text)
    logging.basicConfig(level=level, handlers=[to_stderr])


class JsonFormatter(logging.Formatter):
    """`time`, `level`, `logger`, `message`, and `exception` where there is one. A message's `key=value` words are keys,
    too, in `fields`: what is written for people can be searched by programs."""

    def __init__(self, worker: int | None = None) -> None:
        super().__init__()
        self._always: dict[str, object] = {} if worker is None else {"worker": worker}

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        line: dict[str, object] = self._always | {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message,
        }
        if fields := _fields(message):
            line["fields"] = fields
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _fields(message: str) -> dict[str, str]:
    words = (word.partition("=") for word in message.split() if "=" in word)
    return {name: value.rstrip(":,") for name, _, value in words if name.isidentifier()}

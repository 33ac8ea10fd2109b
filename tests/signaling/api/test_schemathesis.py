"""Requests made up from the document, good and bad ones, against a server with people in it: none is answered otherwise
than the document says, and none is an error of ours."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

from tests.signaling.api.calling import KEY, present
from tests.signaling.servers import serving

# Each run makes the same requests, so that what fails in CI fails at home.
SEED = 20
EXAMPLES = 3  # per operation and phase
# `stateful` makes things, and goes along the document's links to all that can be done with them. What it would guess
# itself is that `id` is what stands in addresses, which of rooms is the name. Retiring a key ends it and is no DELETE;
# and what is by the name of a room outlives the room.
SETTINGS = """
[phases.stateful]
inference.algorithms = ["location-headers"]
generation.max-examples = 25

[[operations]]
include-name = "POST /v1/keys/{key}/retire"
phases.stateful.enabled = false

[[operations]]
include-path-regex = "/rooms/{room}/(events|bans|recordings|tokens)"
checks.use_after_free.enabled = false
"""
# A second request with the key of the first is answered what that was, though the thing may have been deleted since.
HOOKS = """
import schemathesis

@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta.phase.name.value == "stateful":
        case.headers.pop("Idempotency-Key", None)
"""
CHAINED = 5  # links, at least; 10 to 20 of 33 are followed, as chance has it
GIVE_UP_AFTER_S = 300.0


async def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    async with serving() as server, present(server, "ada", "eve", room="standup"):
        arguments = [
            f"{server.url}/v1/openapi.json",
            *("--header", f"Authorization: Bearer {KEY}"),
            # A version made up is always another than the thing has.
            *("--header", "If-Match: *"),
            *("--checks", "all"),
            *("--max-examples", str(EXAMPLES)),
            "--generation-deterministic",
            *("--seed", str(SEED)),
            *("--workers", "1"),
            *("--suppress-health-check", "all"),
            # Streams do not end. WHIP and WHEP are by their RFC: what is no method of theirs is answered too, and SDP
            # cannot be made up. They have tests of their own (whip/test_endpoints.py, test_examples.py).
            *("--exclude-path-regex", "/stream$|/wh[ie]p/"),
            "--no-shrink",
            "--continue-on-failure",
        ]
        (tmp_path / "schemathesis.toml").write_text(SETTINGS)
        (tmp_path / "hooks.py").write_text(HOOKS)
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            *arguments,
            cwd=tmp_path,
            env={**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(tmp_path)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), GIVE_UP_AFTER_S)
        except TimeoutError:
            process.kill()
            raise
        assert process.returncode == 0, output.decode()
        followed = re.search(rb"API Links: +(\d+) covered", output)
        assert followed is not None and int(followed[1]) >= CHAINED, output.decode()

"""Requests made up from the document, good and bad ones, against a server with people in it: none is answered otherwise
than the document says, and none is an error of ours."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.signaling.api.calling import KEY, present
from tests.signaling.servers import serving

# Each run makes the same requests, so that what fails in CI fails at home.
SEED = 20
# Per operation and phase. `stateful`, which chains operations, takes as long as the other three together; chains have
# their own tests.
EXAMPLES = 3
PHASES = "examples,coverage,fuzzing"
GIVE_UP_AFTER_S = 300.0


async def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    async with serving() as server, present(server, "ada", "eve", room="standup"):
        arguments = [
            f"{server.url}/v1/openapi.json",
            *("--header", f"Authorization: Bearer {KEY}"),
            # A version made up is always another than the thing has.
            *("--header", "If-Match: *"),
            *("--checks", "all"),
            *("--phases", PHASES),
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
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            *arguments,
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), GIVE_UP_AFTER_S)
        except TimeoutError:
            process.kill()
            raise
        assert process.returncode == 0, output.decode()

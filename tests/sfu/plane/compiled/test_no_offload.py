"""An interface that takes GSO sends and then fails with EIO: made here of a library in front of the kernel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

REFUSING = """
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
    unsigned int plain = 0;
    while (plain < count && !messages[plain].msg_hdr.msg_controllen)
        plain++;
    if (plain || !count)
        return syscall(SYS_sendmmsg, fd, messages, plain, flags);
    fputs("refused\\n", stderr);
    errno = EIO;
    return -1;
}
"""
SCRIPT = """
    from tests.support.stage import Stage
    with Stage() as stage:
        subscriber = stage.subscribe(100)
        stage.send(*(packet for index in range(20) for packet in stage.source.frame(key=index == 0)))
        subscriber.take(20)
        for second in (1.0, 2.0):
            assert stage.plane.retransmit(100, range(100, 120), second) == 20
            taken = subscriber.take(20)
            assert [received.header.ssrc for received in taken] == [7001] * 20
        counters = stage.plane.counters
        assert (counters.sent_datagrams, counters.dropped) == (60, {}), counters
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_runs_are_sent_singly_and_never_tried_again(tmp_path: Path) -> None:
    (tmp_path / "refusing.c").write_text(REFUSING)
    library = tmp_path / "refusing.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, tmp_path / "refusing.c"], check=True)
    before = os.environ.get("LD_PRELOAD", "")
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT)],
        env=os.environ | {"LD_PRELOAD": f"{before} {library}".strip()},
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("refused") == 1

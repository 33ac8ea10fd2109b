"""CPU time and memory of processes, as the kernel counts them."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from loadtest.machine import read_machine
from loadtest.usage import Usage, cpu_s, read_usage, receive_buffer_errors, thread_cpu_s, tree

# Works for 50 ms in a thread with a name, and waits then, with a child that waits too.
PROGRAM = """
import ctypes, subprocess, sys, threading, time
def work():
    ctypes.CDLL(None).prctl(15, b"sfu-plane", 0, 0, 0)
    begin = time.thread_time()
    while time.thread_time() - begin < 0.05: pass
    print("ready", flush=True)
    time.sleep(60)
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
threading.Thread(target=work, daemon=True).start()
sys.stdin.read()
child.communicate()
"""


def test_counts_a_process_with_its_children_and_the_planes_thread_apart() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        used = read_usage(process.pid)
        assert len(list(tree(process.pid))) == 2
        assert 0.05 <= used.plane_s <= used.server_s
        assert used.rss_kb > 5000
        assert thread_cpu_s(process.pid, "nobody") == 0
        process.communicate()


def test_a_server_elsewhere_uses_nothing_here() -> None:
    used = read_usage(None)
    assert (used.server_s, used.rss_kb) == (0, 0)
    assert used.own_s > 0


def test_cpu_time_of_this_process_is_what_python_says() -> None:
    before = time.process_time()
    assert before <= cpu_s(os.getpid()) <= time.process_time()


def test_what_others_took_is_what_is_left_of_the_machine() -> None:
    window = Usage(20.0, 2.0, 0.75, 3.0, 23.0, 5).since(Usage(10.0, 1.0, 0.5, 2.0, 20.0, 1))
    assert window == Usage(10.0, 1.0, 0.25, 1.0, 3.0, 5)
    assert window.foreign == pytest.approx(0.1)


def test_the_machine_is_named() -> None:
    machine = read_machine()
    assert machine.cpu
    assert f"{machine.cores} core" in str(machine)
    assert receive_buffer_errors() >= 0

"""Commands that go on by themselves: none is ended in the place of another."""

import os
import subprocess
import sys
import time

import pytest

from vitok.store import detached
from vitok.store.locks import take

GONE = 2**22 + 1  # greater than any process has on Linux


def test_command_runs_once_and_ends_on_request(tmp_path):
    sleeping = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)"]
    assert detached.start(tmp_path, sleeping)
    assert not detached.start(tmp_path, sleeping)
    until = time.monotonic() + 20
    while not detached.output(tmp_path):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert detached.is_running(tmp_path)
    detached.end(tmp_path)
    while detached.is_running(tmp_path):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert detached.output(tmp_path) == b"here\n"


def test_number_of_an_earlier_process_is_forgotten_before_the_next_begins(tmp_path, monkeypatch):
    (tmp_path / "process").write_text(str(GONE))

    def refuse(*words, **settings):
        assert not (tmp_path / "process").exists()
        raise OSError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(OSError, match="no more processes"):
        detached.start(tmp_path, ["true"])
    assert not detached.is_running(tmp_path)


def test_command_that_ended_just_now_needs_no_end(tmp_path):
    lock = take(tmp_path / "running")
    (tmp_path / "process").write_text(str(GONE))
    detached.end(tmp_path)
    os.close(lock)

import os
import subprocess
import sys

import pytest

from vitok.errors import Busy
from vitok.store.locks import hold

_HOLD = "import sys, time; from pathlib import Path; from vitok.store.locks import hold\n"
_HOLD += "with hold(Path(sys.argv[1]), 'work'): print('held', flush=True); time.sleep(60)"


def test_second_holder_is_told_who_holds_it(tmp_path):
    path = tmp_path / "deep" / "x.lock"
    with (
        hold(path, "vitok run"),
        pytest.raises(Busy, match=f"process {os.getpid()}"),
        hold(path, "vitok run"),
    ):
        pass
    with hold(path, "vitok run"):
        pass


def test_lock_of_a_killed_process_is_free(tmp_path):
    path = tmp_path / "x.lock"
    with subprocess.Popen([sys.executable, "-c", _HOLD, str(path)], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(Busy, match=str(other.pid)), hold(path, "work"):
            pass
        other.kill()
    with hold(path, "work"):
        pass

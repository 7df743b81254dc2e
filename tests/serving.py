"""A real data plane in its own processes, for tests and benches."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil

_RUN = "import sys; from pathlib import Path; from vitok.serve.server import reserve_grpc, run_server; "
_RUN += "grpc = reserve_grpc('127.0.0.1', int(sys.argv[4])) if len(sys.argv) > 4 else None; "
_RUN += "run_server(Path(sys.argv[1]), port=int(sys.argv[2]), workers=int(sys.argv[3]), grpc=grpc)"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Server:
    """A running server.

    Args:
        seconds: How long it took from the start of the process to the first answer that it is ready.
    """

    def __init__(
        self, process: "subprocess.Popen[bytes]", port: int, seconds: float, grpc_port: int | None
    ) -> None:
        self.process = process
        self.port = port
        self.seconds = seconds
        self.grpc_port = grpc_port
        self.url = f"http://127.0.0.1:{port}"

    def workers(self) -> list[psutil.Process]:
        """The processes that answer (the supervisor's children that run Python's spawn)."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):  # a zombie, or gone
                if "spawn_main" in " ".join(child.cmdline()):
                    found.append(child)
        return found


@contextmanager
def running(
    project: Path, workers: int = 1, ready: bool = True, log: Path | None = None, grpc: bool = False
) -> Iterator[Server]:
    """Starts a server, waits until it is ready, and stops it at the end."""
    port, grpc_port = free_port(), free_port() if grpc else None
    started = time.perf_counter()
    with (log or Path(os.devnull)).open("wb") as output:
        command = [sys.executable, "-c", _RUN, str(project), str(port), str(workers)]
        command += [] if grpc_port is None else [str(grpc_port)]
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            seconds = _wait(process, port, "ready" if ready else "live", started)
            yield Server(process, port, seconds, grpc_port)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: "subprocess.Popen[bytes]", port: int, state: str, started: float) -> float:
    with httpx.Client() as client:
        while time.perf_counter() - started < 30:
            if process.poll() is not None:
                raise RuntimeError(f"the server ended with {process.returncode}")
            try:
                if client.get(f"http://127.0.0.1:{port}/v2/health/{state}").status_code == 200:
                    return time.perf_counter() - started
            except httpx.TransportError:
                time.sleep(0.02)
    raise RuntimeError("the server did not become ready")

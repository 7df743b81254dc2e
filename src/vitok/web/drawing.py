"""The script that draws pictures: made once by the library that has it, and kept beside the project's state."""

import asyncio
import sys
from importlib.metadata import version
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from vitok.store.blobs import write_atomically
from vitok.web.door import HEADERS

_WRITE = "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle().encode())"
_DAY = 86400


class Drawing:
    """Vega-Lite for browsers.

    Args:
        folder: The project's `.vitok`.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "static" / f"vega-{version('vl-convert-python')}.js"
        self._making = asyncio.Lock()

    async def script(self, request: Request) -> Response:
        """The script; the first to ask waits some seconds until it is made, by a process of its own."""
        async with self._making:
            if not self._path.is_file() and not await self._make():
                error = {"error": "the script for pictures cannot be made; see the server's log"}
                return JSONResponse(error, 503, headers=HEADERS)
        headers = {**HEADERS, "Cache-Control": f"private, max-age={_DAY}"}
        return FileResponse(self._path, media_type="text/javascript", headers=headers)

    async def _make(self) -> bool:
        maker = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _WRITE, stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL
        )
        content, _ = await maker.communicate()
        if maker.returncode == 0 and content:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, content)
        return self._path.is_file()

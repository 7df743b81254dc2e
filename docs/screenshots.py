"""Pictures of every page, for `docs/pages`: `make screenshots` after `make demo`.

Each page in the light on a wide screen; the first ones also in the dark and on a phone. What has an error in its
console or asks another host stops the work, so that no picture of a broken page gets here.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

PAGES = Path(__file__).parent / "pages"
SHOWN = {
    "overview": "/", "performance": "/performance", "drift": "/drift", "infrastructure": "/infrastructure",
    "business": "/business", "alerts": "/alerts", "incidents": "/incidents", "incident": "/incidents/1",
    "approvals": "/approvals", "approval": "/approvals/r1", "releases": "/releases", "roll-out": "/releases/4",
    "turns": "/turns", "turn": "/turns/18", "models": "/models", "model": "/models/19",
    "compare": "/models/compare?a=18&b=19", "data": "/data", "charter": "/charter", "replay": "/replay",
    "audit": "/audit",
}  # fmt: skip
ALSO = ("overview", "performance", "releases", "turns")
LONGEST_SECONDS = 600.0
HIGHEST = 1000  # pixels of a picture


def take(page: Page, url: str, name: str) -> None:
    """One picture of one page."""
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request", lambda asked: None if asked.url.startswith((url, "data:")) else wrong.append(asked.url)
    )
    page.goto(url + SHOWN[name.partition(".")[0]])
    for place in page.query_selector_all(".drawing"):
        place.wait_for_selector("svg")
    page.wait_for_timeout(300)
    high = page.evaluate("document.documentElement.scrollHeight")
    size = page.viewport_size or {"width": 1280, "height": 900}
    page.set_viewport_size({"width": size["width"], "height": min(high, HIGHEST)})
    page.screenshot(path=PAGES / f"{name}.png")
    page.set_viewport_size(size)
    if wrong:
        raise SystemExit(f"{name}: {wrong}")


def wait_until_reckoned(url: str) -> None:
    """Figures that the server reckons beside its pages are there before a picture is taken."""
    end = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < end:
        found = [
            json.load(urllib.request.urlopen(f"{url}/api/{name}"))
            for name in ("drift", "business", "charter")
        ]
        kept = [found[0], found[1]["earned"], found[1]["roi"], found[2]["plan"], found[2]["maturity"]]
        if all(each["current"] for each in kept):
            return
        time.sleep(1)
    raise SystemExit(f"figures were not reckoned in {LONGEST_SECONDS:.0f} s")


def main(project: Path, at: str) -> None:
    """Serves the project and takes all pictures."""
    browser = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
    if browser is None:
        raise SystemExit("no browser is here: apt-get install chromium")
    PAGES.mkdir(exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "vitok.cli",
        "pages",
        "--project",
        str(project),
        "--at",
        at,
        "--port",
        "8791",
    ]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    print(server.stderr.readline().strip())
    url = "http://127.0.0.1:8791"
    try:
        wait_until_reckoned(url)
        with sync_playwright() as driver:
            found = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            wide = {"width": 1280, "height": 900}
            for name in SHOWN:
                take(found.new_page(viewport=wide), url, name)
            for name in ALSO:
                take(found.new_page(viewport=wide, color_scheme="dark"), url, f"{name}.dark")
                phone = {"width": 390, "height": 844}
                take(found.new_page(viewport=phone, color_scheme="light"), url, f"{name}.phone")
            found.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("--at", default="2014-01-02T08:00:00Z")
    arguments = parser.parse_args()
    main(arguments.project, arguments.at)

"""`vitok report`: the project for one kind of reader, as a file."""

import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from vitok.cli.files import require_file, write_file
from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show
from vitok.errors import Fault, UserMistake, did_you_mean
from vitok.loop.keep import collect
from vitok.loop.reports import READERS, Reader, project_report
from vitok.web.language import LANGUAGES
from vitok.web.report import report_html
from vitok.wire import open_project

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 120
_Locale = Literal["en-US", "uk-UA", "ru-RU"]
_LOCALES: dict[str, _Locale] = {
    "en": "en-US",
    "uk": "uk-UA",
    "ru": "ru-RU",
}  # names of how pictures write days


def report(
    reader: Annotated[str, typer.Option("--for", metavar="READER", help="owner, engineer or auditor.")],
    language: Annotated[str, typer.Option("--lang", metavar="LANGUAGE", help="en, uk or ru.")] = "en",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="FILE.html, or FILE.pdf with Chromium. Default: READER.html.",
        ),
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Writes what one kind of reader wants to know as a file that needs no server: the figures of the pages."""
    chosen = _chosen(reader)
    if language not in LANGUAGES:
        raise UserMistake("--lang", f"{language!r} is not known", f"Write one of {', '.join(LANGUAGES)}.")
    path = output or Path(f"{reader}.html")
    browser = _require(path)
    opened = open_project(project, say=say)
    collect(opened)
    draw = partial(_draw, locale=_LOCALES[language])
    html = report_html(project_report(opened, chosen), language, draw)
    content = html.encode() if browser is None else _pdf(html, browser)
    write_file("--output", path, content)
    found = {"file": str(path), "for": reader, "language": language, "bytes": len(content)}
    show(as_json, found, f"{path}: the report for the {reader}, {len(content) // 1024} KB")


def _chosen(reader: str) -> Reader:
    for known in READERS:
        if reader == known:
            return known
    remedy = f"{did_you_mean(reader, READERS)}Write one of {', '.join(READERS)}."
    raise UserMistake("--for", f"{reader!r} is no reader", remedy)


def _require(path: Path) -> str | None:
    """Checks the name before the work starts; gives the browser that a PDF needs."""
    require_file("--output", path, "report", (".html", ".pdf"))
    if path.suffix.lower() == ".html":
        return None
    browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        remedy = "Install it (Debian: apt-get install chromium), or write FILE.html and print that."
        raise UserMistake("--output", "a PDF needs Chromium, which is not here", remedy)
    return browser


def _draw(spec: dict[str, object], locale: _Locale) -> str:
    import vl_convert  # slow to import

    return str(vl_convert.vegalite_to_svg(spec, format_locale=locale, time_format_locale=locale))


def _pdf(html: str, browser: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "report.html"), Path(folder, "report.pdf")
        source.write_text(html, encoding="utf-8")
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
        command += [f"--user-data-dir={folder}/profile", f"--print-to-pdf={target}", source.as_uri()]
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
        if not target.is_file():
            said = done.stderr.decode("utf-8", "replace").strip()[-200:]
            raise Fault("Chromium", f"wrote no PDF: {said}", "Write FILE.html and print that.")
        return target.read_bytes()


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok report --for owner --lang uk -o report.html")(report)

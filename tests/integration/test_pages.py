"""The pages of watching: the same figures as the commands print, in three languages, and nothing that runs."""

import asyncio
import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from browsers import Server
from jinja2 import Environment
from sqlalchemy import delete, insert, update

from commands import COMMAND, run_vitok
from rollouts import START, two_versions
from vitok.kernel.clock import VirtualClock
from vitok.loop.control import Control
from vitok.loop.links import Links
from vitok.loop.performance import project_performance
from vitok.loop.reports import READERS, project_report
from vitok.loop.standing import FIGURES, reckon_due, standing
from vitok.loop.turn import LOCK
from vitok.store.locks import hold
from vitok.store.schema import turns, versions
from vitok.web import app as web_app
from vitok.web.app import create_pages
from vitok.web.language import FOLDER, LANGUAGES, Writing
from vitok.web.navigation import NAVIGATION
from vitok.web.places import DEEDS, PLACES
from vitok.web.report import report_html

SECRET = b"a secret of the tests"
WEB = Path(web_app.__file__).parent
PATHS = [entry.path for _, entries in NAVIGATION for entry in entries]


def two_with_summaries(folder):
    """A project with one version in production and another accepted."""
    (folder / "expectations.yaml").write_text("columns: {}\n")
    made = two_versions(folder, VirtualClock(START))
    summary = {"algorithm": "linear", "test_rows": 900, "left_out": {}, "not_features": {}}
    with made.engine.begin() as connection:
        connection.execute(update(versions).values(summary=summary))
    return made


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return two_with_summaries(tmp_path_factory.mktemp("pages"))


def ask(project, path, method="GET", **how):
    """One request by whoever is at this machine."""

    async def work():
        pages = create_pages(Control(project, lambda: SECRET), Links(project, lambda: SECRET))
        transport = httpx.ASGITransport(pages)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.request(method, path, **how)

    return asyncio.run(work())


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/api/status", ["status"]),
        ("/api/turns", ["turns"]),
        ("/api/alerts", ["alerts"]),
        ("/api/approvals", ["approvals"]),
        ("/api/incidents", ["incidents"]),
        ("/api/audit", ["audit"]),
    ],
)
def test_what_a_page_shows_is_what_the_command_prints(project, path, words):
    shown, printed = ask(project, path).json(), run_vitok(*words, "--project", project.folder).json
    assert {name: shown[name] for name in printed if name in shown} == printed


def test_kept_figures_are_those_of_the_commands_and_new_when_their_basis_changes(project):
    assert standing(project, "risks") == {
        "figure": None,
        "refused": None,
        "reckoned": None,
        "current": False,
    }
    assert set(reckon_due(project)) == set(FIGURES)
    assert reckon_due(project) == []
    found = standing(project, "risks")
    assert found["current"]
    assert found["figure"] == run_vitok("risks", "--project", project.folder).json
    assert ask(project, "/api/business").json()["risks"] == found
    assert standing(project, "drift")["refused"]["remedy"]
    whole = ask(project, "/api/performance?period=all").json()
    assert whole["period"] == "all"
    kept = standing(project, "performance, all")["figure"]
    assert {name: whole[name] for name in kept} == kept == project_performance(project, period="all")
    project.clock.move_to(project.clock() + timedelta(hours=1))
    assert set(reckon_due(project)) == set(FIGURES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_page_answers_in_each_language(project, language):
    for path in PATHS:
        answer = ask(project, path, headers={"cookie": f"vitok_language={language}"})
        assert answer.status_code == 200, (path, answer.text)
        assert f'<html lang="{language}">' in answer.text
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert "<script>" not in answer.text
        assert not re.search(r" (on\w+|style)=", answer.text), path


def texts():
    """Every text that the catalogues must have."""
    methods = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
    options = {"**/templates/**.html": {"trimmed": "true", "silent": "false"}}
    keywords = {"_": None, "gettext": None, "ngettext": (1, 2)}
    found = extract_from_dir(WEB, methods, options, keywords=keywords)
    return {text if isinstance(text, str) else tuple(text) for _, _, text, _, _ in found}


@pytest.mark.parametrize("language", ["uk", "ru"])
def test_no_text_is_missing_in_a_catalogue_and_each_names_the_same_values(language):
    """`make locale` takes new texts in, and compiles."""
    path = FOLDER / language / "LC_MESSAGES" / "vitok.po"
    with path.open("rb") as file:
        known = read_po(file, locale=language)
    said = {each.id: each.string for each in known if each.id}
    assert not sorted(map(str, texts() - said.keys()))
    assert not [text for text in texts() if not all(_forms(said[text]))]
    for text, translated in said.items():
        plain = text if isinstance(text, str) else text[-1]
        wanted = set(re.findall(r"%\((\w+)\)", plain))
        for form in _forms(translated):
            assert set(re.findall(r"%\((\w+)\)", form)) == wanted, (text, form)
            assert ("%%" in form) == ("%%" in plain), (text, form)


@pytest.mark.parametrize("language", ["uk", "ru"])
def test_what_is_compiled_is_what_is_written(language, tmp_path):
    folder = FOLDER / language / "LC_MESSAGES"
    with (folder / "vitok.po").open("rb") as file:
        known = read_po(file, locale=language)
    with (tmp_path / "vitok.mo").open("wb") as file:
        write_mo(file, known)
    assert (tmp_path / "vitok.mo").read_bytes() == (folder / "vitok.mo").read_bytes()


def _forms(said):
    return said if isinstance(said, tuple) else (said,)


@pytest.mark.parametrize(
    ("language", "figure", "share", "day", "span"),
    [
        ("en", "0.6653", "0.22%", "1 Mar 2013", "5 days"),
        ("uk", "0,6653", "0,22%", "1 бер. 2013", "5 днів"),
        ("ru", "0,6653", "0,22%", "1 мар. 2013", "5 дней"),
    ],
)
def test_figures_and_days_are_written_as_the_language_does(language, figure, share, day, span):
    writing = Writing(language)
    assert writing.figure(0.66529862) == figure
    assert writing.share(0.0022) == share
    assert writing.day("2013-03-01T00:00:00Z") == day
    assert writing.span(5 * 86400) == span
    assert writing.figure(None) == writing.day(None) == writing.share(None) == "–"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        ("/turns/99", 404),
        ("/turns/" + "9" * 400, 404),
        ("/turns/%3Cscript%3E", 404),
        ("/models/none", 404),
        ("/incidents/0", 404),
        ("/performance?metric=nope", 400),
        ("/performance?period=decade", 400),
        ("/audit?since=yesterday", 400),
        ("/audit?actor=" + "x" * 3000, 400),
        ("/replay/..%2f..%2fetc", 404),
    ],
)
def test_an_address_that_makes_no_sense_is_a_page_that_says_so(project, path, status):
    answer = ask(project, path, headers={"accept": "text/html"})
    assert answer.status_code == status, answer.text
    assert "<h1>" in answer.text
    assert "<script>" not in answer.text
    told = ask(project, f"/api{path}")
    assert told.status_code == status
    assert told.json()["error"]


def test_a_turn_that_runs_shows_how_far_it_is_by_those_before_it(project):
    now = project.clock()
    plain = {
        "as_of": now, "trigger": "by hand", "stage": "data", "charter": "c", "data": {}, "seconds": {},
        "message": "", "actor": "ada", "quick": True, "pins": {},
    }  # fmt: skip
    before = {
        "id": "a",
        "number": 7,
        "started": now - timedelta(seconds=200),
        "state": "accepted",
        "version": 1,
    }
    running = {"id": "b", "number": 8, "started": now - timedelta(seconds=25), "state": "running"}
    with project.engine.begin() as connection:
        ended = {"ended": now - timedelta(seconds=100)}
        connection.execute(insert(turns).values(**plain, **before, **ended))
        connection.execute(insert(turns).values(**plain, **running))
    with hold(project.state / LOCK, "test"):
        assert ask(project, "/api/turns/8").json()["progress"] == {"share": 0.25, "seconds_left": 75.0}
        assert 'value="0.25"' in ask(project, "/turns/8").text
    assert ask(project, "/api/turns/8").json()["progress"] is None  # nobody works at it
    with project.engine.begin() as connection:
        connection.execute(delete(turns).where(turns.c.number.in_((7, 8))))


def test_a_form_goes_on_to_its_page_and_says_there_once_what_was_done(project):
    answer = ask(project, "/turns", "POST", data={"reason": "new rows"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/turns")
    cookies = {"cookie": f"vitok_said={answer.cookies['vitok_said']}"}
    page = ask(project, "/turns", headers=cookies)
    assert "A turn is asked for" in page.text
    assert 'vitok_said=""' in page.headers["set-cookie"]
    assert ask(project, "/turns", "POST", data={}, headers={"origin": "http://evil"}).status_code == 403
    assert ask(project, "/replay", "POST", data={}).status_code == 400
    assert ask(project, "/people/keys", "POST", data={"name": "k", "scopes": "fly"}).status_code == 400


def test_a_key_is_told_once_and_acts_only_for_whoever_makes_it(project):
    answer = ask(project, "/people/keys", "POST", data={"name": "shop", "scopes": "predict"})
    assert re.search(r"vitok_[\w-]{43}", answer.text)
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"vitok_[\w-]{43}", ask(project, "/people").text)
    assert ask(project, "/people/keys/shop/revoke", "POST").status_code == 303


def test_a_language_is_remembered_and_only_our_own_pages_are_gone_back_to(project):
    answer = ask(project, "/language", "POST", data={"language": "uk", "back": "//evil.example"})
    assert answer.headers["location"] == "/"
    assert answer.cookies["vitok_language"] == "uk"
    assert ask(project, "/", headers={"accept-language": "ru;q=0.9, fr"}).text.count('<html lang="ru">') == 1


def test_readers_are_let_go_when_the_server_ends_and_told_what_they_missed(project):
    command = [*COMMAND, "pages", "--port", "0", "--json", "--project", str(project.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        url = json.loads(server.stdout.readline())["url"]
        with (
            httpx.stream("GET", f"{url}/live", headers={"last-event-id": "of before"}, timeout=20) as told,
            httpx.stream("GET", f"{url}/live", timeout=20) as quiet,
        ):
            lines = told.iter_lines()
            assert "event: changed" in [next(lines) for _ in range(5)]
            assert next(quiet.iter_lines()).startswith("retry")
            server.terminate()
            assert server.wait(8) is not None  # it waits ten seconds for those who do not go


def test_the_description_names_every_address_that_there_is(project):
    about = ask(project, "/api/openapi.json").json()
    assert set(about["paths"]) == {each.api for each in (*PLACES, *DEEDS)}
    for path, methods in about["paths"].items():
        assert set(re.findall(r"\{(\w+)\}", path)) == {
            each["name"] for each in next(iter(methods.values()))["parameters"] if each["in"] == "path"
        }


def test_the_server_is_as_the_description_says(tmp_path):
    """Every address is asked what it says it takes, and what it does not."""
    (tmp_path / "project").mkdir()
    (tmp_path / "schemathesis.toml").write_text(
        "[checks.negative_data_rejection]\nexpected-statuses = [400, 404, 413, 415]\n"
    )
    found = two_with_summaries(tmp_path / "project")
    with Server(found, guarded=False) as server:
        command = [str(Path(sys.executable).parent / "st"), "run", f"{server.url}/api/openapi.json"]
        # A schema cannot say which policies, durations or reasons make sense.
        command += ["--exclude-checks", "positive_data_acceptance", "--phases", "coverage,fuzzing"]
        command += ["--max-examples", "4", "--seed", "1", "--no-color", "--generation-database", "none"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    found.engine.dispose()
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_is_one_file_that_asks_nobody_for_anything(project, reader, language):
    text = report_html(project_report(project, reader), language, lambda spec: "<svg></svg>")
    assert f'<html lang="{language}">' in text
    assert not re.findall(r"""(?:src|href)=["']?(?!#)\S+""", text)
    assert "<script" not in text


def test_a_report_that_cannot_be_written_is_told_before_the_work(project, tmp_path):
    for words, says in (
        (["--for", "boss"], "'boss' is no reader"),
        (["--for", "owner", "--lang", "fr"], "'fr' is not known"),
        (["--for", "owner", "-o", "x.docx"], "no report that can be written"),
        (["--for", "owner", "-o", tmp_path], "no report that can be written"),
    ):
        answer = run_vitok("report", *words, "--project", project.folder)
        assert answer.code == 2
        assert says in answer.error["what"]
    done = run_vitok("report", "--for", "auditor", "-o", tmp_path / "a.html", "--project", project.folder)
    assert done.code == 0, done.err
    assert done.json["bytes"] == (tmp_path / "a.html").stat().st_size


def test_templates_mark_nothing_as_safe_that_comes_from_outside():
    made = Environment(extensions=["jinja2.ext.i18n"])
    for path in sorted((WEB / "templates").glob("*.html")):
        text = path.read_text(encoding="utf-8")
        made.parse(text)
        assert "|safe" not in text.replace(" ", ""), path.name
        assert "autoescape false" not in text, path.name

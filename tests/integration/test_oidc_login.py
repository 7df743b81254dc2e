"""Logging in to the pages at an issuer that really answers: the way there and back, and all that may go wrong."""

import json
import os
import re
import signal
import subprocess
import threading
import time
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import yaml
from browsers import PASSWORD, SECRET, Server, browser

from commands import COMMAND, mistake_of
from issuers import AUDIENCE, TokenIssuer
from rollouts import START, two_versions
from serving import free_port
from vitok.errors import Refused
from vitok.govern import audit
from vitok.kernel.clock import VirtualClock, system_clock
from vitok.loop import attempt
from vitok.loop.begun import BEGUN_SECONDS
from vitok.loop.openid import OpenIdClient
from vitok.loop.users import change_password, log_in, log_out, remove_user, session_of
from vitok.wire import open_project

pytestmark = pytest.mark.xdist_group("serving")
ADA = "ada@example.org"
TEAM = {ADA: ["ml_engineer"], "pat": ["project_manager"], "7": []}
VERIFIED = {"sub": "1", "email": ADA, "email_verified": True}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("issuer")
    (folder / "expectations.yaml").write_text("columns: {}\n")
    more = f"team: {yaml.safe_dump(TEAM, default_flow_style=True)}"
    project = two_versions(folder, VirtualClock(START), more=more)
    with project.engine.begin() as connection:
        connection.exec_driver_sql("""UPDATE versions SET summary = '{"algorithm": "linear"}'""")
    project.engine.dispose()
    return folder


@pytest.fixture
def project(made):
    opened = open_project(made)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def issuer():
    found = TokenIssuer()
    found.url = found.url.replace(
        "127.0.0.1", "localhost"
    )  # another site than the pages, as it is for people
    found.add("rsa")
    found.user = VERIFIED
    yield found
    found.close()


def client_of(issuer, secret=None, clock=system_clock):
    return OpenIdClient(issuer.url, "vitok", secret, None, clock)


class Browser:
    """A browser as far as redirects and cookies go."""

    def __init__(self, server, issuer):
        self.http = httpx.Client(base_url=server.url, headers={"accept": "text/html"})
        self.issuer = issuer

    def begin(self, then="/turns"):
        """What the pages ask the issuer."""
        answer = self.http.get("/login/issuer", params={"then": then})
        assert answer.status_code == 303, answer.text
        address = answer.headers["location"]
        assert address.startswith(f"{self.issuer.url}/authorize?")
        return dict(parse_qsl(urlsplit(address).query))

    def log_in(self, **changes):
        asked = self.begin()
        return self.http.get(self.issuer.come_back(asked, **changes))

    @property
    def is_in(self):
        return self.http.get("/turns").status_code == 200


@pytest.fixture
def server(project, issuer):
    with Server(project, guarded=True, client=client_of(issuer)) as found:
        yield found


@pytest.fixture
def person(server, issuer):
    found = Browser(server, issuer)
    yield found
    found.http.close()


def lines(project, action):
    with project.engine.connect() as connection:
        return [line for line in audit.lines(connection) if line["action"] == action]


def text_of(answer):
    """What a page says, without its marks."""
    main = answer.text.partition("<main")[2].partition("</main>")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", main))


def test_whoever_the_team_names_comes_in_by_the_issuer(project, person, issuer, caplog):
    assert f"Log in with {urlsplit(issuer.url).netloc}" in text_of(person.http.get("/login?then=/turns"))
    asked = person.begin()
    assert asked["redirect_uri"] == f"{person.http.base_url}/login/callback".replace("//login", "/login")
    (begun,) = [each for each in person.http.cookies.jar if each.name == "vitok_begun"]
    assert (begun.path, begun._rest["SameSite"], "HttpOnly" in begun._rest) == (
        "/login/callback",
        "lax",
        True,
    )
    assert 590 < begun.expires - time.time() < 610
    answer = person.http.get(issuer.come_back(asked))
    assert (answer.status_code, answer.headers["refresh"]) == (200, "0; url=/turns")
    assert f"You are logged in as {ADA}." in text_of(answer)
    session = answer.headers.get_list("set-cookie")
    assert any("vitok_session=" in each and "SameSite=strict" in each for each in session)
    assert "vitok_begun" not in person.http.cookies
    assert person.is_in
    last = lines(project, "log in")[-1]
    assert (last["actor"], last["details"]) == (ADA, {"issuer": issuer.url})
    secrets = [asked["nonce"], asked["state"], dict(parse_qsl(issuer.posted[0][1]))["code_verifier"]]
    assert not [
        each for each in secrets if each in caplog.text + json.dumps(lines(project, "log in"), default=str)
    ]


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        (VERIFIED, ADA),
        ({"sub": "1", "email": "x@example.org", "preferred_username": "pat"}, "pat"),
        ({"sub": "7", "preferred_username": ADA}, "7"),
        ({"sub": "7", "email": ADA}, "7"),
    ],
)
def test_person_is_the_verified_address_else_a_plain_name_else_the_subject(person, issuer, claims, name):
    issuer.user = claims
    assert f"You are logged in as {name}." in text_of(person.log_in())
    assert f"<span>{name}</span>" in person.http.get("/").text or name == "7"


@pytest.mark.parametrize("email", ["eve@example.org", "<script>alert(1)</script>\nvitok forged line"])
def test_whom_the_team_does_not_name_gets_a_page_and_nothing_else(project, person, issuer, caplog, email):
    before = len(lines(project, "log in"))
    issuer.user = {**VERIFIED, "email": email}
    answer = person.log_in()
    assert answer.status_code == 403
    said = text_of(answer)
    assert "says that you are" in said
    assert "The team of this project does not name you." in said
    assert "Ask to be let in: pat." in said
    assert "<script>alert" not in answer.text
    assert not any(line.startswith("vitok forged") for line in caplog.text.splitlines())
    assert "is not in the team" in caplog.text
    assert not person.is_in
    assert len(lines(project, "log in")) == before


def claims_changed(issuer, **claims):
    issuer.user = {**VERIFIED, **claims}


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"aud": AUDIENCE}, "is meant for another audience"),
        ({"aud": ["vitok", AUDIENCE]}, "was made for another client"),
        ({"azp": "other"}, "was made for another client"),
        ({"iss": "https://evil.example"}, "comes from another issuer"),
        ({"exp": 1_000_000_000}, "has expired"),
        ({"nonce": "of another log-in"}, "belongs to another log-in"),
        ({"nonce": None}, "belongs to another log-in"),
    ],
)
def test_token_that_does_not_count_lets_nobody_in(person, issuer, caplog, claims, says):
    claims_changed(issuer, **claims)
    answer = person.log_in()
    assert answer.status_code == 403
    assert "does not count here" in text_of(answer)
    assert says in text_of(answer)
    assert f"token: {says}" in caplog.text
    assert not person.is_in


def test_token_of_a_key_that_the_issuer_does_not_show(person, issuer):
    stranger = TokenIssuer()
    stranger.add("rsa")
    issuer.exchange = lambda headers, sent: (200, json.dumps({"id_token": stranger.token("rsa")}).encode())
    assert "has a signature that does not fit" in text_of(person.log_in())
    stranger.close()
    issuer.exchange = lambda headers, sent: (200, b'{"access_token": "x"}')
    assert "is not in the answer of the issuer" in text_of(person.log_in())


def test_log_in_holds_for_one_browser_one_state_and_one_use(server, person, issuer, caplog):
    asked = person.begin()
    wrong = person.http.get(issuer.come_back(asked, state="of somebody else"))
    other = Browser(server, issuer)
    elsewhere = other.http.get(issuer.come_back(asked))
    kept = person.http.cookies["vitok_begun"]  # a wrong state, which anybody may send here, ends nothing
    address = issuer.come_back(asked)
    assert person.http.get(address).status_code == 200
    again = person.http.get(address)
    other.http.cookies.set("vitok_begun", kept, path="/login/callback")
    replayed = other.http.get(issuer.come_back(asked))
    for answer in (wrong, elsewhere, again, replayed):
        assert answer.status_code == 400
        assert "This log-in was begun in another browser" in text_of(answer)
        assert "vitok_session" not in answer.headers.get("set-cookie", "")
    assert len(issuer.posted) == 1
    assert "unknown: it was not begun here" in caplog.text
    assert other.http.get("/login/callback").headers["location"] == "/login"
    other.http.close()


def test_log_in_that_took_more_than_ten_minutes_is_begun_again(made, issuer):
    now = VirtualClock(system_clock())
    project = open_project(made, clock=now)
    with Server(project, guarded=True, client=client_of(issuer)) as server:
        person = Browser(server, issuer)
        asked = person.begin()
        now.move_to(now() + timedelta(seconds=BEGUN_SECONDS))
        assert person.http.get(issuer.come_back(asked)).status_code == 400
        person.http.close()
    project.engine.dispose()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"error": "access_denied", "error_description": "hush"}, "the issuer answers: access_denied"),
        ({"error": "<b>" * 9}, "the issuer answers: an error of its own"),
        ({"code": "of somebody else"}, "the issuer answers 400: invalid_grant"),
        ({"code": ""}, "a code of 0 characters"),
        ({"code": "x" * 5000}, "a code of 5000 characters"),
        ({"iss": "https://evil.example"}, "comes from another issuer"),
    ],
)
def test_issuer_that_says_no_is_told_without_secrets(person, caplog, changes, says):
    answer = person.log_in(**changes)
    assert answer.status_code == 403
    assert "did not let you in" in text_of(answer)
    assert says in text_of(answer)
    assert says in caplog.text
    assert "hush" not in caplog.text + answer.text
    assert "of somebody else" not in caplog.text
    assert not person.is_in


def test_client_with_a_secret_proves_itself_and_a_wrong_one_is_told(project, issuer, caplog):
    for secret, status in (("s:p a+c%e", 200), ("wrong", 403)):
        issuer.clients["vitok"] = "s:p a+c%e"
        with Server(project, guarded=True, client=client_of(issuer, secret)) as server:
            person = Browser(server, issuer)
            assert person.log_in().status_code == status
            person.http.close()
    assert "invalid_client" in caplog.text
    assert "wrong" not in caplog.text.replace("went wrong", "")
    issuer.answers["/realm/.well-known/openid-configuration"] = lambda: json.dumps(
        {
            **json.loads(issuer.document("/realm/.well-known/openid-configuration")),
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }
    ).encode()
    with Server(project, guarded=True, client=client_of(issuer, "s:p a+c%e")) as server:
        person = Browser(server, issuer)
        assert person.log_in().status_code == 200
        person.http.close()
    assert "client_secret" in issuer.posted[-1][1]


DESCRIPTION = "/realm/.well-known/openid-configuration"


@pytest.mark.parametrize(
    ("path", "make", "says"),
    [
        (DESCRIPTION, lambda: None, "answers 404"),
        (DESCRIPTION, lambda: b"<html>", "is no JSON object"),
        (DESCRIPTION, lambda: b" " * (2**20 + 1), "answers more than 1 MB"),
        (
            DESCRIPTION,
            lambda: b'{"issuer": "https://evil.example"}',
            "describes the issuer 'https://evil.example'",
        ),
        (
            DESCRIPTION,
            lambda: b'{"issuer": "URL", "authorization_endpoint": "http://evil.example/"}',
            "names as authorization_endpoint 'http://evil.example/'",
        ),
        (
            DESCRIPTION,
            lambda: b'{"issuer": "URL", "authorization_endpoint": "javascript:alert(1)"}',
            "names as authorization_endpoint 'javascript:alert(1)'",
        ),
        ("/realm/keys", lambda: b"{}", "holds no public key"),
        ("/realm/token", lambda: (500, b""), "the issuer answers 500"),
        ("/realm/token", lambda: (302, b""), "the issuer answers 302"),
        ("/realm/token", lambda: (200, b"["), "is no JSON object"),
        ("/realm/token", lambda: (200, b" " * (2**20 + 1)), "answers more than 1 MB"),
    ],
)
def test_issuer_that_answers_nonsense_is_told(person, issuer, caplog, path, make, says):
    def answer():
        found = make()
        return found.replace(b"URL", issuer.url.encode()) if isinstance(found, bytes) else found

    issuer.answers[path] = answer
    if path == "/realm/token":
        found = person.log_in()
    else:
        found = person.http.get("/login/issuer")
        before = len(issuer.asked)
        assert person.http.get("/login/issuer").status_code == 503
        assert len(issuer.asked) == before  # not asked again at once
    assert found.status_code in (503, 403)
    assert urlsplit(issuer.url).netloc in text_of(found)
    assert says in caplog.text


def test_issuer_that_is_away_leaves_the_pages_and_passwords(project, caplog):
    client = OpenIdClient(f"http://127.0.0.1:{free_port()}", "vitok", None, None, system_clock)
    with Server(project, guarded=True, client=client) as server, httpx.Client(base_url=server.url) as http:
        answer = http.get("/login/issuer", headers={"accept-language": "uk"})
        assert answer.status_code == 503
        assert http.get("/login").status_code == 200
    assert "Connection refused" in caplog.text


def test_slow_issuer_keeps_nobody_else_waiting_and_not_for_long(server, person, issuer, monkeypatch):
    monkeypatch.setattr(attempt, "LONGEST_SECONDS", 1.0)
    ending = []

    def slow():
        ending.append(time.monotonic())
        time.sleep(2.5)
        return 200, b"{}"

    issuer.answers["/realm/token"] = slow
    asked = person.begin()
    done = []
    waiting = threading.Thread(target=lambda: done.append(person.http.get(issuer.come_back(asked))))
    waiting.start()
    while not ending:
        time.sleep(0.01)
    began = time.monotonic()
    assert httpx.get(f"{server.url}/login").status_code == 200
    assert time.monotonic() - began < 0.9
    waiting.join()
    assert 0.5 < time.monotonic() - ending[0] < 2.4
    assert done[0].status_code == 503
    assert "cannot be asked at present" in text_of(done[0])


def test_session_ends_with_the_team_the_log_in_and_the_log_out(project, issuer, person):
    person.log_in()
    token = person.http.cookies["vitok_session"]
    assert session_of(project, token, SECRET) == ADA
    gone = replace(
        project,
        document=replace(
            project.document,
            charter=project.charter.model_copy(update={"team": {"pat": ["project_manager"]}}),
        ),
    )
    without = replace(
        project, document=replace(project.document, charter=project.charter.model_copy(update={"team": {}}))
    )
    assert session_of(gone, token, SECRET) is None
    assert (
        session_of(without, token, SECRET) is None
    )  # where nobody is named, nobody is let in by what others say
    remove_user(project, ADA)
    assert session_of(project, token, SECRET) is None
    person.log_in()
    assert session_of(project, token, SECRET) is None
    token = person.http.cookies["vitok_session"]
    log_out(project, ADA)
    assert session_of(project, token, SECRET) is None
    for password in ("", PASSWORD):  # it has no password until it is given one
        with pytest.raises(Refused, match="name or password is wrong"):
            log_in(project, ADA, password, "here", SECRET)
    change_password(project, ADA, PASSWORD)
    assert session_of(project, log_in(project, ADA, PASSWORD, "here", SECRET), SECRET) == ADA
    remove_user(project, ADA)


@pytest.mark.parametrize(
    "then", ["//evil.example", "https://evil.example/", "/\\evil.example", "/" + "x" * 600]
)
def test_only_pages_of_this_server_come_after(person, issuer, then):
    answer = person.http.get(issuer.come_back(person.begin(then)))
    assert answer.headers["refresh"] == "0; url=/"


def test_address_of_the_charter_is_where_the_issuer_sends_people(project, issuer):
    approve = project.charter.approve.model_copy(update={"url": "https://vitok.example.org/"})
    charter = project.charter.model_copy(update={"approve": approve})
    behind = replace(project, document=replace(project.document, charter=charter))
    with Server(behind, guarded=True, client=client_of(issuer)) as server:
        with httpx.Client(base_url=server.url) as http:
            answer = http.get("/login/issuer")
        told = httpx.get(f"{server.url}/login/issuer", headers={"x-forwarded-proto": "https"})
    for each in (answer, told):
        asked = dict(parse_qsl(urlsplit(each.headers["location"]).query))
        assert asked["redirect_uri"] == "https://vitok.example.org/login/callback"
        assert "; Secure" in each.headers["set-cookie"]


def test_scheme_of_a_proxy_on_this_machine_counts(server):
    answer = httpx.get(
        f"{server.url}/login/issuer", headers={"x-forwarded-proto": "https", "host": "a.example"}
    )
    asked = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    assert asked["redirect_uri"] == "https://a.example/login/callback"


def test_without_a_client_there_is_no_such_way(project):
    with Server(project, guarded=True) as server, httpx.Client(base_url=server.url) as http:
        assert "Log in with" not in http.get("/login").text
        assert [http.get(path).status_code for path in ("/login/issuer", "/login/callback")] == [404, 404]


def test_mistakes_of_the_command_are_told(made, monkeypatch):
    mistake_of("up", "--project", made, "--oidc-client", "x", says=["--oidc-client", "Add --oidc-issuer URL"])
    monkeypatch.setenv("VITOK_OIDC_CLIENT_SECRET_FILE", "/absent")
    words = ("--oidc-issuer", "https://a.example", "--oidc-audience", "x", "--oidc-client", "vitok")
    mistake_of("up", "--port", 0, "--project", made, *words, says=["/absent", "VITOK_OIDC_CLIENT_SECRET"])


def test_command_with_two_workers_lets_people_in(made, issuer, tmp_path):
    """Begun at whichever worker and ended at any; the secret comes from a file."""
    issuer.clients["vitok"] = "of the file"
    (tmp_path / "secret").write_text("of the file\n")
    port = free_port()
    words = ["--port", port, "--workers", 2, "--oidc-issuer", issuer.url, "--oidc-audience", "x"]
    command = [*COMMAND, "up", "--project", made, *words, "--oidc-client", "vitok"]
    env = {"VITOK_OIDC_CLIENT_SECRET_FILE": str(tmp_path / "secret"), "VITOK_SECRET": "0123456789abcdef"}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(list(map(str, command)), stderr=log, env={**os.environ, **env})
    try:
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 40
        while not answers(url):
            assert time.monotonic() < until, (tmp_path / "log").read_text()
            time.sleep(0.1)
        for _ in range(6):
            with httpx.Client(base_url=url, headers={"connection": "close"}) as http:
                begun = http.get("/login/issuer")
                asked = dict(parse_qsl(urlsplit(begun.headers["location"]).query))
                assert http.get(issuer.come_back(asked)).status_code == 200
                assert ADA in http.get("/turns").text
                assert http.get(issuer.come_back(asked)).status_code == 400
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    told = (tmp_path / "log").read_text()
    assert "log-in with localhost" in told
    assert not [each for each in ("of the file", "hush", asked["state"], asked["nonce"]) if each in told]


def answers(url):
    try:
        return httpx.get(f"{url}/login").status_code == 200
    except httpx.TransportError:
        return False


def test_whole_way_in_a_browser(project, issuer, server):
    """From a page, over the log-in and another site, back to the page: with the cookies as a browser sends them."""
    with browser() as window:
        page = window.new_context().new_page()
        wrong = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said) if said.type == "error" else None)
        page.goto(f"{server.url}/models")
        assert page.url == f"{server.url}/login?then=%2Fmodels"
        page.get_by_text("Log in with localhost").click()
        page.wait_for_url(f"{issuer.url}/authorize**")
        page.click("#in")
        page.wait_for_selector("nav.places")
        assert page.url == f"{server.url}/models"
        assert page.locator(".who span").inner_text() == ADA
        page.go_back()
        page.goto(f"{server.url}/turns")
        assert page.locator(".who span").inner_text() == ADA
        page.click(".who button")
        page.wait_for_url(f"{server.url}/login")
        assert [each["name"] for each in page.context.cookies()] == []
        assert not [each for each in wrong if isinstance(each, str) or server.url in each.location["url"]]

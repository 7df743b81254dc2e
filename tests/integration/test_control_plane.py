"""The control plane: who is let in, what each role gets to, and acts that happen once."""

import asyncio
import base64
import re
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
import yaml
from starlette.routing import Mount

from rollouts import START, two_versions
from vitok.errors import Busy, Refused, UserMistake
from vitok.govern.roles import MAY
from vitok.kernel.clock import VirtualClock
from vitok.loop.control import Control
from vitok.loop.keys import add_key
from vitok.loop.links import Links
from vitok.loop.users import add_user, change_password, list_users, log_in, log_out, remove_user, session_of
from vitok.registry import releases, wanted
from vitok.release.keys import SCOPES, Key
from vitok.web.app import create_pages
from vitok.wire import open_project

SECRET = b"a secret of the tests"
PASSWORD = "correct horse battery"
TEAM = {f"{role}@example.org": [role] for role in MAY} | {"nobody@example.org": []}
JSON = {"content-type": "application/json"}
OPEN = {"/approve/{token}", "/login", "/logout", "/language", "/static", "/static/vega.js"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project with a team, two accepted versions, and one who logs in."""
    folder = tmp_path_factory.mktemp("control")
    (folder / "expectations.yaml").write_text("columns: {}\n")
    project = two_versions(
        folder, VirtualClock(START), more=f"team: {yaml.safe_dump(TEAM, default_flow_style=True)}"
    )
    add_user(project, "ml_engineer@example.org", PASSWORD)
    with project.engine.begin() as connection:
        connection.exec_driver_sql("""UPDATE versions SET summary = '{"algorithm": "linear"}'""")
    return project


@pytest.fixture
def project(made):
    return made


def ask(project, method, path, *, key=None, guarded=True, **how):
    """One request to the control plane, as the data plane hands it on."""

    async def work():
        pages = create_pages(Control(project, lambda: SECRET), Links(project, lambda: SECRET))

        async def behind_the_door(scope, receive, send):
            scope |= {"vitok.guarded": guarded, "vitok.key": key}
            await pages(scope, receive, send)

        transport = httpx.ASGITransport(behind_the_door)
        async with httpx.AsyncClient(transport=transport, base_url=how.pop("base", "http://here")) as client:
            return await client.request(method, path, **how)

    return asyncio.run(work())


def key_of(person, *scopes):
    return Key("k", scopes or SCOPES, person=person)


def addresses(project):
    """Every address with its act; those that are open have none."""
    routes = create_pages(Control(project, lambda: SECRET), Links(project, lambda: SECRET)).routes
    found = {}
    for route in routes:
        if isinstance(route, Mount) or route.path in OPEN:
            assert route.path in OPEN
        else:
            act, method, path = route.name.split(" ")
            assert route.methods - {"HEAD"} == {method}
            found[method, path] = act
    return found


def call(project, method, path, person, *scopes):
    place = re.sub(r"\{\w+\}", "999", path)
    sent = {"json": {}} if method == "POST" else {}
    return ask(project, method, place, key=key_of(person, *scopes), **sent).status_code


def visit(project, method, path, person):
    """A person who has logged in; `session_of` takes the name for the session."""
    place = re.sub(r"\{\w+\}", "999", path)
    sent = {"json": {}} if path.startswith("/api/") and method == "POST" else {}
    return ask(project, method, place, headers={"cookie": f"vitok_session={person}"}, **sent).status_code


def test_each_address_is_closed_to_each_role_that_may_not_do_its_act(project, monkeypatch):
    """Every address beside every role, a person without a role, and nobody."""
    monkeypatch.setattr("vitok.loop.control.session_of", lambda project, session, key: session)
    found = addresses(project)
    assert len(found) > 20
    for (method, path), act in found.items():
        for person, roles in TEAM.items():
            allowed = any(act in MAY[role] for role in roles)
            if allowed and path == "/live":  # it goes on for as long as somebody listens
                continue
            status = visit(project, method, path, person)
            assert (status != 403) == allowed, (method, path, person, status)
            assert status < 500, (method, path, person, status)
        assert visit(project, method, path, "stranger@example.org") == 403
        nobody = ask(project, method, re.sub(r"\{\w+\}", "999", path))
        programs = path.startswith("/api/") or path == "/live"
        assert nobody.status_code == (401 if programs else 303), (method, path)


def test_a_key_gives_no_more_than_its_scopes_and_without_a_person_it_only_reads(project):
    engineer = "ml_engineer@example.org"
    assert call(project, "POST", "/api/releases", engineer, "pages", "train") == 403
    assert call(project, "POST", "/api/releases", engineer, "release") == 400
    assert call(project, "GET", "/api/turns", engineer, "release") == 403
    assert call(project, "GET", "/api/turns", None, "pages") == 200
    assert call(project, "GET", "/api/turns", None, "predict") == 403
    assert call(project, "POST", "/api/turns", None) == 403


def test_each_address_opens_to_a_key_with_the_scope_of_its_act_and_to_no_other(project):
    """For a person who may do everything: what the roles allow, the scopes still limit."""
    everything = {**project.charter.team, "all@example.org": list(MAY)}
    charter = project.charter.model_copy(update={"team": everything})
    open_to_all = replace(project, document=replace(project.document, charter=charter))
    acts = set()
    for (method, path), act in addresses(project).items():
        if not path.startswith("/api/"):
            continue
        acts.add(act)
        for scope in SCOPES:
            allowed = scope == ("pages" if act == "read" else act)
            status = call(open_to_all, method, path, "all@example.org", scope)
            assert (status != 403) == allowed, (method, path, scope, status)
            assert status < 500, (method, path, scope, status)
    assert acts >= {"read", "label", "train", "approve", "release", "operate", "manage"}


def test_at_this_machine_a_team_reads_and_without_one_everything_goes(project):
    assert ask(project, "GET", "/api/status", guarded=False).status_code == 200
    assert ask(project, "POST", "/api/turns", guarded=False, json={}).status_code == 403
    charter = project.charter.model_copy(update={"team": {}})
    alone = replace(project, document=replace(project.document, charter=charter))
    answer = ask(alone, "POST", "/api/turns", guarded=False, json={"reason": "new rows"})
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"json": {}, "headers": {"origin": "https://evil.example"}}, 403),
        ({"json": {}, "headers": {"origin": "null"}}, 403),
        ({"json": {}, "headers": {"sec-fetch-site": "cross-site"}}, 403),
        ({"content": b"{}", "headers": {"content-type": "text/plain"}}, 415),
        ({"data": {"reason": "x"}}, 415),
        ({"content": b"{" * 100, "headers": JSON}, 400),
        ({"json": {"unknown": 1}}, 400),
        ({"json": {"reason": 1}}, 400),
        ({"json": {"reason": "x" * 30_000}}, 413),
        ({"json": {}, "headers": {"idempotency-key": "x" * 300}}, 400),
        ({"json": {}, "headers": {"origin": "http://here"}}, 202),
        ({"json": {}, "headers": {"origin": "null", "sec-fetch-site": "same-origin"}}, 202),
    ],
)
def test_what_another_page_sends_or_is_no_json_changes_nothing(project, how, status):
    answer = ask(project, "POST", "/api/turns", key=key_of("ml_engineer@example.org"), **how)
    assert answer.status_code == status, answer.text


def test_a_turn_that_is_asked_for_twice_with_one_key_is_one(project):
    how = {"key": key_of("data_scientist@example.org"), "headers": {"idempotency-key": "abc"}}
    first = ask(project, "POST", "/api/turns", json={"reason": "new rows"}, **how).json()
    again = ask(project, "POST", "/api/turns", json={"reason": "new rows"}, **how).json()
    other = ask(
        project, "POST", "/api/turns", json={}, key=key_of("ml_engineer@example.org"), headers=how["headers"]
    )
    assert first == again
    assert first["asked_by"] == "data_scientist@example.org"
    assert other.json()["wanted"] != first["wanted"]
    with project.engine.begin() as connection:
        assert wanted.oldest(connection).turn is None


def test_a_release_by_api_is_one_like_any_other(project):
    how = {"key": key_of("mlops_engineer@example.org")}
    assert ask(project, "POST", "/api/releases", json={"version": 99}, **how).status_code == 404
    assert (
        ask(project, "POST", "/api/releases", json={"version": 2, "strategy": "no"}, **how).status_code == 400
    )
    done = ask(project, "POST", "/api/releases", json={"version": 2, "strategy": "immediate"}, **how)
    assert done.status_code == 200, done.text
    assert done.json()["version"] == 2
    with project.engine.connect() as connection:
        assert releases.current(connection).actor == "mlops_engineer@example.org"


def log_in_by_form(project, password=PASSWORD, **how):
    data = {"name": "ml_engineer@example.org", "password": password}
    return ask(project, "POST", "/login", data=data, **how)


def test_log_in_gives_a_session_that_only_this_site_gets_and_log_out_ends_it(project):
    assert ask(project, "GET", "/turns").headers["location"] == "/login?then=%2Fturns"
    assert "Log in" in ask(project, "GET", "/login").text
    answer = log_in_by_form(project)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    said = answer.headers["set-cookie"].lower()
    assert "httponly" in said
    assert "samesite=strict" in said
    assert "secure" not in said
    assert "secure" in log_in_by_form(project, base="https://here").headers["set-cookie"].lower()
    cookies = {"cookie": f"vitok_session={answer.cookies['vitok_session']}"}
    page = ask(project, "GET", "/", headers=cookies)
    assert page.status_code == 200
    assert "Log out" in page.text
    assert ask(project, "POST", "/api/turns", json={}, headers=cookies).status_code == 202
    assert ask(project, "POST", "/logout", headers={**cookies, "origin": "http://evil"}).status_code == 403
    assert ask(project, "GET", "/", headers=cookies).status_code == 200
    project.clock.move_to(project.clock() + timedelta(seconds=1))
    assert ask(project, "POST", "/logout", headers=cookies).headers["location"] == "/login"
    assert ask(project, "GET", "/", headers=cookies).headers["location"] == "/login?then=%2F"


def test_a_forged_or_old_session_opens_nothing(project):
    token = log_in(project, "ml_engineer@example.org", PASSWORD, "here", SECRET)
    assert session_of(project, token, SECRET) == "ml_engineer@example.org"
    assert session_of(project, token, b"another secret") is None
    assert session_of(project, token[:-2] + "AA", SECRET) is None
    assert session_of(project, base64.urlsafe_b64encode(b"x" * 40).decode(), SECRET) is None
    assert ask(project, "GET", f"/approve/{token}").status_code == 403  # it is no link
    later = replace(project, clock=lambda: project.clock() + timedelta(hours=13))
    assert session_of(later, token, SECRET) is None


def test_who_guesses_has_to_wait_longer_and_longer(tmp_path):
    clock = VirtualClock(START)
    project = two_versions(tmp_path, clock)
    add_user(project, "ada", PASSWORD)
    for _ in range(5):
        with pytest.raises(Refused, match="name or password is wrong"):
            log_in(project, "ada", "wrong password", "here", SECRET)
    with pytest.raises(Busy, match="Try again in 2 s"):
        log_in(project, "ada", PASSWORD, "elsewhere", SECRET)
    clock.move_to(clock() + timedelta(seconds=3))
    with pytest.raises(Refused):
        log_in(project, "ada", "wrong password", "here", SECRET)
    with pytest.raises(Busy, match="Try again in 4 s"):
        log_in(project, "ada", PASSWORD, "here", SECRET)
    clock.move_to(clock() + timedelta(seconds=5))
    assert log_in(project, "ada", PASSWORD, "here", SECRET)


def test_an_address_from_which_many_names_are_tried_has_to_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "vitok.loop.users.is_right", lambda password, kept: False
    )  # each takes a tenth of a second
    project = two_versions(tmp_path, VirtualClock(START))
    for number in range(20):
        with pytest.raises(Refused):
            log_in(project, f"guess{number}", "wrong password", "there", SECRET)
    with pytest.raises(Busy, match="too many attempts"):
        log_in(project, "ada", PASSWORD, "there", SECRET)
    with pytest.raises(Refused):
        log_in(project, "ada", PASSWORD, "elsewhere", SECRET)


def test_users_are_of_the_team_with_a_password_that_is_kept_as_a_hash(made):
    with pytest.raises(UserMistake, match="is not in the team"):
        add_user(made, "stranger@example.org", PASSWORD)
    with pytest.raises(UserMistake, match="is there already"):
        add_user(made, "ml_engineer@example.org", PASSWORD)
    with pytest.raises(UserMistake, match="has 5 characters"):
        add_user(made, "data_engineer@example.org", "short")
    add_user(made, "data_engineer@example.org", PASSWORD)
    token = log_in(made, "data_engineer@example.org", PASSWORD, "there", SECRET)
    made.clock.move_to(made.clock() + timedelta(seconds=1))
    change_password(made, "data_engineer@example.org", "another " + PASSWORD)
    assert session_of(made, token, SECRET) is None
    found = {each["user"]: each for each in list_users(made)["users"]}
    assert found["data_engineer@example.org"]["logs_in"]
    assert found["data_annotator@example.org"]["may"] == ["read", "label"]
    log_out(made, "data_engineer@example.org")
    remove_user(made, "data_engineer@example.org")
    stored = b"".join(path.read_bytes() for path in made.state.glob("state.sqlite*"))
    assert PASSWORD.encode() not in stored
    assert b"$argon2id$" in stored


def test_keys_of_acts_are_for_people_of_the_team(made):
    with pytest.raises(UserMistake, match="is an act of a person"):
        add_key(made, "robot", scopes=["release"])
    with pytest.raises(UserMistake, match="is not in the team"):
        add_key(made, "robot", scopes=["release"], person="stranger")
    assert add_key(made, "robot", scopes=["release"], person="ml_engineer@example.org")["person"]


def test_the_team_holds_from_the_moment_that_the_charter_changes(made):
    control = Control(open_project(made.folder), lambda: SECRET)
    key = key_of("ml_engineer@example.org")
    assert "release" in control.visitor(is_guarded=True, key=key, session=None).acts
    path = made.folder / "vitok.yaml"
    before = path.read_text()
    path.write_text(before.replace("[ml_engineer]", "[data_annotator]"))
    assert control.visitor(is_guarded=True, key=key, session=None).acts == {"read", "label"}
    path.write_text("project: [broken")
    assert control.visitor(is_guarded=True, key=key, session=None).acts == {"read", "label"}
    path.write_text(before)

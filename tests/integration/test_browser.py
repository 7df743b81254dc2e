"""The pages in a real browser, on some weeks of flights: as people see them, and as each role works in them."""

import re
from datetime import timedelta

import pytest
import yaml
from browsers import PASSWORD, Server, browser, log_in
from test_replay import CANARY, SPAN, with_release

from rollouts import START, two_versions
from vitok.govern.roles import MAY
from vitok.kernel.clock import VirtualClock
from vitok.loop.example import write_example
from vitok.loop.incident_acts import open_incident
from vitok.loop.replay import replay
from vitok.loop.standing import reckon_due
from vitok.loop.users import add_user
from vitok.web.navigation import NAVIGATION
from vitok.wire import open_project

pytestmark = pytest.mark.xdist_group("replay")
TEAM = {f"{role}@example.org": [role] for role in MAY}
PAGES = [entry.path for _, entries in NAVIGATION for entry in entries]
ALSO = ["/turns/1", "/models/1", "/models/compare", "/releases/1"]
HOSTILE = "<script>alert(1)</script>‮ назва " + "х" * 300


@pytest.fixture(scope="module")
def kept(flights_project, tmp_path_factory):
    """What a policy lived through in three weeks, with a team of one person for each role."""
    folder = tmp_path_factory.mktemp("kept") / "flights"
    source = with_release(flights_project, **{**CANARY, "step": "12h"})
    replay(source, ["every(7d)"], **SPAN, inject=["failing(5%)@2013-03-04"], keep=folder)
    path = folder / "vitok.yaml"
    text = re.sub(r"^team:\n(?:  .*\n)*", "", path.read_text(), flags=re.MULTILINE)
    path.write_text(text + yaml.safe_dump({"team": TEAM}))
    now = SPAN["end"] + timedelta(hours=8)
    project = open_project(folder, clock=lambda: now)
    for name in TEAM:
        add_user(project, name, PASSWORD)
    open_incident(project, HOSTILE, severity=None, actor=HOSTILE[:100])
    reckon_due(project)
    yield project
    project.engine.dispose()


@pytest.fixture(scope="module")
def server(kept):
    with Server(kept, guarded=True) as found:
        yield found


@pytest.fixture(scope="module")
def window():
    with browser() as found:
        yield found


def person(window, server, role, **how):
    """A page in which somebody of a role has logged in; what goes wrong in it is remembered."""
    context = window.new_context(**{"viewport": {"width": 1280, "height": 900}, **how})
    page = context.new_page()
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("console", lambda said: page.wrong.append(said.text) if said.type == "error" else None)
    page.on("request", lambda asked: _is_ours(page, server, asked.url))
    log_in(page, server, f"{role}@example.org")
    return page


def _is_ours(page, server, url):
    if not url.startswith((server.url, "data:", "blob:")):
        page.wrong.append(f"asked another host: {url}")


@pytest.mark.parametrize(
    "how",
    [
        {"color_scheme": "light"},
        {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}, "locale": "uk-UA"},
    ],
    ids=["light", "dark on a phone, in Ukrainian"],
)
def test_every_page_is_sound_and_anybody_can_use_it(window, server, how):
    """No violation of WCAG, no error, no request elsewhere, nothing wider than the screen, all pictures drawn."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    pages = {
        "mlops_engineer": [p for p in [*PAGES, *ALSO] if p != "/reviews"],
        "data_annotator": ["/reviews"],
    }
    for role, paths in pages.items():
        page = person(window, server, role, **how)
        for path in paths:
            answer = page.goto(f"{server.url}{path}")
            assert answer.status == 200, path
            for place in page.query_selector_all(".drawing"):
                place.wait_for_selector("svg")
            found = axe.Axe().run(page).response["violations"]
            assert not found, (path, [(each["id"], each["nodes"][0]["html"]) for each in found])
            wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 0, f"{path} is wider than the screen by {wide}"
            assert page.locator("h1").count() == 1
            same = page.locator(".how a").last.get_attribute("href")
            assert page.request.get(f"{server.url}{same}").headers["content-type"] == "application/json", same
            assert page.locator("html").get_attribute("lang") == ("uk" if "locale" in how else "en")
        assert not page.wrong
        page.context.close()


def test_pages_can_be_read_without_scripts(window, server):
    page = person(window, server, "product_owner", java_script_enabled=False)
    for path in ("/", "/performance", "/business"):
        page.goto(f"{server.url}{path}")
        page.locator("details.figures summary").first.click()
        assert page.locator("details.figures table").first.is_visible()
    page.context.close()


def test_what_happens_appears_without_loading_anew(kept, window, server):
    page = person(window, server, "mlops_engineer")
    page.goto(f"{server.url}/incidents")
    page.wait_for_timeout(1500)  # the first look, after which a change is one
    page.evaluate("window.stays = true")
    open_incident(kept, "the lights went out", severity=None, actor="test")
    page.get_by_text("the lights went out").first.wait_for(timeout=10_000)
    assert page.evaluate("window.stays")
    assert not page.wrong
    page.context.close()


def test_a_name_that_would_run_is_only_read(window, server):
    page = person(window, server, "mlops_engineer")
    page.on("dialog", lambda dialog: page.wrong.append("a script ran"))
    page.goto(f"{server.url}/incidents")
    assert page.get_by_text("<script>alert(1)</script>").count()
    assert not page.wrong
    page.context.close()


def test_keys_lead_to_the_content_and_through_the_places(window, server):
    page = person(window, server, "product_owner")
    page.goto(f"{server.url}/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.context.close()


def test_each_role_sees_the_places_that_it_may_go_to(window, server):
    page = person(window, server, "product_owner")
    shown = [link.get_attribute("href") for link in page.query_selector_all("nav.places a")]
    assert "/approvals" in shown
    assert "/people" not in shown
    assert page.goto(f"{server.url}/people").status == 403
    assert "may not let people in" in page.inner_text("main")
    page.context.close()


def test_language_is_chosen_and_stays(window, server):
    page = person(window, server, "product_owner")
    page.click("button[name=language][value=ru]")
    assert page.locator("html").get_attribute("lang") == "ru"
    page.goto(f"{server.url}/performance")
    assert page.locator("html").get_attribute("lang") == "ru"
    page.context.close()


def test_a_session_that_ends_while_a_form_is_filled_in_loses_nothing_silently(window, server):
    page = person(window, server, "mlops_engineer")
    page.goto(f"{server.url}/turns")
    page.context.clear_cookies()
    page.click("form[action='/turns'] button")
    assert "nothing was done" in page.inner_text("main")
    page.fill("input[name=name]", "mlops_engineer@example.org")
    page.fill("input[name=password]", PASSWORD)
    page.click("section form button")
    assert page.url == f"{server.url}/turns"
    page.context.close()


def test_operator_takes_an_incident_to_its_end(window, server):
    page = person(window, server, "mlops_engineer")
    page.goto(f"{server.url}/incidents")
    page.locator("main table a").first.click()
    page.fill("form[action$='/note'] [name=text]", "the feed was late")
    page.click("form[action$='/note'] button")
    assert "the feed was late" in page.inner_text("main")
    assert page.locator(".said").count() == 1
    page.context.close()


def test_engineer_asks_for_a_turn_and_starts_a_replay(kept, window, server):
    page = person(window, server, "ml_engineer")
    page.goto(f"{server.url}/turns")
    page.fill("form[action='/turns'] input[name=reason]", "new rows")
    page.click("form[action='/turns'] button")
    assert page.locator(".said").count() == 1
    page.goto(f"{server.url}/replay")
    page.fill("textarea[name=policies]", "never\nnonsense(")
    page.click("form[action='/replay'] button")
    assert "nonsense(" in page.inner_text("main")
    page.goto(f"{server.url}/replay")
    page.fill("textarea[name=policies]", "never")
    page.fill("input[name=from]", "2013-03-01")
    page.fill("input[name=to]", "2013-03-04")
    page.click("form[action='/replay'] button")
    page.locator("main table a").first.click()
    page.get_by_role("table").wait_for(timeout=60_000)
    assert "never" in page.inner_text("main table")
    page.context.close()


def test_engineer_rolls_a_version_out_holds_it_and_ends_it(kept, window, server):
    """The place of releases, as who may release works in it: nothing is promoted without evidence, whatever is said."""

    def act(name, said, reason="timetable changes"):
        form = page.locator(f"form[action='/releases/{name}']")
        form.locator("[name=reason]").fill(reason)
        form.locator("button").click()
        assert said in page.inner_text("main"), page.inner_text("main")

    page = person(window, server, "ml_engineer")
    page.goto(f"{server.url}/releases")
    if page.locator("form[action='/releases'] select[name=version]").count() == 0:
        act("rollback", "It is taken back")  # what the weeks left under way
    page.goto(f"{server.url}/releases")
    page.select_option("form[action='/releases'] select[name=strategy]", "canary")
    page.click("form[action='/releases'] button")
    assert "The release has begun." in page.inner_text("main")
    page.get_by_text("The roll-out that goes on").click()
    address = page.url
    act("pause", "It stays at its share")
    page.goto(address)
    assert "held at its share" in page.inner_text("main")
    page.locator("form[action='/releases/promote'] [name=reason]").fill("agreed")
    page.click("form[action='/releases/promote'] button")
    assert "harm is not excluded" in page.inner_text("main")
    page.goto(address)
    act("resume", "It goes on.")
    page.goto(address)
    act("rollback", "It is taken back")
    page.goto(address)
    told = page.inner_text(".timeline")
    for each in ("held by hand: timetable changes", "goes on by hand", "ml_engineer@example.org"):
        assert each in told
    page.wrong = [said for said in page.wrong if "403" not in said]  # the refused promotion
    assert not page.wrong
    page.context.close()


def test_who_lets_people_in_makes_a_key_and_revokes_it(window, server):
    page = person(window, server, "project_manager")
    page.goto(f"{server.url}/people")
    form = page.locator("form[action='/people/keys']")
    form.locator("[name=name]").fill("gate-7")
    form.locator("[name=scopes]").first.fill("predict")
    form.locator("button").click()
    assert re.search(r"vitok_[\w-]{43}", page.inner_text("main"))
    page.goto(f"{server.url}/people")
    assert "gate-7" in page.inner_text("main")
    page.click("form[action='/people/keys/gate-7/revoke'] button")
    assert "gate-7" not in page.inner_text("main table")
    page.context.close()


def test_no_model_yet_says_what_to_do_next(window, tmp_path):
    write_example(tmp_path / "empty")
    project = open_project(tmp_path / "empty")
    with Server(project, guarded=False) as found:
        page = window.new_page()
        for path in PAGES:
            answer = page.goto(f"{found.url}{path}")
            assert answer.status in (200, 403), path
        page.goto(f"{found.url}/")
        assert "No model yet" in page.inner_text("main")
        page.close()
    project.engine.dispose()


def test_a_database_that_is_broken_is_told_on_every_page(window, tmp_path):
    project = two_versions(tmp_path, VirtualClock(START))
    with Server(project, guarded=False) as found:
        project.engine.dispose()
        for path in tmp_path.glob(".vitok/state.sqlite*"):
            path.write_bytes(b"no database at all" * 500)
        page = window.new_page()
        for path in ("/", "/turns", "/audit"):
            assert page.goto(f"{found.url}{path}").status == 503
            assert "the state database does not answer" in page.inner_text("main")
        page.close()

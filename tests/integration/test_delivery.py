"""Alerts arrive where people read them: by mail, in chats; and an address in trouble keeps no other waiting."""

import json
import socket
import threading
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from certificates import write_certificate
from examples import CHARTER
from mail_server import mail_server
from serving import free_port
from vitok.kernel.clock import VirtualClock
from vitok.loop import attempt
from vitok.loop.alerts import acknowledge, snooze
from vitok.loop.notify import deliver, emit, emit_reminders, list_events
from vitok.monitor.alerts import Alert
from vitok.registry.windows import save_alert
from vitok.wire import open_project

NOW = datetime(2026, 1, 10, tzinfo=UTC)
MAIL = "notify: [{url: 'mailto:ada@example.org', on: [alert]}]\n"
HOSTILE = "<!channel> @here *x* </b><script>alert(1)</script> [a](http://evil.example) \u202e`rm`"
DATA = {
    "kind": "drift",
    "severity": "alarm",
    "since": "2026-01-08T00:00:00Z",
    "sentence": f"{HOSTILE}: the distribution moved.",
    "remedy": "Check the source first.",
    "runbook": "docs/operations.md#what-to-do-when",
}


class Chat:
    """An address of HTTP that answers as told: a status, or a pair of a status and headers."""

    def __init__(self):
        self.got, self.answers = [], []
        chat = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                chat.got.append((self.path, json.loads(body)))
                answer = chat.answers.pop(0) if chat.answers else 200
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *words):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def chat():
    found = Chat()
    yield found
    found.server.shutdown()
    found.server.server_close()


def project_with(tmp_path, notify):
    (tmp_path / "vitok.yaml").write_text(CHARTER + notify)
    lines = []
    found = open_project(tmp_path, clock=VirtualClock(NOW), say=lines.append)
    return found, lines


def tell(project, number=1, **changes):
    with project.engine.begin() as connection:
        emit(connection, project.charter, project.clock(), "alert", f"alert {number}", DATA | changes)


def later(project, **length):
    project.clock.move_to(project.clock() + timedelta(**length))


def errors(project):
    return [event["error"] for event in list_events(project, dead=False)["events"]]


@pytest.fixture
def certificate(tmp_path, monkeypatch):
    files = write_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    return files


def test_mail_goes_encrypted_with_user_and_password(tmp_path, certificate, monkeypatch):
    project, _ = project_with(tmp_path, MAIL)
    port = free_port()
    monkeypatch.setenv("VITOK_SMTP_URL", f"smtp://ops@127.0.0.1:{port}")
    monkeypatch.setenv("VITOK_SMTP_PASSWORD", "hush@1")
    monkeypatch.setenv("VITOK_SMTP_FROM", "vitok@example.org")
    tell(project)
    with mail_server(port, certificate, users=True) as server:
        assert deliver(project) == 1
        assert deliver(project) == 0
    (mail,) = server.got
    assert (server.secured, server.users) == ([True], ["ops"])
    assert (mail["To"], mail["From"]) == ("ada@example.org", "vitok@example.org")
    assert mail["Subject"] == "[vitok] flights: alarm (drift)"
    text, page = (part.get_content() for part in mail.iter_parts())
    assert "Since: 2026-01-08T00:00:00Z" in text
    assert "What to do: Check the source first." in text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_wrong_password_is_told_without_it_and_tried_again(tmp_path, certificate, monkeypatch):
    project, lines = project_with(tmp_path, MAIL)
    port = free_port()
    monkeypatch.setenv("VITOK_SMTP_URL", f"smtp://ops:wr%40ng@127.0.0.1:{port}")
    tell(project)
    with mail_server(port, certificate, users=True) as server:
        assert deliver(project) == 0
        assert errors(project) == ["the mail server refused user or password (535)"]
        monkeypatch.setenv("VITOK_SMTP_URL", f"smtp://ops:hush%401@127.0.0.1:{port}")
        later(project, seconds=10)
        assert deliver(project) == 1
    assert len(server.got) == 1
    assert "wr" not in " ".join(lines).replace("written", "")


def test_no_password_and_no_mail_goes_in_the_clear_unless_that_is_said(tmp_path, monkeypatch):
    project, _ = project_with(tmp_path, MAIL)
    port = free_port()
    tell(project)
    with mail_server(port) as server:
        for url, words in [
            (f"smtp://127.0.0.1:{port}", "STARTTLS"),
            (f"smtp://ops:hush@127.0.0.1:{port}?tls=off", "not sent in the clear"),
        ]:
            monkeypatch.setenv("VITOK_SMTP_URL", url)
            assert deliver(project) == 0
            assert words in errors(project)[0]
            later(project, minutes=1)
        monkeypatch.setenv("VITOK_SMTP_URL", f"smtp://127.0.0.1:{port}?tls=off")
        assert deliver(project) == 1
    assert server.secured == [False]


def test_mail_waits_for_a_server_that_is_away_and_comes_once(tmp_path, monkeypatch):
    project, _ = project_with(tmp_path, MAIL)
    port = free_port()
    tell(project)
    assert deliver(project) == 0
    assert errors(project) == ["the mail server VITOK_SMTP_URL is not set"]
    monkeypatch.setenv("VITOK_SMTP_URL", f"smtp://127.0.0.1:{port}?tls=off")
    for _ in range(5):
        later(project, hours=1)
        assert deliver(project) == 0
    assert "refused" in errors(project)[0]
    with mail_server(port) as server:
        for _ in range(3):
            later(project, hours=1)
            deliver(project)
    assert len(server.got) == 1
    (event,) = list_events(project, dead=False)["events"]
    assert (event["state"], event["attempts"]) == ("delivered", 7)


def test_receiver_who_is_refused_keeps_no_other_mail_back(tmp_path, monkeypatch):
    other = MAIL.replace("]}]", "]}, {url: 'mailto:bob@example.org', on: [alert]}]")
    project, _ = project_with(tmp_path, other)
    port = free_port()
    monkeypatch.setenv("VITOK_SMTP_URL", f"smtp://127.0.0.1:{port}?tls=off")
    tell(project)
    with mail_server(port) as server:
        server.refused.add("ada@example.org")
        assert deliver(project) == 1
    assert server.got[0]["To"] == "bob@example.org"
    assert "the mail server refused the receiver" in errors(project)


@pytest.mark.parametrize("url", ["mail.example.org", "http://mail.example.org", "smtp://", "smtp://h:port"])
def test_bad_address_of_a_mail_server_is_told(tmp_path, monkeypatch, url):
    project, _ = project_with(tmp_path, MAIL)
    monkeypatch.setenv("VITOK_SMTP_URL", url)
    tell(project)
    assert deliver(project) == 0
    assert "is no address such as smtp://" in errors(project)[0]


def chats(url):
    return (
        f"notify:\n- {{url: '{url}/services/T0/B0/hush', on: [alert], format: slack}}\n"
        f"- {{url: 'env:TEAMS_URL', on: [alert], format: teams}}\n"
        f"- {{url: 'env:BOT_URL', on: [alert], format: telegram, chat: -100}}\n"
        f"- {{url: 'env:BOT_URL', on: [alert], format: telegram, chat: -200}}\n"
    )


def test_each_chat_gets_its_form_escaped(tmp_path, chat, monkeypatch):
    project, _ = project_with(tmp_path, chats(chat.url))
    monkeypatch.setenv("TEAMS_URL", f"{chat.url}/workflow?sig=hush")
    monkeypatch.setenv("BOT_URL", f"{chat.url}/bot1:hush/sendMessage")
    tell(project)
    assert deliver(project) == 4
    got = {body.get("chat_id", path): body for path, body in chat.got}
    slack, teams = got["/services/T0/B0/hush"], got["/workflow?sig=hush"]
    assert {"-100", "-200"} <= set(got)
    section = slack["blocks"][1]["text"]["text"]
    assert "<!channel>" not in section
    assert "&lt;!channel&gt;" in section
    (attachment,) = teams["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert attachment["content"]["version"] == "1.4"
    facts = {fact["title"]: fact["value"] for fact in attachment["content"]["body"][1]["facts"]}
    assert "[a](http" not in facts["What"]
    assert "<script>" not in got["-100"]["text"]
    assert got["-100"]["parse_mode"] == "HTML"
    assert not any("\u202e" in json.dumps(body, ensure_ascii=False) for body in got.values())


def test_no_token_of_an_address_is_told_or_kept(tmp_path, chat, monkeypatch):
    project, lines = project_with(tmp_path, chats(chat.url))
    monkeypatch.setenv("TEAMS_URL", "hush.example.org/no-scheme")
    chat.answers = [404, 404, 404]
    tell(project)
    deliver(project)
    shown = json.dumps(list_events(project, dead=False))
    assert "hush" not in shown + "".join(lines)
    assert "the value of TEAMS_URL is no address of HTTP" in shown
    assert "the address BOT_URL is not set" in shown
    assert f"{chat.url}/..." in shown


def test_address_that_hands_on_to_another_has_not_taken_the_event(tmp_path, chat):
    project, _ = project_with(tmp_path, f"notify: [{{url: '{chat.url}/hook', on: [alert]}}]\n")
    chat.answers = [(302, {"Location": f"{chat.url}/other"})]
    tell(project)
    assert deliver(project) == 0
    assert errors(project) == ["answered 302"]


def test_retry_after_is_respected_also_for_what_waits_behind(tmp_path, chat):
    project, _ = project_with(tmp_path, f"notify: [{{url: '{chat.url}/hook', on: [alert]}}]\n")
    chat.answers = [(429, {"Retry-After": "120"})]
    tell(project, 1)
    tell(project, 2)
    assert deliver(project) == 0
    assert len(chat.got) == 1
    later(project, seconds=119)
    assert deliver(project) == 0
    assert len(chat.got) == 1
    later(project, seconds=1)
    assert deliver(project) == 2
    assert sorted(event["attempts"] for event in list_events(project, dead=False)["events"]) == [1, 2]


@contextmanager
def silent_address(drip):
    """An address that takes connections and says nothing, or a byte now and then."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        taken = []

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                taken.append(connection)
                if drip:
                    threading.Thread(target=slowly, args=(connection,), daemon=True).start()

        def slowly(connection):
            try:
                connection.sendall(b"HTTP/1.1 200 ")
                while True:
                    connection.sendall(b"a")
                    time.sleep(0.1)
            except OSError:
                connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
        for connection in taken:
            connection.close()


@pytest.mark.parametrize("drip", [False, True])
def test_address_that_hangs_keeps_no_other_waiting(tmp_path, chat, monkeypatch, drip):
    monkeypatch.setattr("vitok.loop.delivery.TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(attempt, "LONGEST_SECONDS", 1.0)
    monkeypatch.setattr(attempt, "_ROUND_SECONDS", 2.0)
    with silent_address(drip) as url:
        notify = f"notify: [{{url: '{url}', on: [alert]}}, {{url: '{chat.url}/hook', on: [alert]}}]\n"
        project, _ = project_with(tmp_path, notify)
        for number in range(30):  # more than are taken at once for one address
            tell(project, number)
            later(project, microseconds=1)
        started = time.perf_counter()
        assert deliver(project) == 20
        assert deliver(project) == 10
        assert time.perf_counter() - started < 5
    assert len(chat.got) == 30


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_mail_server_that_hangs_keeps_no_other_waiting(tmp_path, chat, monkeypatch, scheme):
    monkeypatch.setattr("vitok.loop.mail.TIMEOUT_SECONDS", 0.5)
    notify = (
        f"notify: [{{url: 'mailto:ada@example.org', on: [alert]}}, {{url: '{chat.url}/hook', on: [alert]}}]\n"
    )
    project, _ = project_with(tmp_path, notify)
    with silent_address(drip=False) as url:
        monkeypatch.setenv(
            "VITOK_SMTP_URL", f"{scheme}://{url.removeprefix('http://').removesuffix('/hook')}"
        )
        tell(project, 1)
        tell(project, 2)
        started = time.perf_counter()
        assert deliver(project) == 2
        assert time.perf_counter() - started < 5
    assert any("timed out" in error for error in errors(project))


def test_two_processes_at_once_tell_an_event_once(tmp_path, chat):
    first, _ = project_with(tmp_path, f"notify: [{{url: '{chat.url}/hook', on: [alert]}}]\n")
    second = open_project(tmp_path, clock=VirtualClock(NOW))
    for number in range(10):
        tell(first, number)
    both = [threading.Thread(target=deliver, args=(each,)) for each in (first, second)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert len({body["id"] for _, body in chat.got}) == len(chat.got) == 10


def test_alarm_is_told_again_until_somebody_takes_it_on(tmp_path, chat):
    project, _ = project_with(tmp_path, f"notify: [{{url: '{chat.url}/hook', on: [alert], remind: 12h}}]\n")
    key = "01kdvnwg00abcdefghjk"
    alert = Alert("drift", "alarm", NOW, NOW, NOW, ("temp",), "temp moved.", "Look.")
    with project.engine.begin() as connection:
        save_alert(connection, key, alert)
        emit(connection, project.charter, NOW, "alert", f"alert {key}", alert.as_json())

    def round_of():
        emit_reminders(project)
        emit_reminders(project)  # whoever asks a second time means the same reminder
        return deliver(project)

    assert round_of() == 1
    later(project, hours=11)
    assert round_of() == 0
    later(project, hours=1)
    assert round_of() == 1
    assert chat.got[-1][1]["data"]["reminder"] is True
    snooze(project, key, duration=timedelta(days=2), note="", actor="ada")
    later(project, days=1)
    assert round_of() == 0
    later(project, days=1)
    assert round_of() == 1
    acknowledge(project, key, note="", actor="ada")
    later(project, days=9)
    assert round_of() == 0


def test_address_that_is_added_later_learns_of_open_alarms(tmp_path, chat):
    project, _ = project_with(tmp_path, f"notify: [{{url: '{chat.url}/hook', on: [alert]}}]\n")
    with project.engine.begin() as connection:
        for key, severity in [("01kdvnwg00abcdefghjk", "alarm"), ("01kdvnwg01abcdefghjk", "notice")]:
            save_alert(
                connection, key, Alert("drift", severity, NOW, NOW, NOW, ("temp",), "temp moved.", "Look.")
            )
    emit_reminders(project)
    assert deliver(project) == 1
    assert chat.got[0][1]["data"]["reminder"] is False

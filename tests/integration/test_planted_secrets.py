"""Secrets that are planted wherever Vitok takes them stand in no file, no log line and no output of a whole run."""

import gzip
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rollouts import START, two_versions
from serving import free_port
from vitok.journal.ledger import Ledger, MemoryLedger
from vitok.kernel.clock import VirtualClock
from vitok.kernel.ids import new_id
from vitok.loop.auditing import export_audit, list_audit, sign_audit, verify_audit
from vitok.loop.backup import back_up
from vitok.loop.doctor import examine
from vitok.loop.incident_acts import list_incidents, open_incident
from vitok.loop.incidents import look_after_incidents
from vitok.loop.keep import show_life
from vitok.loop.keys import add_key, list_keys, publish_keys
from vitok.loop.notify import deliver, emit_reminders, list_events
from vitok.loop.operations import operations_report
from vitok.loop.postmortem import post_mortem
from vitok.loop.release import release_at_once
from vitok.loop.rollback import roll_back
from vitok.monitor.alerts import Alert
from vitok.registry.windows import save_alert
from vitok.report.postmortem import post_mortem_markdown

SECRETS = {
    "VITOK_SECRET": "planted-signing-secret-8412",
    "VITOK_SMTP_PASSWORD": "planted-mail-password-5530",
    "HOOK_URL": "http://127.0.0.1:{port}/hooks/planted-hook-token-2297",
    "HOOK_SECRET": "planted-hook-secret-9038",
}
NOTIFY = """\
notify:
  - {url: env:HOOK_URL, on: [alert, incident, release, rollback], secret: HOOK_SECRET}
  - {url: env:HOOK_URL, on: [alert, incident], format: slack}
  - {url: 'mailto:ada@example.org', on: [alert, incident]}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    port = free_port()  # nobody listens: what fails is told in the most words
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value.format(port=port))
    monkeypatch.setenv("VITOK_SMTP_URL", f"smtp://ops:planted-url-password-6174@127.0.0.1:{port}")
    made = two_versions(tmp_path, VirtualClock(START), more=NOTIFY)
    yield made
    made.engine.dispose()


def live(project: Any) -> list[Any]:
    """What happens in production and what people ask about it; everything that was printed."""
    clock = project.clock
    now = clock()
    alert = Alert("quality", "alarm", now, now, now, ("roc_auc",), "It fell.", "Retrain.")
    with project.engine.begin() as connection:
        save_alert(connection, new_id(now), alert)
    release_at_once(project, 2, actor="ada")
    open_incident(project, "the feed is late", severity=None, actor="ada")
    for hours in (0, 30):
        clock.move_to(clock() + timedelta(hours=hours))
        look_after_incidents(project)
        emit_reminders(project)
        deliver(project)
    back = roll_back(lambda: project, project.folder, clock, actor="ada", reason="smoke")
    publish_keys(project)
    show_life(project)
    sign_audit(project)
    draft = post_mortem(project, MemoryLedger(), 1)
    return [
        back,
        draft,
        post_mortem_markdown(draft),
        list_events(project, dead=False),
        list_keys(project),
        list_audit(project, limit=100),
        verify_audit(project),
        *export_audit(project, "jsonl"),
        *export_audit(project, "cloudevents"),
        list_incidents(project),
        operations_report(project, Ledger(project.lake), timedelta(days=7)),
        examine(project),
        back_up(project),
    ]


def test_no_planted_secret_is_left_anywhere(
    project: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines: list[str] = []
    project = replace(project, say=lines.append)
    key = add_key(project, "shop", scopes=["predict"], actor="ada")["key"]
    printed = json.dumps(live(project), default=str)
    logged = "".join([*lines, *capfd.readouterr()])
    assert "could not be told" in logged
    planted = [key.encode(), *(word.encode() for word in ("planted-", SECRETS["VITOK_SECRET"]))]
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert len(files) > 10
    contents = {
        **{str(path): content for path, content in files.items()},
        **{f"{path}, unpacked": gzip.decompress(files[path]) for path in files if path.suffix == ".gz"},
        "what was printed": printed.encode(),
        "what was logged": logged.encode(),
    }
    assert any(name.endswith("unpacked") for name in contents)
    assert not [(name, word) for name, content in contents.items() for word in planted if word in content]

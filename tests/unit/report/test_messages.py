import html
import json
import re

from hypothesis import given
from hypothesis import strategies as st

from vitok.report.messages import (
    mail_html,
    mail_text,
    message_of,
    slack_body,
    teams_body,
    telegram_body,
)

ALERT = {
    "kind": "quality",
    "severity": "alarm",
    "since": "2026-01-01T00:00:00Z",
    "what": ["roc_auc", "recall"],
    "sentence": "roc_auc fell.",
    "remedy": "Retrain.",
    "calm": 0,
}


def message(**changes):
    return message_of("flights", "alert", "alert 01kdvnwg00abcdefghjk", ALERT | changes)


def test_message_says_what_since_when_and_what_to_do():
    found = message()
    assert found.title == "flights: alarm (quality)"
    assert dict(found.facts) == {
        "What": "roc_auc fell.",
        "Concerns": "roc_auc, recall",
        "Since": "2026-01-01T00:00:00Z",
        "What to do": "Retrain.",
    }
    assert found.command == "vitok alerts show cdefghjk; vitok alerts ack cdefghjk"
    assert message(reminder=True).title == "flights: Still: alarm (quality)"


def test_other_kinds_have_messages_too():
    row = {"id": "p1", "version": 3, "score": 0.51234567, "reason": "near"}
    found = message_of("flights", "hand_over", "prediction p1", row)
    assert found.title == "flights: Row for a person, prediction p1"
    assert dict(found.facts) == {"Version": "3", "Score": "0.5123", "Reason": "near"}
    assert message_of("flights", "release", "version 3", {}).facts == ()
    assert len(slack_body(message_of("flights", "release", "version 3", {}))["blocks"]) == 2


@given(st.text(max_size=5000))
def test_no_form_is_too_long_or_broken_by_any_text(text):
    found = message(sentence=text, what=[text])
    slack = slack_body(found)
    assert all(len(block.get("text", {}).get("text", "")) <= 3000 for block in slack["blocks"])
    assert not re.search(r"<[!@#h]", slack["blocks"][1]["text"]["text"])
    chat = telegram_body(found, "-1")["text"]
    assert len(chat) <= 4096
    tags = re.findall(r"</?(\w+)>", chat)
    assert set(tags) <= {"b", "code"}
    assert chat.count("<b>") == chat.count("</b>")
    page = mail_html(found)
    assert set(re.findall(r"<(\w+)", page)) == {
        "html", "head", "meta", "title", "body", "h2", "table", "tr", "th", "td", "p", "code",
    }  # fmt: skip
    assert len(json.dumps(teams_body(found))) < 28_000
    assert "\x00" not in mail_text(found)


def test_what_looks_like_a_command_of_a_chat_is_only_text():
    found = message(
        sentence="<!everyone> <@U1> @channel <http://evil.example|x> **bold** [x](http://evil.example)"
    )
    slack = slack_body(found)["blocks"][1]["text"]
    assert slack["verbatim"] is True
    assert "&lt;!everyone&gt; &lt;@" in slack["text"]
    assert "@channel" not in slack["text"]
    value = teams_body(found)["attachments"][0]["content"]["body"][1]["facts"][0]["value"]
    assert r"\[x\]\(http:" in value
    assert "://" not in value
    assert html.escape("<@U1>") in telegram_body(found, 1)["text"]

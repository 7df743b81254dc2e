"""Events as people read them: one message, written as each chat program and mail want it.

Every text may hold words of others, such as the name of a column or of a caller, so each form escapes what it would
read as an instruction: links, mentions, bold letters.
"""

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_LONGEST_FACT = 1200
_LONGEST_TEXT = 3500  # Telegram takes 4096 characters, a section of Slack 3000, Teams 28 kB in all
_LONGEST_SECTION = 2900
_INVISIBLE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-!|~>])")
_TITLES = {
    "verdict": "Verdict",
    "question": "Question",
    "release": "Release",
    "rollback": "Rollback",
    "hand_over": "Row for a person",
}
_FACTS = (
    ("sentence", "What"),
    ("question", "Question"),
    ("what", "Concerns"),
    ("segment", "Segment"),
    ("since", "Since"),
    ("opened", "Noticed"),
    ("owner", "Owner"),
    ("due", "Due"),
    ("sure", "How sure"),
    ("effect", "What it probably does"),
    ("money", "What it costs"),
    ("remedy", "What to do"),
    ("runbook", "Run book"),
    ("verdict", "Verdict"),
    ("version", "Version"),
    ("role", "Asked"),
    ("link", "Answer here"),
    ("score", "Score"),
    ("reason", "Reason"),
    ("actor", "By"),
)


@dataclass(frozen=True, slots=True)
class Message:
    """What an event says.

    Args:
        title: One line.
        facts: Pairs of a word and a text, the most important first.
        command: What shows more.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    command: str


def message_of(project: str, kind: str, subject: str, data: Mapping[str, Any]) -> Message:
    """The message of an event.

    Args:
        kind: Such as `alert`.
        subject: What the event is about, such as `version 3`.
        data: The event's data; of an alert, its JSON form.
    """
    facts = tuple(
        (word, text) for key, word in _FACTS if key in data and (text := _clean(_text(data[key])).strip())
    )
    return Message(
        f"{_clean(project)}: {_clean(_title(kind, subject, data))}", facts, _command(kind, subject)
    )


def slack_body(message: Message) -> dict[str, Any]:
    """The body for an incoming webhook of Slack, as blocks of plain text and escaped mrkdwn."""
    lines = (f"*{word}*: {_slack(text)}" for word, text in message.facts)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": message.title[:150], "emoji": False}},
        {
            "type": "section",
            "text": {"type": "mrkdwn", "text": _joined(lines, _LONGEST_SECTION), "verbatim": True},
        },
        {"type": "context", "elements": [{"type": "plain_text", "text": message.command, "emoji": False}]},
    ]
    if not message.facts:
        del blocks[1]
    return {"text": _slack(message.title), "blocks": blocks, "unfurl_links": False}


def teams_body(message: Message) -> dict[str, Any]:
    """The body for a workflow webhook of Microsoft Teams: one adaptive card."""
    facts = [{"title": word, "value": _markdown(text)} for word, text in message.facts]
    body: list[dict[str, Any]] = [
        {
            "type": "TextBlock",
            "text": _markdown(message.title),
            "weight": "Bolder",
            "size": "Medium",
            "wrap": True,
        },
        {"type": "FactSet", "facts": facts},
        {"type": "TextBlock", "text": _markdown(message.command), "isSubtle": True, "wrap": True},
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


def telegram_body(message: Message, chat: str | int) -> dict[str, Any]:
    """The body for Telegram's `sendMessage`, in its HTML."""
    lines = (f"<b>{word}</b>: {html.escape(text, quote=False)}" for word, text in message.facts)
    whole = _joined((f"<b>{html.escape(message.title, quote=False)}</b>", *lines), _LONGEST_TEXT)
    text = f"{whole}\n<code>{html.escape(message.command, quote=False)}</code>"
    return {
        "chat_id": chat,
        "text": text,
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
    }


def mail_text(message: Message) -> str:
    """The message as plain text."""
    lines = [f"{word}: {text}" for word, text in message.facts]
    return "\n\n".join([message.title, *lines, message.command]) + "\n"


def mail_html(message: Message) -> str:
    """The message as simple HTML without anything that is fetched."""
    rows = "".join(
        f'<tr><th align="left" valign="top">{html.escape(word)}</th><td>{html.escape(text)}</td></tr>'
        for word, text in message.facts
    )
    title, command = html.escape(message.title), html.escape(message.command)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head><body>'
        f"<h2>{title}</h2><table>{rows}</table><p><code>{command}</code></p></body></html>\n"
    )


def _title(kind: str, subject: str, data: Mapping[str, Any]) -> str:
    if kind == "alert":
        reminder = "Still: " if data.get("reminder") else ""
        return f"{reminder}{data.get('severity', 'alert')!s} ({data.get('kind', '?')})"
    if kind == "incident":
        return f"{subject} ({data.get('severity', '?')!s}) {data.get('happened', '')!s}"
    return f"{_TITLES.get(kind, kind)}, {subject}"


def _command(kind: str, subject: str) -> str:
    if kind == "alert":
        suffix = subject.removeprefix("alert ")[-8:]
        return f"vitok alerts show {suffix}; vitok alerts ack {suffix}"
    if kind == "incident":
        return f"vitok incidents show {subject.removeprefix('incident ')}"
    known = {"verdict": "vitok models", "question": "vitok approvals", "hand_over": "vitok reviews"}
    return known.get(kind, "vitok releases")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    found = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return found if len(found) <= _LONGEST_FACT else f"{found[:_LONGEST_FACT]} ..."


def _clean(text: str) -> str:
    """Without what one cannot see, and on one line."""
    return _INVISIBLE.sub("", text).replace("\n", " ").replace("\u2028", " ").replace("\u2029", " ")


def _slack(text: str) -> str:
    """Escaped as Slack says; a zero-width space keeps letters from becoming bold, struck out or code."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([*_~`])", "\\1\u200b", re.sub(r"@(?=\w)", "@\u200b", escaped))


def _markdown(text: str) -> str:
    """Escaped for the Markdown of adaptive cards, which know no HTML; addresses do not become links."""
    return _MARKDOWN.sub(r"\\\1", text).replace("://", ":\u200b//")


def _joined(lines: Iterable[str], longest: int) -> str:
    """As many whole lines as there is room for, so that no mark is cut in two."""
    kept, used = list[str](), 0
    for line in lines:
        if used + len(line) + 1 > longest:
            continue
        kept.append(line)
        used += len(line) + 1
    return "\n".join(kept)

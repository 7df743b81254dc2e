"""The documentation is complete: every verb, option, charter key and setting stands where readers look for it."""

import json
import re
from pathlib import Path

import click
import pytest
import typer.main
from typer.testing import CliRunner

from vitok.charter.expressions import parse_expression
from vitok.charter.load import load_charter
from vitok.cli.app import VERBS, build
from vitok.cli.export import KINDS
from vitok.export.schema import charter_schema
from vitok.report.charter_reference import EXAMPLE, GATES, TRIGGERS, charter_keys, charter_reference
from vitok.wire import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(page: str, title: str) -> str:
    """The text under a heading of the second level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title!r}"
    return found[1]


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    return build(list(VERBS))


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as repository viewers make them."""
    titles = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def parameters(command: click.Command) -> set[str]:
    """The options and arguments of a verb, and of the verbs inside it."""
    inner: dict[str, click.Command] = getattr(command, "commands", {})
    own = {name for parameter in command.params for name in parameter.opts}
    return own.union(*(parameters(each) for each in inner.values()))


def test_every_verb_and_option_is_documented(app: typer.Typer) -> None:
    page = read("docs/commands.md")
    group = typer.main.get_command(app)
    commands: dict[str, click.Command] = group.commands  # type: ignore[attr-defined]
    assert set(commands) == set(VERBS)
    for verb, command in commands.items():
        text = section(page, verb)
        options = {name for name in parameters(command) if name.startswith("-")}
        missing = [name for name in sorted(options - {"--help"}) if f"`{name}" not in text]
        assert not missing, f"docs/commands.md, {verb}: {missing}"
        assert f"$ vitok {verb}" in text, f"docs/commands.md, {verb}: no example"


def test_the_page_documents_no_option_that_is_gone(app: typer.Typer) -> None:
    page = read("docs/commands.md")
    commands: dict[str, click.Command] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for verb, command in commands.items():
        known = parameters(command)
        written = set(re.findall(r"^\| `(--[\w-]+)", section(page, verb), re.MULTILINE))
        assert written <= known, f"docs/commands.md, {verb}: {sorted(written - known)}"
    sections = set(re.findall(r"^## (\S+)$", page, re.MULTILINE))
    assert sections == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_an_example(app: typer.Typer, verb: str) -> None:
    result = CliRunner().invoke(app, [verb, "--help"])
    assert result.exit_code == 0
    assert f"Example: vitok {verb}" in " ".join(result.output.split())


def test_the_charter_page_is_what_the_models_say() -> None:
    assert read("docs/charter.md") == charter_reference(), (
        "run: vitok export charter-reference -o docs/charter.md"
    )


def test_every_charter_key_is_documented() -> None:
    page = read("docs/charter.md")
    keys = charter_keys()
    assert {"project", "data.split.by", "risks[].watched_by", "monitor.drift.false_alarms"} <= set(keys)
    assert not [key for key in keys if f"| `{key}` |" not in page]


def test_examples_of_the_charter_page_are_accepted() -> None:
    load_charter(EXAMPLE)
    for text in (*GATES, *TRIGGERS):
        parse_expression(text)


def test_the_schema_names_every_key_with_its_meaning() -> None:
    schema = json.loads(charter_schema())
    models = [schema, *schema["$defs"].values()]
    properties = [(name, node) for model in models for name, node in model.get("properties", {}).items()]
    assert {key.rpartition(".")[2] for key in charter_keys()} == {name for name, _ in properties}
    # A section whose description is that of its model is a bare reference.
    assert not [name for name, node in properties if not node.get("description") and "$ref" not in node]


@pytest.mark.parametrize("kind", KINDS)
def test_export_writes_to_stdout_or_a_file(app: typer.Typer, kind: str, tmp_path: Path) -> None:
    printed = CliRunner().invoke(app, ["export", kind])
    assert printed.output == KINDS[kind]()
    written = CliRunner().invoke(app, ["export", kind, "-o", str(tmp_path / "new" / "file"), "--json"])
    assert json.loads(written.output) == {"kind": kind, "file": str(tmp_path / "new" / "file")}
    assert (tmp_path / "new" / "file").read_text(encoding="utf-8") == KINDS[kind]()


def test_every_setting_is_documented() -> None:
    page = section(read("docs/operations.md"), "Settings")
    names = {f"VITOK_{name.upper()}" for name in Settings.model_fields}
    for path in (ROOT / "src").rglob("*.py"):
        names |= set(re.findall(r"VITOK_[A-Z][A-Z_]*[A-Z]", path.read_text(encoding="utf-8")))
    assert not [name for name in sorted(names) if f"`{name}`" not in page]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{target} leads nowhere"
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), f"{target}: no such heading"


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, open_pages = set(), [ROOT / "README.md"]
    while open_pages:
        page = open_pages.pop()
        seen.add(page)
        targets = re.findall(r"\]\(([^)#\s]+\.md)", page.read_text(encoding="utf-8"))
        found = {(page.parent / target).resolve() for target in targets if ":" not in target}
        open_pages += [target for target in found - seen if target.exists()]
    assert set(PAGES) <= seen


def test_the_readme_has_room_for_the_summary_of_the_demo() -> None:
    before, _, rest = read("README.md").partition("<!-- demo:begin -->")
    summary, end, _ = rest.partition("<!-- demo:end -->")
    assert before
    assert end
    assert summary.strip()

"""What a new version demands of requests that the one before did not: callers of today do not send it."""

from vitok.errors import UserMistake
from vitok.loop.project import Project
from vitok.model.bundle import load_manifest
from vitok.registry.versions import Version

AT_ONCE = ("immediate", "blue-green")  # no champion answers what the new version cannot


def new_demands(project: Project, old: Version, new: Version, strategy: str, *, is_asked: bool) -> list[str]:
    """What callers must send from now on, as warnings.

    Args:
        old: The champion.
        strategy: How the new version comes.
        is_asked: Whether somebody named the strategy, and not the charter.

    Raises:
        UserMistake: all callers of today would be refused at once, and nobody has said that this is wanted.
    """
    before = {field.name: field for field in load_manifest(project.blobs, old.digest).inputs}
    inputs = load_manifest(project.blobs, new.digest).inputs
    lacking = [
        field.name
        for field in inputs
        if (field.name not in before and not field.nullable)
        or (field.name in before and before[field.name].kind != field.kind)
    ]
    strict = [
        field.name
        for field in inputs
        if field.name not in lacking and field.name in before and before[field.name].nullable > field.nullable
    ]
    requires = f"requires {', '.join(lacking)}, which requests for version {old.number} do not have"
    if lacking and strategy in AT_ONCE and not is_asked:
        raise UserMistake(
            f"version {new.number}",
            f"{requires}: all of them would be refused",
            "Release it with --strategy canary: rows without it are then answered by the version before. Or name "
            f"--strategy {strategy}, if every caller sends it from now on.",
        )
    found = [f"it {requires}"] if lacking else []
    if strict:
        found.append(f"it does not take rows without {', '.join(strict)}, which version {old.number} does")
    if strategy in AT_ONCE:
        so = "such requests are refused"
    else:
        so = "such rows are answered by the champion, and count as failures of the new version"
    return [f"Version {new.number}: {each}; {so}." for each in found]

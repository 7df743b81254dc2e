"""The charter's keys for backups that Vitok makes by itself."""

from pydantic import Field

from vitok.charter.section import Section


class Backups(Section):
    """What is put aside before a version is released."""

    keep: int = Field(
        10,
        ge=0,
        le=1000,
        description="So many of the archives that are written before each release are kept. A release whose archive "
        "cannot be written is refused; with 0 none is written.",
        examples=[10],
    )

"""The charter's keys for the data: where rows come from, what columns are, how rows are divided."""

from typing import Literal

from pydantic import Field

from vitok.charter.section import Section
from vitok.charter.values import Period, Share


class Split(Section):
    """How rows are divided into training, validation and test."""

    by: Literal["time", "random", "stratified"] | None = Field(
        None,
        description="By time (the last rows are the test), at random, or with equal class shares. Default: "
        "time if there is a time column, else stratified, else random.",
        examples=["time"],
    )
    test: Share | Period = Field(
        0.2,
        description="Share of the rows held out for the verdict, or (by time) the length of the last period.",
        examples=["20%"],
        union_mode="left_to_right",
    )
    validation: Share = Field(
        0.1,
        description="Share of the rows used for early stopping, tuning and the threshold.",
        examples=["10%"],
    )


class Data(Section):
    """Where the rows come from and what must hold for them."""

    sources: dict[str, str] = Field(
        description="Name of each table and its file (CSV, Parquet), relative to the project.",
        examples=[{"flights": "data/flights.parquet"}],
        min_length=1,
    )
    query: str | None = Field(
        None,
        description="SQL over the sources that gives the rows. Default: all rows of the only source.",
        examples=["SELECT * FROM flights"],
    )
    personal: list[str] = Field(
        [],
        description="Columns with personal data: never features, never in reports.",
        examples=[["tail_number"]],
    )
    exclude: list[str] = Field([], description="Columns that are no features.", examples=[["arr_time"]])
    trusted: list[str] = Field(
        [],
        description="Features that nearly determine the target and are truly known at "
        "the moment of the decision.",
        examples=[["sensor"]],
    )
    images: list[str] = Field(
        [],
        description="Columns with images, as base64 or `data:` addresses: watched by size, light, colour, sharpness, "
        "and whether they can be decoded. Columns that look like images are taken for such anyway, where "
        "`vitok[images]` is installed; those named here must be.",
        examples=[["photo"]],
    )
    expect: str = Field(
        "expectations.yaml",
        description="File with the expectations that every snapshot must meet.",
        examples=["expectations.yaml"],
    )
    split: Split = Field(Split(), description="Training, validation and test.")

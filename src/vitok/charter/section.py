"""What all parts of the charter share: strictness and words."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Path = tuple[str | int, ...]  # keys and numbers from the top of the charter, as `("accept", 0)`


class Section(BaseModel):
    """A part of the charter: strict types, no unknown key, frozen."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False, serialize_by_alias=True
    )


def key_of(model: type[BaseModel], name: str) -> str:
    """The key as it stands in the file; it differs from the attribute only where Python reserves the word."""
    return model.model_fields[name].alias or name


Text = Annotated[str, Field(min_length=1)]
Role = Literal[
    "product_owner",
    "project_manager",
    "domain_expert",
    "data_engineer",
    "data_annotator",
    "data_scientist",
    "ml_engineer",
    "mlops_engineer",
]
Level = Literal["low", "medium", "high"]

"""The base of every model that a YAML mapping is validated by."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A YAML mapping: unknown keys are errors, values do not change. A docstring under a field is its help text."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
    )

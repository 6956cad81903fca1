"""What every table of a TOML file of ours is."""

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    """A TOML table: no key but those it names, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

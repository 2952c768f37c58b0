"""A model that is served by another for a while."""

from datetime import datetime

from pydantic import BaseModel


class FailoverState(BaseModel):
    """Whether `model` is served by another now, since when, until when, and what moved it.

    `loss_usd` is what its cache lost in the running window, or had lost when it moved.
    """

    model: str
    active: bool
    since: datetime | None = None
    until: datetime | None = None
    reason: str | None = None
    loss_usd: float = 0.0
    stand_in: str | None = None

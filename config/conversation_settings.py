"""What is kept of conversations, how much, and for how long."""

from pydantic import Field

from config.group import Group

MEBIBYTE = 1024 * 1024


class ConversationSettings(Group):
    """Without `enabled` nothing is kept, and there are no routes for it.

    A conversation goes `retention_days` after it was changed last; None keeps it. `max_conversations` holds for each
    owner, `max_items` and `max_bytes` for each conversation, `max_item_bytes` for each item. `purge_batch` is how many
    conversations are looked at each time the old ones are removed.
    """

    enabled: bool = True
    retention_days: float | None = Field(30, gt=0, allow_inf_nan=False)
    max_conversations: int = Field(10_000, ge=1)
    max_items: int = Field(2_000, ge=1)
    max_bytes: int = Field(16 * MEBIBYTE, ge=1024)
    max_item_bytes: int = Field(2 * MEBIBYTE, ge=256)
    purge_batch: int = Field(100, ge=1, le=10_000)

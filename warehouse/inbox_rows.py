"""What the ledger keeps of deliveries that were pushed to us."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.ledger_rows import Base, Instant


class InboxRow(Base):
    """One delivery: kept before its sender is told so, never deleted, and by its id never kept twice.

    `state` is accepted; claimed, once `landed_in` names the file that it goes into; landed, once that file is on
    the disk. Then `body` is null: it stands in one place, and this row still knows the delivery when it is repeated.
    """

    __tablename__ = "inbox"
    __table_args__ = (
        sa.UniqueConstraint("feed", "delivery_id"),
        sa.Index("ix_inbox_feed_landed_in", "feed", "landed_in"),
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    feed: Mapped[str] = mapped_column(sa.String(40))
    delivery_id: Mapped[str] = mapped_column(sa.String(200))
    received_at: Mapped[datetime] = mapped_column(Instant)
    sha256: Mapped[str] = mapped_column(sa.String(64))
    headers: Mapped[dict[str, str]] = mapped_column(sa.JSON)
    body: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    state: Mapped[str] = mapped_column(sa.String(16), index=True)
    landed_in: Mapped[str | None] = mapped_column(sa.String(250))
    processed_at: Mapped[datetime | None] = mapped_column(Instant)

"""How an instant is written in JSON."""

from datetime import UTC, datetime


def instant(at: datetime) -> str:
    """ISO 8601 in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")

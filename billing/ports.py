"""The doors to the world that a flow may use, as it sees them. Implementations live in `edges/`, fakes in
`tests/fakes/`, and one contract suite runs on all of them.

Errors say what the caller does next: `TryAgain` (redeliver, in seconds), `Refused` (the business says no).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from billing.dispute import DisputeEvidence
from billing.ids import Key
from billing.notice import Letter
from billing.payment import Attempt, Evidence
from billing.refund import Refund, RefundEvidence


class TryAgain(Exception):
    """Something passing stood in the way (a lost race, a throttle, a time-out): deliver this again in a few seconds."""


class Conflict(TryAgain):
    """Another writer was first: nothing of the commit was written. Read again and decide anew.

    `failed`: the rows whose guard did not hold, in the order of the commit.
    """

    def __init__(self, detail: str, failed: tuple[Key, ...] = ()) -> None:
        super().__init__(detail)
        self.failed = failed


class Refused(Exception):
    """The business says no. `code` is for programs, the sentence for people, `rule` the rule of rules.md."""

    def __init__(self, code: str, detail: str, *, rule: str = "", status: int = 409) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.rule = rule
        self.status = status


@runtime_checkable
class Record(Protocol):
    """A row: a frozen dataclass that knows its key, its version and when it wants to be woken."""

    @property
    def key(self) -> Key: ...
    @property
    def version(self) -> int: ...
    @property
    def due(self) -> str | None: ...


@dataclass(frozen=True)
class Insert:
    """Write a row that must not exist yet."""

    record: Record


@dataclass(frozen=True)
class Update:
    """Replace a row whose stored version is one less than this record's."""

    record: Record


@dataclass(frozen=True)
class Check:
    """Write nothing; hold only if the stored version is still this record's."""

    record: Record


@dataclass(frozen=True)
class Delete:
    """Remove a row whose stored version is this record's."""

    record: Record


Write = Insert | Update | Check | Delete


@dataclass(frozen=True)
class DueItem:
    """An entry of the due index: a hint that this row wants to be looked at."""

    key: Key
    due_at: str


@dataclass(frozen=True)
class Checkout:
    """An open hosted page: Stripe's session and where the client's browser goes."""

    session_id: str
    url: str


@dataclass(frozen=True)
class TakenBack:
    """What went back of one payment, or may."""

    refunds: tuple[RefundEvidence, ...]
    disputes: tuple[DisputeEvidence, ...]


@dataclass(frozen=True)
class Owner:
    """Whose an object at Stripe is."""

    practice: str
    client: str
    attempt: int


class Store(Protocol):
    """The one table. Every read is consistent."""

    def get(self, key: Key) -> Record | None:
        """The row at that key, or None."""

    def get_many(self, keys: Sequence[Key]) -> list[Record | None]:
        """The rows at those keys, in their order; None where there is none."""

    def partition(self, pk: str, prefix: str = "") -> list[Record]:
        """All rows of a partition whose sk starts with `prefix`, ordered by sk."""

    def commit(self, *writes: Write) -> None:
        """All or nothing. Raises Conflict when a guard does not hold, TryAgain when the table is throttled."""

    def due(self, shard: int, until: datetime, limit: int, after: DueItem | None = None) -> list[DueItem]:
        """What in this shard is due at or before `until`, oldest first, at most `limit`; what follows `after`."""

    def lease(self, item: DueItem, until: datetime) -> bool:
        """Move the item's index entry to `until` (same kind) if it still is where it was; False if it moved."""

    def set_due(self, key: Key, due: str | None) -> None:
        """Move the index entry of a row that is written once, or take it out (None); the row stays as it is. What
        wakes any other row is its content. Raises Conflict where there is no such row."""


class CardGateway(Protocol):
    """Stripe, as money on its way sees it. Nothing is sent but opaque ids, amounts and a card's handle (LAW-1).

    Every call raises TryAgain when Stripe surely did nothing and asks to wait (429, key in use).
    """

    def ensure_customer(self, practice: str, client: str) -> str:
        """The id of a customer made for this account (idempotent for a day)."""

    def charge(self, attempt: Attempt) -> Evidence:
        """Create and confirm one off-session charge with the attempt's own key (LAW-2). A decline is evidence, and so
        is not knowing: UNKNOWN after a time-out or a lost answer."""

    def find_charge(self, attempt: Attempt) -> Evidence | None:
        """Look the attempt up among its customer's intents since it started; None where the full list lacks it."""

    def open_checkout(self, attempt: Attempt, return_url: str, cancel_url: str) -> Checkout:
        """Open the hosted page for the attempt (idempotent by the attempt's own key)."""

    def read_checkout(self, attempt: Attempt) -> Evidence:
        """What became of the attempt's hosted page: STARTED while open, POSTED when paid (or the card saved), FAILED
        when it expired."""

    def close_checkout(self, attempt: Attempt) -> Evidence:
        """Expire the hosted page if it is still open, then tell what became of it; STARTED only while a payment on it
        is being processed."""

    def refund(self, refund: Refund) -> RefundEvidence:
        """Send money back to the card that paid, with the refund's own key (PAY-12). UNKNOWN after a time-out or a lost
        answer; FAILED where Stripe says no."""

    def find_refund(self, refund: Refund) -> RefundEvidence | None:
        """Look the refund up among all of its payment's, by our id or Stripe's; None where the full list lacks it."""

    def taken_back(self, intent_id: str) -> TakenBack:
        """Everything that Stripe knows to have gone back of a payment, whoever asked for it, oldest first."""

    def owner_of(self, intent_id: str) -> Owner | None:
        """Whose payment it is, by our own metadata; None where it is none of ours."""


class Mailer(Protocol):
    """Writes a letter in words, keeps the words, sends them."""

    def deliver(self, notice_id: str, letter: Letter) -> str:
        """Render once (kept under `notice_id`, with a placeholder for the link), send, and return the message id that
        the mail service accepted it under. Raises TryAgain when it did not."""


class Blobs(Protocol):
    """Bodies too large for a row."""

    def put(self, name: str, body: bytes) -> None:
        """Store a body under a name."""

    def get(self, name: str) -> bytes:
        """The body under that name."""

    def pieces(self, name: str) -> Iterator[bytes]:
        """The same in pieces of about a megabyte, each fetched when it is asked for."""


class ClaimReports(Protocol):
    """The clearinghouse's reports of 835s, by the id of their transaction."""

    def fetch(self, practice: str, transaction_id: str) -> bytes:
        """The report as JSON that has `transactions`. Raises TryAgain, with the reason, where it cannot be had now;
        Refused `no_clearinghouse` for a practice that has none."""


@dataclass(frozen=True)
class Address:
    """Where a file may be put, once: `headers` must be sent with it as they are."""

    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Arrived:
    """A file that came: its name, its bytes, and what tells it from another that lies there later."""

    name: str
    size: int
    tag: str


class Uploads(Protocol):
    """Files that come to the bucket by themselves."""

    def address(self, name: str, content_type: str, size: int, seconds: int) -> Address:
        """Where a file of that kind may be put within so many seconds, while none lies there. `size`: its bytes, which
        are then held to; 0 where they are not known."""

    def find(self, name: str) -> Arrived | None:
        """The file that came under that name, or None."""

    def pieces(self, arrived: Arrived) -> Iterator[bytes]:
        """Its content, each piece fetched when it is asked for. Raises TryAgain where another file lies there by
        now."""

    def keep(self, arrived: Arrived, blob: str) -> None:
        """Copy it to where bodies are kept, under that name; again is the same. Raises TryAgain where another file lies
        there by now."""

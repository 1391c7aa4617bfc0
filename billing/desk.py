"""Whom a letter is from and to, and how a blank one of theirs looks: what every mail is written on."""

from dataclasses import dataclass, replace

from billing.account import Books, Contact
from billing.disclosure import Disclosure
from billing.facts import FactKind
from billing.invoice_lines import InvoiceLines
from billing.notice import Letter, NoticeKind
from billing.policy import Practice, Provider

FOLLOWS_WHAT_WAS_TOLD = frozenset(
    {
        FactKind.INVOICE_VOIDED,
        FactKind.INVOICE_WRITTEN_OFF,
        FactKind.INVOICE_RESUMED,
        FactKind.INVOICE_CORRECTED,
    }
)
"""Facts whose mail depends on whether the client had one of the invoice before: who never heard of it needs no news of
its end, and who had the bill needs it no second time."""


EXPLAINS_A_BILL = frozenset(
    {
        FactKind.INVOICE_ISSUED,
        FactKind.INVOICE_JOINED_AUTOPAY,
        FactKind.INVOICE_RESUMED,
        FactKind.INVOICE_CORRECTED,
    }
)
"""Facts whose mail is about one bill and says in totals where its price went."""


@dataclass(frozen=True)
class Outgoing:
    """A letter to send, under its id, and the invoices whose next step depends on its being accepted."""

    notice_id: str
    letter: Letter
    invoice_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Desk:
    """Whom a letter is from and to: read together with the books. `told`: invoices that a mail was about before, known
    for the facts of `FOLLOWS_WHAT_WAS_TOLD` only · `explained`: the lines of the bill, for `EXPLAINS_A_BILL` only ·
    `disclosure`: what was accepted before the plan that a fact made."""

    practice: Practice
    provider: Provider | None
    contact: Contact
    books: Books
    told: frozenset[str] = frozenset()
    explained: InvoiceLines | None = None
    disclosure: Disclosure | None = None

    def to_client(self, kind: NoticeKind, **content: object) -> Letter:
        return self._letter(kind, self.contact.email, content)

    def to_staff(self, reason: str, what_to_do: str) -> tuple[Letter, ...]:
        """One alert to the practice, and one to the provider where they have an address of their own."""
        receivers = {self.practice.email, self.provider.email if self.provider else ""} - {""}
        content: dict[str, object] = {"reason": reason, "what_to_do": what_to_do}
        return tuple(self._letter(NoticeKind.STAFF_ALERT, to, content) for to in sorted(receivers))

    def _letter(self, kind: NoticeKind, to: str, content: dict[str, object]) -> Letter:
        blank = Letter(
            kind=kind,
            practice=self.practice.practice,
            client=self.contact.client,
            link_epoch=self.books.account.link_epoch,
            to=to,
            client_name=self.contact.name,
            practice_name=self.practice.name,
            practice_phone=self.practice.phone,
            time_zone=self.practice.time_zone,
            autopay=self.books.account.autopay,
        )
        return replace(blank, **content)  # type: ignore[arg-type]  # field names are checked by the tests of each kind


Written = tuple[Letter, tuple[str, ...]]
"""A letter, and the invoices whose next step depends on its being accepted."""


def staff(desk: Desk, reason: str, what_to_do: str) -> tuple[Written, ...]:
    """The alert to everybody of staff who gets them."""
    return tuple((letter, ()) for letter in desk.to_staff(reason, what_to_do))

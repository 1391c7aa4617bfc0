"""The explanation of an invoice, line by line: written once for each amount it has had, and only read in detail
(INV-6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from billing.explain import Bucket, ExplainedLine, Reason
from billing.ids import Key, facts_pk, segment
from billing.money import Cents
from billing.row import Asleep


@dataclass(frozen=True)
class InvoiceLines(Asleep):
    """Where each cent of an invoice came from. `number`: 0 as it was issued, then one for each correction; the invoice
    names the one in force."""

    TYPE: ClassVar[str] = "invoice_lines"

    practice: str
    client: str
    invoice_id: str
    lines: tuple[ExplainedLine, ...]
    version: int = 1
    number: int = 0

    @property
    def key(self) -> Key:
        return invoice_lines_key(self.practice, self.client, self.invoice_id, self.number)


def invoice_lines_key(practice: str, client: str, invoice_id: str, number: int = 0) -> Key:
    """Sorted as the corrections came: the last one of an invoice is in force."""
    later = f"{number:04d}#" if number else ""
    return Key(facts_pk(practice, client), f"LINES#{segment(invoice_id)}#{later}")


def summing_to(lines: Sequence[ExplainedLine], owed: Cents, sentence: str) -> tuple[ExplainedLine, ...]:
    """The lines, and one more where they do not ask for exactly `owed` cents: `sentence` says why (INV-6)."""
    missing = owed - sum(line.you_owe for line in lines)
    if not missing:
        return tuple(lines)
    reason = Reason("PR", "", missing, sentence, Bucket.NOT_COVERED)
    rest = ExplainedLine("", None, missing, 0, 0, 0, 0, 0, missing, missing, (reason,))
    return (*lines, rest)

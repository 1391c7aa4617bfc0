"""The explanation of an invoice, line by line: written once, when it is issued, and only read in detail (INV-6)."""

from dataclasses import dataclass
from typing import ClassVar

from billing.explain import ExplainedLine
from billing.ids import Key, facts_pk, segment
from billing.row import Asleep


@dataclass(frozen=True)
class InvoiceLines(Asleep):
    """Where each cent of an invoice came from."""

    TYPE: ClassVar[str] = "invoice_lines"

    practice: str
    client: str
    invoice_id: str
    lines: tuple[ExplainedLine, ...]
    version: int = 1

    @property
    def key(self) -> Key:
        return invoice_lines_key(self.practice, self.client, self.invoice_id)


def invoice_lines_key(practice: str, client: str, invoice_id: str) -> Key:
    return Key(facts_pk(practice, client), f"LINES#{segment(invoice_id)}#")

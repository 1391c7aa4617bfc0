"""Read an 835 (claim payment advice) into claim results, one at a time, in one pass.

Our own reader: it maps, it streams, and it takes files as payers really send them. What one claim gets wrong costs that
claim alone: it comes out as `Rejected`, and the rest of the file goes on. What is wrong about the envelope (segment
counts, control numbers, the total of the payment) is a warning: each claim decides for itself whether it balances.
Segments about patients and subscribers are not read.

Field names such as CLP04 are X12's: the segment, and the element counted from 1.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from billing.claim import ClaimResult
from billing.transaction import ProviderAdjustment, Transaction, transaction_id
from edges.formats.envelope import Envelope
from edges.formats.rejected import Rejected
from edges.formats.x12_claim import MAX_CLAIM_SEGMENTS, Context, OpenClaim, Ordinals, at
from edges.formats.x12_segments import (
    BAD_HEADER,
    BLANK,
    BYTE_ORDER_MARK,
    OVERSIZED,
    Segments,
    pieces,
    read_header,
)
from edges.formats.x12_values import cents, day, identifier_or_blank, name

MAX_WARNINGS: Final = 100
MAX_PAYER_ID_CHARS: Final = 80
MAX_TRACE_CHARS: Final = 50
MAX_REASONS: Final = 50
"""Of PLB in one transaction; X12 knows some thirty."""
PAYER_REFERENCES: Final = frozenset({"2U", "EO", "HI", "NF"})
FRONT_BYTES: Final = 4096
TRANSACTION_BYTES: Final = 20
"""Of `_TRANSACTION` all but its last may stand at the end of a piece, with one line break in it."""
_TRANSACTION: Final = re.compile(rb"[^A-Za-z0-9]S[\r\n]*T[\r\n]*[^A-Za-z0-9][\r\n]*8[\r\n]*3[\r\n]*5(?![A-Za-z0-9])")
"""Files are wrapped at a fixed width, wherever in a segment that falls."""


NOT_AN_835: Final = (
    "This is no readable 835: it must begin with an ISA segment and hold an ST*835. Send the file exactly as "
    "the payer or clearinghouse delivered it."
)


def looks_like_835(body: bytes) -> bool:
    """Whether `read_835` will read `body`: an ISA header whose delimiters can be found, and an ST*835 after it."""
    looks = Looks()
    looks.at(body)
    return looks.like_835


class Looks:
    """The same of a file that comes in pieces."""

    def __init__(self) -> None:
        self._start = b""
        self._has_transaction = False
        self._end = b""

    def at(self, piece: bytes) -> None:
        """The piece that comes next."""
        if len(self._start) < FRONT_BYTES:
            self._start += piece[: FRONT_BYTES - len(self._start)]
        if not self._has_transaction:
            self._has_transaction = _TRANSACTION.search(self._end + piece) is not None
            self._end = piece[-TRANSACTION_BYTES:]

    @property
    def like_835(self) -> bool:
        """What it looks like so far."""
        start = self._start.decode("latin-1").lstrip(BLANK).removeprefix(BYTE_ORDER_MARK).lstrip(BLANK)
        return read_header(start) is not None and self._has_transaction


def read_835(
    body: bytes | Iterable[bytes], warnings: list[str] | None = None, envelope: Envelope | None = None
) -> Iterator[ClaimResult | Rejected]:
    """Every claim of the file, in order. `body` may come in pieces; it is never held as a whole.

    What is wrong about the envelope is added to `warnings`; `envelope` follows the reading. Raises Unreadable, before
    the first claim, when the file does not begin with an ISA header; after that nothing in a file raises.
    """
    return read_segments(Segments(pieces(body) if isinstance(body, bytes) else body), warnings, envelope)


def read_segments(
    segments: Iterable[list[str]], warnings: list[str] | None = None, envelope: Envelope | None = None
) -> Iterator[ClaimResult | Rejected]:
    """The same of segments that are cut already, each a list of elements, the tag first."""
    reader = _Reader([] if warnings is None else warnings, envelope or Envelope())
    ready, handlers = reader.ready, reader.handlers
    for elements in segments:
        reader.count += 1
        handle = handlers.get(elements[0])
        if handle is not None:
            handle(elements)
            if ready:
                yield from ready
                ready.clear()
    reader.end_file()
    yield from ready


@dataclass(slots=True)
class _Transaction:
    """One ST to SE: a payment and the payer that made it."""

    control: str
    trace: str = ""
    payment: int | None = None
    paid_on: date | None = None
    produced_on: date | None = None
    payer_names: list[str] = field(default_factory=list)
    payer_ids: list[str] = field(default_factory=list)
    trace_payer_id: str = ""
    currency: str = "usd"
    in_payer: bool = False
    claims: int = 0
    claims_paid: int = 0
    adjustments: Counter[str] = field(default_factory=Counter)
    has_rejected: bool = False
    identity: str = ""
    context: Context | None = None
    ordinals: Ordinals = field(default_factory=Ordinals)

    def balances(self) -> bool:
        """Sum of CLP04 less sum of PLB is BPR02 (claims.md 4.1)."""
        return self.payment == self.claims_paid - self.adjustments.total()

    def told(self) -> Transaction:
        """What it said of its money, at its end."""
        adjustments = tuple(ProviderAdjustment(reason, amount) for reason, amount in sorted(self.adjustments.items()))
        balances = not self.has_rejected and self.balances()
        return Transaction(self.control, self.trace, self.payment, self.claims, self.claims_paid, adjustments, balances)


class _Reader:
    """Where in the file we are, and what the next segment does. Finished claims are put into `ready`."""

    def __init__(self, warnings: list[str], envelope: Envelope) -> None:
        self.ready: list[ClaimResult | Rejected] = []
        self.count = 0  # segments since ST, which is the first
        self._warnings = warnings
        self._envelope = envelope
        self._component = ""
        self._test = False
        self._is_readable = True  # whether the delimiters of the present interchange are known
        self._transaction: _Transaction | None = None
        self._claim: OpenClaim | None = None
        self.handlers: dict[str, Callable[[list[str]], None]] = {
            "ISA": self._isa,
            BAD_HEADER: self._bad_header,
            OVERSIZED: self._oversized,
            "GS": self._end_unfinished,
            "ST": self._st,
            "BPR": self._bpr,
            "TRN": self._trn,
            "CUR": self._cur,
            "N1": self._n1,
            "NM1": self._nm1,
            "REF": self._ref,
            "DTM": self._dtm,
            "LX": self._lx,
            "CLP": self._clp,
            "CAS": self._cas,
            "SVC": self._svc,
            "PLB": self._plb,
            "SE": self._se,
            "GE": self._end_unfinished,
            "IEA": self._end_unfinished,
        }

    def end_file(self) -> None:
        """A file that stops inside a claim may have lost part of it: that claim is not to be trusted."""
        if self._claim is not None:
            self._claim.error("file", "ends inside this claim")
        self._end_unfinished([])

    def _isa(self, elements: list[str]) -> None:
        self._end_unfinished(elements)
        self._component, self._test, self._is_readable = elements[16], elements[15].upper() == "T", True

    def _bad_header(self, elements: list[str]) -> None:
        self._end_unfinished(elements)
        if self._is_readable:
            self.ready.append(Rejected("", "", ("ISA: an interchange header inside the file cannot be read",)))
        self._is_readable = False

    def _oversized(self, elements: list[str]) -> None:
        problem = "a segment is longer or has more elements than a segment of an 835 can"
        if self._claim is not None:
            self._claim.error("file", problem)
        elif len(elements) > 1 and elements[1] != "CLP":
            self._warn(problem)
        else:  # there may be claims in it
            self.ready.append(Rejected("", "", (f"file: {problem}",)))

    def _st(self, elements: list[str]) -> None:
        self._end_unfinished(elements)
        self.count = 1
        if at(elements, 1) == "835" and self._is_readable:
            self._transaction = _Transaction(identifier_or_blank(at(elements, 2), 20))

    def _bpr(self, elements: list[str]) -> None:
        if self._transaction is not None:
            self._transaction.payment = cents(at(elements, 2))
            self._transaction.paid_on = day(at(elements, 16))

    def _trn(self, elements: list[str]) -> None:
        if self._transaction is not None and self._claim is None:
            self._transaction.trace = identifier_or_blank(at(elements, 2), MAX_TRACE_CHARS)
            self._transaction.trace_payer_id = at(elements, 3)

    def _cur(self, elements: list[str]) -> None:
        if self._transaction is not None:
            self._transaction.currency = identifier_or_blank(at(elements, 2), 3).lower()

    def _n1(self, elements: list[str]) -> None:
        """The payer (PR), then the payee; what follows belongs to the one named last."""
        transaction = self._transaction
        if transaction is not None and self._claim is None:
            transaction.in_payer = at(elements, 1) == "PR"
            if transaction.in_payer:
                transaction.payer_names.append(at(elements, 2))
                transaction.payer_ids.append(at(elements, 4))

    def _nm1(self, elements: list[str]) -> None:
        """Before the claims some files name the payer here. Inside a claim NM1 is about people, and not read."""
        transaction = self._transaction
        if transaction is not None and self._claim is None and at(elements, 1) == "PR":
            transaction.payer_names.append(at(elements, 3))
            transaction.payer_ids.append(at(elements, 9))

    def _ref(self, elements: list[str]) -> None:
        if self._claim is not None:
            self._claim.add_reference(elements)
        elif self._transaction is not None and self._transaction.in_payer and at(elements, 1) in PAYER_REFERENCES:
            self._transaction.payer_ids.append(at(elements, 2))

    def _dtm(self, elements: list[str]) -> None:
        if self._claim is not None:
            self._claim.add_date(elements)
        elif self._transaction is not None and at(elements, 1) == "405":
            self._transaction.produced_on = day(at(elements, 2))

    def _lx(self, _elements: list[str]) -> None:
        self._close_claim()

    def _clp(self, elements: list[str]) -> None:
        self._close_claim()
        claim = OpenClaim(elements, self.count)
        if self._transaction is None:
            claim.error("CLP", "outside a readable 835 transaction")
            self.ready.append(claim.rejected())
        else:
            self._claim = claim

    def _cas(self, elements: list[str]) -> None:
        if self._claim is not None:
            self._claim.add_adjustments(elements)

    def _svc(self, elements: list[str]) -> None:
        if self._claim is not None:
            self._claim.add_line(elements)

    def _plb(self, elements: list[str]) -> None:
        """Money between payer and provider that belongs to no claim: it counts in the payment, never for a patient.

        Of each composite only the reason is kept: what follows it may name a patient's claim.
        """
        self._close_claim()
        if self._transaction is not None:
            for index in range(4, len(elements), 2):
                reason = identifier_or_blank(elements[index - 1].split(self._component or ":", 1)[0], 5)
                by_reason = self._transaction.adjustments
                by_reason[reason if len(by_reason) < MAX_REASONS else ""] += cents(elements[index]) or 0

    def _se(self, elements: list[str]) -> None:
        self._close_claim()
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            return
        stated = at(elements, 1).strip()
        if stated.lstrip("0") != str(self.count):
            self._warn(f"transaction {transaction.control}: SE01 does not say {self.count}, the segments there are")
        if identifier_or_blank(at(elements, 2), 20) != transaction.control:
            self._warn(f"transaction {transaction.control}: SE02 is not its control number")
        if not transaction.has_rejected and not transaction.balances():
            self._warn(f"transaction {transaction.control}: BPR02 is not the sum of its claims less PLB")
        self._envelope.ended(transaction.told())

    def _end_unfinished(self, _elements: list[str]) -> None:
        """GS, ST, GE, IEA, a new ISA or the end of the file: a transaction that is still open here has no SE."""
        self._close_claim()
        if self._transaction is not None:
            self._warn(f"transaction {self._transaction.control}: has no SE")
            self._envelope.ended(self._transaction.told())
            self._transaction = None

    def _close_claim(self) -> None:
        claim, self._claim = self._claim, None
        transaction = self._transaction
        if claim is None or transaction is None:
            return
        if self.count - claim.first_segment > MAX_CLAIM_SEGMENTS:
            claim.error("CLP", f"more than {MAX_CLAIM_SEGMENTS} segments in one claim")
        if transaction.context is None:
            transaction.context = self._context(transaction)
            transaction.identity = self._identity(transaction, transaction.context)
        self._envelope.transaction = transaction.identity
        transaction.claims += 1
        result = claim.close(transaction.context, transaction.ordinals)
        self.ready.append(result)
        if isinstance(result, Rejected):
            transaction.has_rejected = True
        else:
            transaction.claims_paid += result.paid

    def _context(self, transaction: _Transaction) -> Context:
        given = (*transaction.payer_ids, transaction.trace_payer_id)
        ids = (identifier_or_blank(payer_id, MAX_PAYER_ID_CHARS) for payer_id in given)
        return Context(
            payer_ids=tuple(dict.fromkeys(payer_id for payer_id in ids if payer_id)),
            payer_name=name(transaction.payer_names[0]) if transaction.payer_names else "",
            adjudicated_on=transaction.produced_on or transaction.paid_on,
            currency=transaction.currency,
            component=self._component,
            test=self._test,
        )

    def _identity(self, transaction: _Transaction, context: Context) -> str:
        return transaction_id(
            payer_id=context.payer_ids[0] if context.payer_ids else "",
            trace=transaction.trace,
            paid_on=transaction.paid_on,
            paid=transaction.payment,
            control=transaction.control,
            test=context.test,
        )

    def _warn(self, sentence: str) -> None:
        if len(self._warnings) < MAX_WARNINGS:
            self._warnings.append(sentence)

"""Claim results -> an 835 that says just that: what the reader must make of it again.

Written from the standard's side, not the reader's: totals, counts, headers and segments that nobody here reads are all
there, so that an independent validator accepts whatever is written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Final

from billing.claim import Adjustment, ClaimResult, ServiceLine

REASONS_PER_SEGMENT: Final = 6


@dataclass(frozen=True)
class Delimiters:
    """What separates elements, components and repetitions, what ends a segment, and what stands after its end."""

    element: str = "*"
    component: str = ":"
    repetition: str = "^"
    end: str = "~"
    line_break: str = "\n"


@dataclass(frozen=True)
class Payment:
    """One transaction: results of one payer, and what of its payment is no claim's (PLB: reason, reference, cents)."""

    results: tuple[ClaimResult, ...]
    provider_adjustments: tuple[tuple[str, str, int], ...] = ()


def written(*payments: Payment, delimiters: Delimiters = Delimiters(), control: int = 1) -> str:
    """A whole interchange of one group. It is a test file when its results are."""
    number = f"{control:09d}"
    is_test = any(result.test for payment in payments for result in payment.results)
    repetition, component = delimiters.repetition, delimiters.component
    header = ["ISA", "00", " " * 10, "00", " " * 10, "ZZ", f"{'EXAMPLEPLAN':15}", "ZZ", f"{'RIVERBEND':15}"]
    header += ["261120", "1200", repetition, "00501", number, "0", "T" if is_test else "P", component]
    group = str(control)
    transactions = (_transaction(each, f"{place:04d}", component) for place, each in enumerate(payments, start=1))
    segments = [
        header,
        ["GS", "HP", "EXAMPLEPLAN", "RIVERBEND", "20261120", "1200", group, "X", "005010X221A1"],
        *(segment for transaction in transactions for segment in transaction),
        ["GE", str(len(payments)), group],
        ["IEA", "1", number],
    ]
    stop = delimiters.end + delimiters.line_break
    return "".join(delimiters.element.join(segment) + stop for segment in segments)


def _transaction(payment: Payment, control: str, component: str) -> Iterator[list[str]]:
    body = [*_head(payment, control), *(s for result in payment.results for s in _claim(result, component))]
    if payment.provider_adjustments:
        pairs = [(component.join(names), amount(cents)) for *names, cents in payment.provider_adjustments]
        body.append(["PLB", "1234567893", "20261231", *(text for pair in pairs for text in pair)])
    yield ["ST", "835", control]
    yield from body
    yield ["SE", str(len(body) + 2), control]


def _head(payment: Payment, control: str) -> Iterator[list[str]]:
    first = payment.results[0]
    paid = sum(result.paid for result in payment.results) - sum(cents for *_, cents in payment.provider_adjustments)
    assert paid >= 0, "a payer forwards a negative balance (PLB FB), it never pays less than nothing"
    day = _day(first.adjudicated_on or date(2026, 11, 20))
    accounts = ["01", "999999992", "DA", "123456", "1512345678", "", "01", "999988880", "DA", "98765"]
    if paid:
        yield ["BPR", "I", amount(paid), "C", "ACH", "CCP", *accounts, day]
    else:
        yield ["BPR", "H", "0", "C", "NON", *[""] * 11, day]
    yield ["TRN", "1", f"TRACE{control}", first.payer_ids[-1]]
    if first.currency != "usd":
        yield ["CUR", "PR", first.currency.upper()]
    yield ["DTM", "405", day]
    yield ["N1", "PR", first.payer_name, "XV", first.payer_id]
    yield ["N3", "1 EXAMPLE WAY"]
    yield ["N4", "ANYTOWN", "OH", "45201"]
    yield from (["REF", "2U", payer_id] for payer_id in first.payer_ids[1:-1])
    yield ["PER", "BL", "EDI HELP", "TE", "8005550100"]
    yield ["N1", "PE", "RIVERBEND COUNSELING", "XX", "1234567893"]
    yield ["REF", "TJ", "123456789"]
    yield ["LX", "1"]


def _claim(result: ClaimResult, component: str) -> Iterator[list[str]]:
    frequency = "7" if result.original_payer_claim_id else "1"
    yield [
        *("CLP", result.claim_id, result.raw_status, amount(result.charged), amount(result.paid)),
        *(amount(result.stated_responsibility) if result.stated_responsibility else "", "12"),
        *(result.payer_claim_id, "11", frequency),
    ]
    yield from _adjustments(result.adjustments)
    yield ["NM1", "QC", "1", "SAMPLE", "PAT", "", "", "", "MI", "MBR0001"]
    yield ["NM1", "82", "2", "RIVERBEND COUNSELING", "", "", "", "", "XX", "1234567893"]
    if result.original_payer_claim_id:
        yield ["REF", "F8", result.original_payer_claim_id]
    for line in result.lines:
        yield from _line(line, component)


def _line(line: ServiceLine, component: str) -> Iterator[list[str]]:
    procedure = component.join(("HC", line.procedure, *line.modifiers))
    yield ["SVC", procedure, amount(line.charged), amount(line.paid), "", line.units]
    if line.service_date is not None:
        yield ["DTM", "472", _day(line.service_date)]
    yield from _adjustments(line.adjustments)
    if line.line_ref:
        yield ["REF", "6R", line.line_ref]


def _adjustments(adjustments: Sequence[Adjustment]) -> Iterator[list[str]]:
    """One segment for each run of a group, six reasons at most: code, amount, and no quantity."""
    for group, of_group in groupby(adjustments, key=lambda one: one.group):
        run = list(of_group)
        for start in range(0, len(run), REASONS_PER_SEGMENT):
            triples = [[one.code, amount(one.amount), ""] for one in run[start : start + REASONS_PER_SEGMENT]]
            yield ["CAS", group, *(text for triple in triples for text in triple)][:-1]


def amount(cents: int) -> str:
    """Cents as X12 writes them: no trailing zeros, no point without need."""
    sign, (whole, rest) = "-" if cents < 0 else "", divmod(abs(cents), 100)
    return f"{sign}{whole}" + (f".{rest:02d}".rstrip("0") if rest else "")


def _day(day: date) -> str:
    return f"{day:%Y%m%d}"

"""A claim of $150.00 that owes $62.50, and what the tests about claim results change of it."""

from dataclasses import replace
from datetime import date
from typing import Any

from hypothesis import strategies as st

from billing.claim import Adjustment, ClaimResult, ClaimStatus, ServiceLine, SubmittedClaim, SubmittedLine

SESSION_DAY = date(2026, 10, 30)

DISCOUNT = Adjustment("CO", "45", 4500)
DEDUCTIBLE = Adjustment("PR", "1", 4000)
COPAY = Adjustment("PR", "3", 2250)

SUBMITTED = SubmittedClaim(
    claim_id="KB7Q2M9X41",
    client_id="client_of_riverbend",
    provider_id="provider_of_riverbend",
    payer_id="87726",
    member_id="MBR0001",
    charged=15000,
    service_date=SESSION_DAY,
    secondary_payer_id="",
    lines=(SubmittedLine("90834", (), "1", SESSION_DAY, 15000, ("F41.1",), "session_1"),),
)
SUBMITTED_WITH_SECONDARY = replace(SUBMITTED, secondary_payer_id="77777")
SUBMITTED_TO_THREE = replace(SUBMITTED_WITH_SECONDARY, tertiary_payer_id="66666")


def service(*adjustments: Adjustment, charged: int = 15000, **changes: Any) -> ServiceLine:
    """A line that balances: what is not adjusted was paid."""
    line = ServiceLine(
        procedure="90834",
        modifiers=(),
        service_date=SESSION_DAY,
        units="1",
        charged=charged,
        paid=charged - sum(adjustment.amount for adjustment in adjustments),
        adjustments=adjustments,
        line_ref="",
    )
    return replace(line, **changes)


def decided(*adjustments: Adjustment, charged: int = 15000, **changes: Any) -> ClaimResult:
    """A result with one line that balances, as an 835 would state it."""
    line = service(*adjustments, charged=charged)
    result = ClaimResult(
        claim_id="KB7Q2M9X41",
        payer_claim_id="2026000123",
        payer_ids=("87726", "1512345678"),
        payer_name="EXAMPLE HEALTH PLAN",
        status=ClaimStatus.PROCESSED_PRIMARY,
        raw_status="1",
        adjudicated_on=date(2026, 11, 20),
        currency="usd",
        charged=charged,
        paid=line.paid,
        stated_responsibility=sum(adjustment.amount for adjustment in adjustments if adjustment.group == "PR"),
        adjustments=(),
        lines=(line,),
        original_payer_claim_id="",
        test=False,
        ordinal=0,
    )
    return replace(result, **changes)


def reversal_of(result: ClaimResult) -> ClaimResult:
    """What takes it back: the exact negative (claims.md 4.5)."""
    lines = tuple(
        replace(
            line,
            charged=-line.charged,
            paid=-line.paid,
            adjustments=tuple(replace(a, amount=-a.amount) for a in line.adjustments),
        )
        for line in result.lines
    )
    return replace(
        result,
        status=ClaimStatus.REVERSAL,
        raw_status="22",
        supersedes=False,
        charged=-result.charged,
        paid=-result.paid,
        stated_responsibility=0,
        lines=lines,
    )


OWES_62_50 = decided(DISCOUNT, DEDUCTIBLE, COPAY)
REVERSAL_OF_IT = reversal_of(OWES_62_50)
DUPLICATE_DENIAL = decided(Adjustment("OA", "18", 15000), payer_claim_id="2026000200")


amounts = st.integers(min_value=-50_000, max_value=200_000)
adjustments = st.lists(
    st.builds(
        Adjustment,
        group=st.sampled_from(["CO", "PR", "PI", "OA"]),
        code=st.sampled_from(["1", "2", "3", "23", "24", "45", "66", "94", "96", "131", "253", "999"]),
        amount=amounts,
    ),
    max_size=5,
).map(tuple)


@st.composite
def balanced_results(draw: st.DrawFn) -> ClaimResult:
    """Any claim result that balances: with or without lines, with adjustments on either level."""
    lines: list[ServiceLine] = []
    for line_adjustments in draw(st.lists(adjustments, max_size=4)):
        dated = draw(st.sampled_from([None, date(2026, 10, 30)]))
        lines.append(service(*line_adjustments, charged=draw(amounts), service_date=dated))
    whole = draw(adjustments)
    rest = draw(st.sampled_from([0, 0, 1, 7_500])) if lines else draw(amounts)
    charged = sum(line.charged for line in lines) + rest
    adjusted = sum(adjustment.amount for line in lines for adjustment in line.adjustments)
    paid = charged - adjusted - sum(adjustment.amount for adjustment in whole)
    return decided(charged=charged, paid=paid, lines=tuple(lines), adjustments=whole)

"""Judge the claims of a file one after another, as the engine would: each against those that came before it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from billing.claim import ClaimResult, SubmittedClaim
from tests.billing.claim_examples import SESSION_DAY, SUBMITTED
from tests.billing.judging import Earlier, Judgement, judge

Submissions = Callable[[ClaimResult], SubmittedClaim | None]


OTHER_PAYERS: Final = {
    "KB7Q2M9X42": {"secondary_payer_id": "77777"},
    "KB7Q2M9X43": {"secondary_payer_id": "77777", "tertiary_payer_id": "66666"},
}
"""Of the claims that have other payers on file."""


def ours(result: ClaimResult) -> SubmittedClaim | None:
    """KB7Q2M9X41 and what begins like it was submitted, each for $150.00; no other claim was."""
    claim_id = result.claim_id
    if not claim_id.startswith("KB7Q2M9X"):
        return None
    return replace(SUBMITTED, claim_id=claim_id, **OTHER_PAYERS.get(claim_id, {}))


def as_if_submitted(results: Sequence[ClaimResult]) -> Submissions:
    """Whatever claims they are about, each was submitted to the payer and with the charge of its first result."""
    firsts = {result.claim_id: result for result in reversed(results)}
    claims = {
        claim_id: SubmittedClaim(
            claim_id=claim_id,
            client_id="client_of_riverbend",
            provider_id="provider_of_riverbend",
            payer_id=first.payer_id,
            member_id="MBR0001",
            charged=abs(first.charged),
            service_date=SESSION_DAY,
            secondary_payer_id="",
            lines=(),
            currency=first.currency,
        )
        for claim_id, first in firsts.items()
    }
    return lambda result: claims[result.claim_id]


def judged(
    results: Iterable[ClaimResult],
    submitted: Submissions = ours,
    *,
    accept_test_files: bool = False,
    bill_reviewable: bool = False,
) -> list[Judgement]:
    """What becomes of each, in their order; what is to be billed is billed before the next one comes."""
    earlier: list[Earlier] = []
    judgements: list[Judgement] = []
    for result in results:
        judgement = judge(
            result,
            submitted=submitted(result),
            earlier=[seen for seen in earlier if seen.result.claim_id == result.claim_id],
            accept_test_files=accept_test_files,
            bill_reviewable=bill_reviewable,
        )
        now = "invoiced" if judgement.now == "to_bill" else judgement.now
        judgements.append(judgement)
        earlier.append(Earlier(result, judgement.outcome, now))
    return judgements


def word(judgement: Judgement) -> str:
    """What became of it in one word: the hold, that it is a duplicate, or what it asks for now."""
    return judgement.reason or ("duplicate" if judgement.outcome == "duplicate" else judgement.now)

"""Judge the claims of a file one after another, as the engine would: each against those that came before it."""

from collections.abc import Callable, Iterable

from billing.claim import ClaimResult, SubmittedClaim
from billing.gates import Earlier, Judgement, Now, Outcome, judge
from tests.billing.claim_examples import SESSION_DAY, SUBMITTED

Submissions = Callable[[ClaimResult], SubmittedClaim | None]


def only_ours(result: ClaimResult) -> SubmittedClaim | None:
    """The one claim of the tests was submitted, no other."""
    return SUBMITTED if result.claim_id == SUBMITTED.claim_id else None


def as_if_submitted(result: ClaimResult) -> SubmittedClaim:
    """Whatever claim it is about, it was submitted to that payer and with that charge."""
    return SubmittedClaim(
        claim_id=result.claim_id,
        client_id="client_of_riverbend",
        provider_id="provider_of_riverbend",
        payer_id=result.payer_id,
        member_id="MBR0001",
        charged=abs(result.charged),
        service_date=SESSION_DAY,
        secondary_payer_id="",
        lines=(),
        currency=result.currency,
    )


def judged(
    results: Iterable[ClaimResult], submitted: Submissions = only_ours, *, accept_test_files: bool = False
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
            bill_reviewable=False,
        )
        now = "invoiced" if judgement.now == Now.TO_BILL else judgement.now
        judgements.append(judgement)
        earlier.append(Earlier(result, judgement.outcome, now))
    return judgements


def word(judgement: Judgement) -> str:
    """What became of it in one word: the hold, that it is a duplicate, or what it asks for now."""
    return judgement.reason or (Outcome.DUPLICATE if judgement.outcome == Outcome.DUPLICATE else judgement.now)

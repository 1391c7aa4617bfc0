"""Estimates: an invoice for an insured session before its payer decides, where the practice chose that (INV-2), and how
it finds the claim whose result will correct it (INV-3).

    session told     its estimate, unless its claim was submitted before
    claim submitted  takes over the estimates of its sessions, in the commit that keeps it; then an estimate for those
                     that have none

Whoever comes first issues. A session is billed by one `BilledSession`, written by both; a claim's estimate and its
result both write its `ClaimState`: of two at once, the second decides anew on what the first has done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from billing.account import Books
from billing.claim import SubmittedClaim
from billing.claim_state import ClaimState
from billing.correcting import Why, correct
from billing.draft import Draft
from billing.eligibility import WHOLE_BP, Eligibility, Estimate, after, estimate
from billing.explain import OURS, Bucket, ExplainedLine, Reason
from billing.ids import client_of, invoice_id
from billing.invoice import Source
from billing.money import Cents, dollars
from billing.period import local_date
from billing.policy import AmountSource, Practice
from billing.ports import Insert, Refused, Store, Update, Write
from billing.session import CLAIM_ESTIMATE, BilledSession, PaidBy, Session, billed_session_key, session_key
from billing.session_billing import NewInvoice, bills, issued

EXPECTED: Final = "What we expect your health plan to settle, by a discount or a payment."
AT_MOST: Final = " Your part ends at what you still have to bear this year."


@dataclass(frozen=True)
class Visit:
    """What is estimated at once: one session of a claim, or what a claim has of one day that names no session."""

    session_id: str
    procedure: str
    on: date
    rate: Cents


@dataclass(frozen=True)
class Known:
    """What is known of the sessions a claim names, by session id."""

    sessions: Mapping[str, Session]
    billed: Mapping[str, BilledSession]

    @classmethod
    def read(cls, store: Store, practice: str, claim: SubmittedClaim) -> "Known":
        """One consistent read of each row."""
        named = session_ids(claim)
        keys = [make(practice, one) for one in named for make in (session_key, billed_session_key)]
        rows = store.get_many(keys) if keys else []
        return cls(
            {row.session_id: row for row in rows if isinstance(row, Session)},
            {row.session_id: row for row in rows if isinstance(row, BilledSession)},
        )


def session_ids(claim: SubmittedClaim) -> tuple[str, ...]:
    """The sessions a claim names, each once, in their order."""
    return tuple(dict.fromkeys(line.session_id for line in claim.lines if line.session_id))


# ------------------------------------------------------------------------------------------------ the session first


def estimate_session(
    session: Session, billed: BilledSession | None, check: Eligibility | None, practice: Practice, now: datetime
) -> tuple[Write, ...]:
    """The estimate of a session whose claim nobody has submitted; () where the practice waits for the payer, nothing is
    known of the client's cover, nothing is expected of them, or something bills the session already."""
    if not _estimates(practice) or check is None or session.paid_by is not PaidBy.INSURANCE:
        return ()
    if billed is not None and (billed.claim_id or billed.invoice_id):
        return ()
    visit = Visit(session.session_id, session.procedure, session.day(practice.time_zone), session.rate)
    expected = estimate(check, visit.rate)
    if not expected.amount:
        return ()
    new = NewInvoice(
        client=session.client,
        source=Source.ESTIMATE,
        source_id=session.session_id,
        amount=expected.amount,
        service_date=visit.on,
        provider=session.provider,
        lines=(explained(visit, expected, check, practice),),
        actor="practice",
        cause=session.session_id,
        data=(("session_id", session.session_id),),
        estimated=True,
    )
    invoice, writes = issued(new, practice, now)
    return (*writes, bills(billed, session.practice, session.session_id, invoice))


# ------------------------------------------------------------------------------------------------- the claim first


def claim_estimate_id(practice: str, claim: SubmittedClaim) -> str:
    """The invoice that estimates what of a claim no session's estimate does."""
    return invoice_id(practice, claim.client_id, Source.ESTIMATE, _source_id(claim))


def _source_id(claim: SubmittedClaim) -> str:
    return f"{CLAIM_ESTIMATE}{claim.claim_id}"


def estimate_claim(
    claim: SubmittedClaim,
    state: ClaimState,
    known: Known,
    check: Eligibility | None,
    practice: Practice,
    now: datetime,
) -> tuple[Write, ...]:
    """The estimate of what of a submitted claim nothing bills yet; () where it is not for this practice, nothing is
    known of the client's cover with this payer, a payer has answered, another payer is to answer first (LAW-4), or the
    lines are not what was charged, so that nobody knows the price."""
    mine = claim_estimate_id(practice.practice, claim)
    if not _estimates(practice) or check is None or check.payer_id != claim.payer_id:
        return ()
    if state.verdicts or claim.secondary_payer_id or mine in state.invoices:
        return ()
    if claim.lines and sum(line.charged for line in claim.lines) != claim.charged:
        return ()
    visits = _visits(claim, known)
    lines, left = [], check
    for visit in visits:
        expected = estimate(left, visit.rate)
        lines.append(explained(visit, expected, left, practice))
        left = after(left, expected)
    amount = sum(line.you_owe for line in lines)
    if not amount:
        return ()
    new = NewInvoice(
        client=claim.client_id,
        source=Source.ESTIMATE,
        source_id=_source_id(claim),
        amount=amount,
        service_date=min(visit.on for visit in visits),
        provider=claim.provider_id,
        lines=tuple(lines),
        actor="practice",
        cause=claim.claim_id,
        data=(("claim_id", claim.claim_id),),
        estimated=True,
    )
    invoice, writes = issued(new, practice, now)
    rows = [
        bills(known.billed.get(visit.session_id), practice.practice, visit.session_id, invoice, claim.claim_id)
        for visit in visits
        if visit.session_id
    ]
    return (*writes, *rows, Update(_billing(state, invoice.invoice_id, invoice.amount)))


def _visits(claim: SubmittedClaim, known: Known) -> tuple[Visit, ...]:
    """The parts of a claim that nothing bills: by session, else by day. A session that was told has its own rate."""
    found: dict[tuple[str, date], Visit] = {}
    for line in claim.lines:
        on = claim.service_date if line.session_id else line.service_date or claim.service_date
        place = (line.session_id, on)
        before = found.get(place)
        rate = line.charged + (before.rate if before else 0)
        day = (before.on if before else None) or line.service_date or claim.service_date
        found[place] = Visit(line.session_id, before.procedure if before else line.procedure, day, rate)
    visits = found.values() if claim.lines else [Visit("", "", claim.service_date, claim.charged)]
    return tuple(_as_told(visit, known) for visit in visits if _is_to_be_estimated(visit, known))


def _is_to_be_estimated(visit: Visit, known: Known) -> bool:
    billed, told = known.billed.get(visit.session_id), known.sessions.get(visit.session_id)
    return not (billed and billed.invoice_id) and (told is None or told.paid_by is PaidBy.INSURANCE)


def _as_told(visit: Visit, known: Known) -> Visit:
    told = known.sessions.get(visit.session_id)
    return replace(visit, rate=told.rate) if told else visit


def programme_pays(
    session: Session, claim: SubmittedClaim, state: ClaimState, books: Books, practice: Practice, now: datetime
) -> tuple[Write, ...]:
    """A claim was estimated before its only session was told as one that a programme covers: the client owes nothing
    for it after all (INV-5). () where a payer has answered, or other sessions are on it: then the result decides; and
    while a bank decides about a payment of it: asked again when it has."""
    if state.verdicts or not state.billed or session_ids(claim) != (session.session_id,):
        return ()
    draft = Draft(books, now, "practice", session.session_id)
    try:
        correct(draft, state.invoices, 0, practice, Why.PROGRAMME)
    except Refused:
        return ()
    return (*draft.writes(), Update(replace(state, billed=0, version=state.version + 1)))


# ------------------------------------------------------------------------------------ a claim takes its estimates over


def take_over(
    claim: SubmittedClaim, state: ClaimState, known: Known, others: Mapping[str, ClaimState]
) -> tuple[ClaimState, tuple[Write, ...]]:
    """A claim that is just submitted: its sessions are on it, and what was estimated for them is billed for it -> its
    state, and the other rows to write with it.

    `others`: states by claim id of the claims that its sessions were on before. A claim sent again under another id
    takes its estimate along while no payer has answered the first: its client is asked once. Raises Refused where a
    session is paid by the client themself.
    """
    moved: dict[str, ClaimState] = {}
    writes: list[Write] = []
    for session_id in session_ids(claim):
        row, told = known.billed.get(session_id), known.sessions.get(session_id)
        _refuse(session_id, claim, told, row)
        if told is not None and told.paid_by is PaidBy.EAP:
            state = replace(state, of_programme=True)
        if row is None:
            writes.append(Insert(BilledSession(state.practice, session_id, 1, claim.claim_id)))
            continue
        before = moved.get(row.claim_id) or others.get(row.claim_id)
        if before is not None and before.verdicts:
            continue  # the first claim was answered: it keeps what it bills
        asked = row.amount
        if before is not None and row.invoice_id in before.invoices:
            asked = min(asked, before.billed)  # less, where another payer was to answer first
            kept = tuple(one for one in before.invoices if one != row.invoice_id)
            moved[row.claim_id] = replace(before, invoices=kept, billed=before.billed - asked)
        if row.estimated and row.invoice_id not in state.invoices:
            state = replace(state, invoices=(*state.invoices, row.invoice_id), billed=state.billed + asked)
        writes.append(Update(replace(row, claim_id=claim.claim_id, version=row.version + 1)))
    writes += [Update(replace(one, version=one.version + 1)) for one in moved.values()]
    return state, tuple(writes)


def _refuse(session_id: str, claim: SubmittedClaim, told: Session | None, row: BilledSession | None) -> None:
    clients = {told.client if told else None, client_of(row.invoice_id) if row and row.invoice_id else None}
    if clients - {None, claim.client_id}:
        raise Refused("session_of_another", f"Session {session_id} is another client's.")
    if told is not None and told.paid_by is PaidBy.SELF_PAY:
        raise Refused(
            "session_self_paid",
            f"Session {session_id} was told as paid by the client: they would be asked for it twice.",
            rule="INV-4",
        )


def _billing(state: ClaimState, invoice: str, amount: Cents) -> ClaimState:
    """The claim's state one version up, with one invoice more."""
    return replace(state, invoices=(*state.invoices, invoice), billed=state.billed + amount, version=state.version + 1)


# ----------------------------------------------------------------------------------------------------- in plain words


def explained(visit: Visit, expected: Estimate, check: Eligibility, practice: Practice) -> ExplainedLine:
    """How an estimate was worked out; its columns sum to the full price, as those of every bill."""
    rest = visit.rate - expected.amount
    asked = local_date(check.checked_at, practice.time_zone)
    reasons = (
        _reason(Bucket.COPAY, expected.copay, f"Your copay for a session, by what your plan said on {_day(asked)}."),
        _reason(
            Bucket.DEDUCTIBLE,
            expected.deductible,
            f"Of your deductible, {dollars(check.deductible_remaining)} were left when we asked your plan on "
            f"{_day(asked)}; you pay that first.",
        ),
        _reason(
            Bucket.COINSURANCE,
            expected.coinsurance,
            f"Your share after the deductible: {percent(check.coinsurance_bp)} of "
            f"{dollars(visit.rate - expected.deductible)}.",
        ),
        _reason(Bucket.INSURANCE_PAID, rest, EXPECTED + (AT_MOST if expected.capped else "")),
    )
    return ExplainedLine(
        procedure=visit.procedure,
        service_date=visit.on,
        billed=visit.rate,
        plan_discount=0,
        insurance_paid=rest,
        deductible=expected.deductible,
        coinsurance=expected.coinsurance,
        copay=expected.copay,
        not_covered=0,
        you_owe=expected.amount,
        reasons=tuple(reason for reason in reasons if reason.amount),
    )


def _reason(bucket: Bucket, amount: Cents, sentence: str) -> Reason:
    return Reason(OURS, "", amount, sentence, bucket)


def _day(on: date) -> str:
    return f"{on:%B} {on.day}"


def percent(basis_points: int) -> str:
    """2000 -> "20%", 1250 -> "12.5%"."""
    whole, rest = divmod(basis_points, WHOLE_BP // 100)
    return f"{whole}{f'.{rest:02d}'.rstrip('0') if rest else ''}%"


def _estimates(practice: Practice) -> bool:
    return practice.policy.amount_source is AmountSource.ESTIMATE

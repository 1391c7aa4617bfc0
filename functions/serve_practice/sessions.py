"""What a practice tells of the care it gave: completed sessions and eligibility checks. Each function is one call."""

from dataclasses import dataclass, replace

from billing import eap
from billing.account import Account
from billing.claim_state import ClaimState, claim_state_key
from billing.eligibility import Eligibility, eligibility_key
from billing.ids import account_key, practice_key
from billing.policy import Practice
from billing.ports import Insert, Refused, Store, Update, Write
from billing.session import (
    AuthorisationUse,
    BilledSession,
    PaidBy,
    Session,
    authorisation_use_key,
    billed_session_key,
    session_key,
)
from functions.serve_practice.flow import unknown_client


@dataclass(frozen=True)
class ToldSession:
    """A session, what bills it, and what its authorisation has paid for."""

    session: Session
    billed: BilledSession | None
    use: AuthorisationUse | None

    @property
    def covered(self) -> bool | None:
        """Whether its programme covers it; None where there is none."""
        return eap.covered(self.session, self.use) if self.session.paid_by is PaidBy.EAP else None


def keep_eligibility(store: Store, wanted: Eligibility) -> Eligibility:
    """Keep an eligibility check -> the one in force, which is the latest made, whatever order they arrive in.

    Raises Refused 404 for an unknown client.
    """
    stored, account = store.get_many((wanted.key, account_key(wanted.practice, wanted.client)))
    if not isinstance(account, Account):
        raise unknown_client(wanted.client)
    if not isinstance(stored, Eligibility):
        store.commit(Insert(wanted))
        return wanted
    wanted = replace(wanted, version=stored.version)
    if wanted == stored or wanted.checked_at < stored.checked_at:
        return stored
    wanted = replace(wanted, version=stored.version + 1)
    store.commit(Update(wanted))
    return wanted


def show_eligibility(store: Store, practice: str, client: str) -> Eligibility:
    """The check in force. Raises Refused 404 for an unknown client, and where no check was told."""
    stored, account = store.get_many((eligibility_key(practice, client), account_key(practice, client)))
    if not isinstance(account, Account):
        raise unknown_client(client)
    if not isinstance(stored, Eligibility):
        raise Refused("no_eligibility_check", f"No eligibility check of client {client} was told.", status=404)
    return stored


def tell_session(store: Store, wanted: Session) -> tuple[ToldSession, bool]:
    """Keep a completed session -> it, and whether it is new. It is a fact: what it costs the client follows from it.

    One under an authorisation takes its place there in the same commit, or is held for the provider (INV-5). Raises
    Refused: 404 for an unknown client; 409 where this id is another session's, where the practice does not take the
    programme, or where a self-paid session is on a claim.
    """
    told = _read(store, wanted)
    if told.session is not wanted:
        if not told.session.says_the_same(wanted):
            raise Refused(
                "session_differs",
                f"Session {wanted.session_id} was told before with other content. Another session needs an id of its "
                "own.",
            )
        return told, False
    account, practice = store.get_many((account_key(wanted.practice, wanted.client), practice_key(wanted.practice)))
    if not isinstance(account, Account):
        raise unknown_client(wanted.client)
    assert isinstance(practice, Practice), f"no practice {wanted.practice}"
    eap.check_programme(wanted, practice)
    if wanted.paid_by is PaidBy.SELF_PAY and told.billed and told.billed.claim_id:
        raise Refused(
            "session_on_claim",
            f"Session {wanted.session_id} is on claim {told.billed.claim_id}: the client would be asked twice.",
            rule="INV-4",
        )
    writes = (_place(told), *eap.decide(wanted, told.use, practice), *_told_on_claim(store, told))
    store.commit(Insert(wanted), *writes)
    return _read(store, wanted), True


def _place(told: ToldSession) -> Write:
    """The row of what bills it, written as the session is told: a claim that names it at the same moment, and does not
    know yet who pays for it, loses the race and looks again."""
    billed = told.billed
    if billed is None:
        return Insert(BilledSession(told.session.practice, told.session.session_id, 1))
    return Update(replace(billed, version=billed.version + 1))


def _told_on_claim(store: Store, told: ToldSession) -> tuple[Write, ...]:
    """That a programme is to pay for a session of its claim: no share of it is billed unasked (INV-5)."""
    session, billed = told.session, told.billed
    if session.paid_by is not PaidBy.EAP or billed is None or not billed.claim_id:
        return ()
    state = store.get(claim_state_key(session.practice, billed.claim_id))
    assert isinstance(state, ClaimState), f"{session.key} is on a claim that nobody submitted"
    return (Update(replace(state, of_programme=True, version=state.version + 1)),)


def show_session(store: Store, practice: str, session_id: str) -> ToldSession:
    """A session that was told. Raises Refused 404 for an unknown one."""
    stored = store.get(session_key(practice, session_id))
    if not isinstance(stored, Session):
        raise Refused("unknown_session", "There is no session of this id.", status=404)
    return _read(store, stored)


def _read(store: Store, wanted: Session) -> ToldSession:
    """The session as it is kept, else as it is wanted, with what stands beside it."""
    keys = [wanted.key, billed_session_key(wanted.practice, wanted.session_id)]
    if wanted.eap:
        keys.append(
            authorisation_use_key(wanted.practice, wanted.client, wanted.eap.programme, wanted.eap.number),
        )
    stored, billed, *uses = store.get_many(keys)
    use = uses[0] if uses else None
    return ToldSession(
        stored if isinstance(stored, Session) else wanted,
        billed if isinstance(billed, BilledSession) else None,
        use if isinstance(use, AuthorisationUse) else None,
    )

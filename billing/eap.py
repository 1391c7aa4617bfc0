"""Employee-assistance sessions: which programmes a practice takes, which sessions an authorisation covers, and what
becomes of one that it does not (INV-5).
"""

from dataclasses import replace
from enum import StrEnum

from billing.claim_state import Hold
from billing.facts import Fact, FactKind
from billing.ids import digest
from billing.policy import Practice
from billing.ports import Insert, Refused, Update, Write
from billing.session import Authorisation, AuthorisationUse, PaidBy, Session, spelt


class NotCovered(StrEnum):
    """Why a session is not paid for by its programme: the reason of its hold."""

    USED_UP = "eap_sessions_used_up"
    EXPIRED = "eap_authorisation_expired"


def check_programme(session: Session, practice: Practice) -> None:
    """Raise Refused where the practice does not list the session's programme, or anything that it lists."""
    if session.eap is None:
        return
    listed = practice.policy.eap_programmes
    if spelt(session.eap.programme) not in {spelt(one) for one in listed}:
        taken = f"It takes {'; '.join(listed)}." if listed else "It takes none."
        raise Refused(
            "programme_not_accepted",
            f"The practice does not take the employee-assistance programme {session.eap.programme!r}. {taken} Its "
            "policy eap_programmes says which.",
            rule="INV-5",
        )


def covered(session: Session, use: AuthorisationUse | None) -> bool:
    """Whether the authorisation has paid for this session."""
    return use is not None and session.session_id in use.sessions


def decide(session: Session, use: AuthorisationUse | None, practice: Practice) -> tuple[Write, ...]:
    """What a session under an authorisation becomes: one of those it covers, free for the client; or held for the
    provider to decide, and nobody is told anything yet (INV-5). () for every other session."""
    if session.paid_by is not PaidBy.EAP or session.eap is None:
        return ()
    why_not = _why_not_covered(session, session.eap, use, practice)
    if why_not is not None:
        return _held(session, why_not)
    known = use or AuthorisationUse(session.practice, session.client, session.eap.programme, session.eap.number, 0)
    taken = replace(known, sessions=(*known.sessions, session.session_id), version=known.version + 1)
    fact = _fact(session, FactKind.SESSION_COVERED, {"used": len(taken.sessions)})
    return (Insert(taken) if taken.version == 1 else Update(taken), Insert(fact))


def _why_not_covered(
    session: Session, eap: Authorisation, use: AuthorisationUse | None, practice: Practice
) -> NotCovered | None:
    """The authorisation is as this session names it: a programme may grant more meanwhile. Its last day counts."""
    if session.day(practice.time_zone) > eap.valid_until:
        return NotCovered.EXPIRED
    if use is not None and len(use.sessions) >= eap.sessions_covered:
        return NotCovered.USED_UP
    return NotCovered.USED_UP if not eap.sessions_covered else None


def session_hold_id(practice: str, session_id: str) -> str:
    return "hold_" + digest(practice, "session", session_id)


def _held(session: Session, reason: NotCovered) -> tuple[Write, ...]:
    hold = Hold(
        practice=session.practice,
        hold_id=session_hold_id(session.practice, session.session_id),
        claim_id="",
        payer_claim_id="",
        result="",
        reason=reason,
        held_at=session.at,
        patient_responsibility=session.rate,
        client=session.client,
        session_id=session.session_id,
    )
    return (Insert(hold), Insert(_fact(session, FactKind.SESSION_HELD, {"reason": reason})))


def _fact(session: Session, kind: FactKind, data: dict[str, str | int]) -> Fact:
    return Fact(
        practice=session.practice,
        client=session.client,
        item=f"SESSION#{session.session_id}",
        version=1,
        kind=kind,
        at=session.at,
        actor="practice",
        cause=session.session_id,
        data={"session_id": session.session_id, **data},
    )

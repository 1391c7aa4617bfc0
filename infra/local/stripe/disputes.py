"""Disputes: the money is taken back until somebody wins. docs.stripe.com/disputes, docs.stripe.com/testing#disputes"""

from infra.local.stripe.account import Account
from infra.local.stripe.charges import book
from infra.local.stripe.errors import Json, refused
from infra.local.stripe.expand import as_list
from infra.local.stripe.params import Args
from infra.local.stripe.shelf import read_page

DISPUTE_FEE_CENTS = 1_500
EVIDENCE_DUE_AFTER_S = 9 * 24 * 3600
REASONS = (
    "bank_cannot_process", "credit_not_processed", "customer_initiated", "debit_not_authorized", "duplicate",
    "fraudulent", "general", "incorrect_account_details", "insufficient_funds", "product_not_received",
    "product_unacceptable", "subscription_canceled", "unrecognized",
)  # fmt: skip
OUTCOMES = ("won", "lost")
_DECIDED_BY_TEST_EVIDENCE = {"winning_evidence": "won", "losing_evidence": "lost"}
_EVIDENCE_TEXTS = (
    "access_activity_log", "cancellation_rebuttal", "customer_email_address", "customer_name",
    "duplicate_charge_explanation", "product_description", "refund_policy_disclosure", "refund_refusal_explanation",
    "service_date", "uncategorized_text",
)  # fmt: skip


def open_dispute(account: Account, charge_id: str, reason: str) -> Json:
    """The cardholder's bank takes the charge back. Errors: 400 when it cannot be disputed, ValueError (reason)."""
    if reason not in REASONS:
        raise ValueError(f"no such reason: {reason}; one of {', '.join(REASONS)}")
    charge = account.charges.find(charge_id, "charge")
    if not charge["paid"] or charge["disputed"]:
        raise refused(f"Charge {charge_id} failed or is disputed already.", param="charge")
    row: Json = {
        "id": account.new_id("du"),
        "object": "dispute",
        "amount": charge["amount"] - charge["amount_refunded"],
        "balance_transactions": [],
        "charge": charge_id,
        "created": account.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(_EVIDENCE_TEXTS),
        "evidence_details": {
            "due_by": account.now + EVIDENCE_DUE_AFTER_S,
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "network_reason_code": None,
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {"brand": charge["payment_method_details"]["card"]["brand"], "case_type": "chargeback"},
            "type": "card",
        },
        "reason": reason,
        "status": "needs_response",
    }
    account.disputes.add(row)
    charge["disputed"] = True
    _move_money(account, row, -row["amount"], DISPUTE_FEE_CENTS, "dispute")
    account.emit("charge.dispute.created", row)
    account.emit("charge.dispute.funds_withdrawn", row)
    return row


def decide(account: Account, dispute_id: str, outcome: str) -> Json:
    """The bank's decision: `won` gives money and fee back. Errors: ValueError, 400 when it is decided already."""
    if outcome not in OUTCOMES:
        raise ValueError(f"no such outcome: {outcome}; one of {', '.join(OUTCOMES)}")
    row = account.disputes.find(dispute_id)
    _ensure_open(row)
    row["status"] = outcome
    row["is_charge_refundable"] = outcome == "won"
    if outcome == "won":
        _move_money(account, row, row["amount"], -DISPUTE_FEE_CENTS, "dispute_reversal")
    account.emit("charge.dispute.closed", row)
    if outcome == "won":
        account.emit("charge.dispute.funds_reinstated", row)
    return row


def retrieve(account: Account, args: Args, dispute_id: str) -> Json:
    """GET /v1/disputes/{id}"""
    args.done()
    return account.disputes.find(dispute_id)


def list_all(account: Account, args: Args) -> Json:
    """GET /v1/disputes, by `charge` and `payment_intent`."""
    page, charge, intent = read_page(args), args.text("charge"), args.text("payment_intent")
    args.done()
    rows, more = account.disputes.page(page, charge=charge, payment_intent=intent)
    return as_list(rows, more=more, url="/v1/disputes")


def update(account: Account, args: Args, dispute_id: str) -> Json:
    """POST /v1/disputes/{id}: evidence. The texts `winning_evidence` and `losing_evidence` decide at once."""
    row = account.disputes.find(dispute_id)
    metadata = args.metadata(row["metadata"])
    given = args.table("evidence") or Args({})
    evidence = {name: given.text(name) for name in _EVIDENCE_TEXTS if given.has(name)}
    submit = args.flag("submit")
    submit = True if submit is None else submit
    args.done()
    _ensure_open(row)
    row["metadata"] = metadata
    row["evidence"] = {**row["evidence"], **evidence}
    details = row["evidence_details"]
    row["evidence_details"] = {**details, "has_evidence": any(row["evidence"].values())}
    if submit and evidence:
        row["evidence_details"]["submission_count"] += 1
        row["status"] = "under_review"
    account.emit("charge.dispute.updated", row)
    decided = _DECIDED_BY_TEST_EVIDENCE.get(row["evidence"]["uncategorized_text"] or "")
    return decide(account, dispute_id, decided) if submit and decided else row


def close(account: Account, args: Args, dispute_id: str) -> Json:
    """POST /v1/disputes/{id}/close: accepted as lost."""
    args.done()
    return decide(account, dispute_id, "lost")


def _ensure_open(row: Json) -> None:
    if row["status"] in OUTCOMES:
        raise refused("This dispute is already closed.", code="dispute_closed")


def _move_money(account: Account, row: Json, amount: int, fee: int, category: str) -> None:
    row["balance_transactions"].append(book(account, "adjustment", amount, fee, row["id"], category))

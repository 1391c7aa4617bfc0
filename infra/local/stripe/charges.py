"""Charges, the money behind them, and refunds. docs.stripe.com/api/charges, /refunds, /balance_transactions"""

from infra.local.stripe.account import Account
from infra.local.stripe.cards import Decline
from infra.local.stripe.errors import Json, refused
from infra.local.stripe.expand import as_list
from infra.local.stripe.params import Args, dollars
from infra.local.stripe.shelf import read_page

FEE_BASIS_POINTS = 290  # stripe.com/pricing, US cards: 2.9 % + 30 cents
FEE_FIXED_CENTS = 30
AVAILABLE_AFTER_S = 2 * 24 * 3600
REFUND_FATE_AFTER_S = 60
"""When the asynchronous refund test cards decide; Stripe says "some time later"."""
REFUND = "refund"


def charge_card(account: Account, intent: Json, method: Json, decline: Decline | None) -> Json:
    """Writes the charge of one try at an intent, with its balance transaction when it went through."""
    row = account.charges.add(_charge(account, intent, method, decline))
    if decline is None:
        fee = (row["amount"] * FEE_BASIS_POINTS + 5_000) // 10_000 + FEE_FIXED_CENTS
        row["balance_transaction"] = book(account, "charge", row["amount"], fee, row["id"])["id"]
    account.emit("charge.succeeded" if decline is None else "charge.failed", row)
    return row


def book(account: Account, kind: str, amount: int, fee: int, source: str, category: str | None = None) -> Json:
    """A balance transaction of `amount` cents less `fee` cents."""
    details = {"amount": fee, "application": None, "currency": "usd", "description": "Stripe fee", "type": "stripe_fee"}
    return account.balance_transactions.add(
        {
            "id": account.new_id("txn"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": account.now + AVAILABLE_AFTER_S,
            "balance_type": "payments",
            "created": account.now,
            "currency": "usd",
            "description": None,
            "exchange_rate": None,
            "fee": fee,
            "fee_details": [details] if fee else [],
            "net": amount - fee,
            "reporting_category": category or kind,
            "source": source,
            "status": "pending",
            "type": kind,
        }
    )


def retrieve(account: Account, args: Args, charge_id: str) -> Json:
    """GET /v1/charges/{id}"""
    args.done()
    return account.charges.find(charge_id)


def list_all(account: Account, args: Args) -> Json:
    """GET /v1/charges, by `customer` and `payment_intent`."""
    page, customer, intent = read_page(args), args.text("customer"), args.text("payment_intent")
    args.done()
    rows, more = account.charges.page(page, payment_intent=intent, customer=customer)
    return as_list(rows, more=more, url="/v1/charges")


def retrieve_balance_transaction(account: Account, args: Args, transaction_id: str) -> Json:
    """GET /v1/balance_transactions/{id}"""
    args.done()
    return _settled(account, account.balance_transactions.find(transaction_id))


def list_balance_transactions(account: Account, args: Args) -> Json:
    """GET /v1/balance_transactions, by `source` and `type`."""
    page, source, kind = read_page(args), args.text("source"), args.text("type")
    args.done()
    rows, more = account.balance_transactions.page(page, source=source, type=kind)
    return as_list([_settled(account, row) for row in rows], more=more, url="/v1/balance_transactions")


def create_refund(account: Account, args: Args) -> Json:
    """POST /v1/refunds of a charge or of an intent's charge, whole or in part.

    Errors: 400 for more than is left (`charge_already_refunded` when nothing is), or `charge_disputed`.
    """
    charge_id, intent_id, amount = args.text("charge"), args.text("payment_intent"), args.amount()
    reason = args.choice("reason", "duplicate", "fraudulent", "requested_by_customer")
    metadata = args.metadata()
    args.done()
    charge = _charge_to_refund(account, charge_id, intent_id)
    left = charge["amount"] - charge["amount_refunded"]
    if not all(dispute["is_charge_refundable"] for dispute in account.disputes.newest("charge", charge["id"])):
        sentence = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise refused(sentence, code="charge_disputed")
    if left == 0:
        raise refused(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if amount is not None and amount > left:
        raise refused(
            f"Refund amount ({dollars(amount)}) is greater than unrefunded amount on charge ({dollars(left)})",
            param="amount",
        )
    return _refund(account, charge, amount or left, reason, metadata)


def retrieve_refund(account: Account, args: Args, refund_id: str) -> Json:
    """GET /v1/refunds/{id}"""
    args.done()
    return account.refunds.find(refund_id)


def update_refund(account: Account, args: Args, refund_id: str) -> Json:
    """POST /v1/refunds/{id}: its metadata."""
    row = account.refunds.find(refund_id)
    metadata = args.metadata(row["metadata"])
    args.done()
    row["metadata"] = metadata
    account.emit("refund.updated", row)
    return row


def list_refunds(account: Account, args: Args) -> Json:
    """GET /v1/refunds, by `charge` and `payment_intent`."""
    page, charge, intent = read_page(args), args.text("charge"), args.text("payment_intent")
    args.done()
    rows, more = account.refunds.page(page, charge=charge, payment_intent=intent)
    return as_list(rows, more=more, url="/v1/refunds")


def refund_is_undecided(account: Account, refund_id: str) -> bool:
    """Whether the asynchronous outcome of that refund is still to come."""
    refund = account.refunds.find(refund_id)
    fate = account.cards[account.charges.find(refund["charge"])["payment_method"]].refund
    return bool(refund["status"] == {"fails_later": "succeeded", "succeeds_later": "pending"}[fate])


def decide_refund(account: Account, refund_id: str) -> None:
    """The asynchronous outcome: a failed refund gives the money back to the balance, its charge is refundable again."""
    row = account.refunds.find(refund_id)
    charge = account.charges.find(row["charge"])
    if account.cards[charge["payment_method"]].refund == "succeeds_later":
        row["status"] = "succeeded"
        account.emit("refund.updated", row)
        return
    back = book(account, "refund_failure", row["amount"], 0, row["id"])
    row.update(status="failed", failure_reason="unknown", failure_balance_transaction=back["id"])
    charge["amount_refunded"] -= row["amount"]
    charge["refunded"] = False
    account.emit("refund.failed", row)


def _refund(account: Account, charge: Json, amount: int, reason: str | None, metadata: dict[str, str]) -> Json:
    fate = account.cards[charge["payment_method"]].refund
    row: Json = {
        "id": account.new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": account.now,
        "currency": charge["currency"],
        "destination_details": {"card": {"reference_status": "pending", "type": "refund"}, "type": "card"},
        "failure_balance_transaction": None,
        "failure_reason": None,
        "metadata": metadata,
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if fate == "succeeds_later" else "succeeded",
        "transfer_reversal": None,
    }
    account.refunds.add(row)
    row["balance_transaction"] = book(account, "refund", -amount, 0, row["id"])["id"]
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    account.emit("refund.created", row)
    account.emit("charge.refunded", charge)
    if fate != "succeeds":
        account.wake(account.now + REFUND_FATE_AFTER_S, REFUND, row["id"])
    return row


def _charge_to_refund(account: Account, charge_id: str | None, intent_id: str | None) -> Json:
    if charge_id is not None:
        charge = account.charges.find(charge_id, "charge")
        if not charge["paid"]:
            raise refused(f"Charge {charge_id} failed and cannot be refunded.", param="charge")
        return charge
    if intent_id is None:
        sentence = "One of the following params should be provided for this request: payment_intent or charge."
        raise refused(sentence, code="parameter_missing")
    intent = account.payment_intents.find(intent_id, "payment_intent")
    if intent["status"] != "succeeded":
        sentence = f"This PaymentIntent ({intent_id}) does not have a successful charge to refund."
        raise refused(sentence, param="payment_intent")
    return account.charges.find(intent["latest_charge"])


def _settled(account: Account, row: Json) -> Json:
    if row["status"] == "pending" and row["available_on"] <= account.now:
        row["status"] = "available"
    return row


def _charge(account: Account, intent: Json, method: Json, decline: Decline | None) -> Json:
    paid = decline is None
    return {
        "id": account.new_id("ch"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if paid else 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": account.platform.business_name.upper()[:22],
        "captured": paid,
        "created": account.now,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None if decline is None else decline.code,
        "failure_message": None if decline is None else decline.message,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": _outcome(decline),
        "paid": paid,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {"card": _card_details(method["card"], intent["amount"]), "type": "card"},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "succeeded" if paid else "failed",
        "transfer_data": None,
        "transfer_group": None,
    }


def _outcome(decline: Decline | None) -> Json:
    refusal = decline is not None
    return {
        "advice_code": decline.advice if decline else None,
        "network_advice_code": None,
        "network_decline_code": decline.network_code if decline else None,
        "network_status": "declined_by_network" if refusal else "approved_by_network",
        "reason": decline.decline_code if decline else None,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": "The bank did not complete the payment." if refusal else "Payment complete.",
        "type": "issuer_declined" if refusal else "authorized",
    }


def _card_details(card: Json, amount: int) -> Json:
    return {
        "amount_authorized": amount,
        "authorization_code": None,
        "brand": card["brand"],
        "checks": card["checks"],
        "country": card["country"],
        "description": card["description"],
        "exp_month": card["exp_month"],
        "exp_year": card["exp_year"],
        "fingerprint": card["fingerprint"],
        "funding": card["funding"],
        "installments": None,
        "last4": card["last4"],
        "mandate": None,
        "network": card["brand"],
        "network_token": {"used": False},
        "network_transaction_id": None,
        "regulated_status": card["regulated_status"],
        "three_d_secure": None,
        "wallet": None,
    }

"""Stripe's side of the world: the embedded Stripe, the production gateway on it, and webhooks on their way.

The gateway, the official SDK and the emulator are the real ones; only the socket is missing. Whatever leaves for Stripe
is read by `inspect` (invariant 12).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import stripe

from billing.invariants import StripeDispute, StripePayment, StripeRefund
from edges.card_gateway import StripeCards, stripe_client
from edges.statement import StripeStatement
from functions.receive_stripe.flow import SETTLES
from infra.local.stripe import Delivery, EmbeddedStripe, NoAnswer
from infra.local.stripe.faults import Fault, FaultKind, Faults
from infra.local.stripe.sdk import BASE_URL, InProcessHTTPClient


class _Wire(InProcessHTTPClient):
    """The SDK's transport. A call that hangs keeps its key in use until `release` (Stripe answers 409 meanwhile)."""

    def __init__(self, embedded: EmbeddedStripe, inspect: Callable[[str], None]) -> None:
        super().__init__(embedded)
        self._inspect = inspect
        self.held: set[tuple[str, str]] = set()

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **more: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        self._inspect(f"{url} {post_data or ''}")
        try:
            return super().request(method, url, headers, post_data, **more)
        except stripe.APIConnectionError as error:
            cause = error.__cause__
            if isinstance(cause, NoAnswer) and cause.kind == "hang" and cause.key:
                self._embedded.keys.in_use.add(cause.key)
                self.held.add(cause.key)
            raise


stripe.enable_telemetry = False
stripe._util.logfmt = lambda _props: ""  # the SDK words each request and answer for a log that nobody keeps

UNREAD = frozenset(
    {
        "address", "advice_code", "after_expiration", "allow_promotion_codes", "allow_redisplay",
        "allowed_payment_method_types", "amount_authorized", "amount_capturable", "amount_captured", "amount_details",
        "amount_refunded", "amount_subtotal", "amount_total", "application", "application_fee",
        "application_fee_amount", "authorization_code", "automatic_payment_methods", "automatic_tax", "available_on",
        "balance", "balance_transaction", "balance_type", "billing_address_collection", "billing_details",
        "calculated_statement_descriptor", "cancel_url", "canceled_at", "capture_method", "captured", "checks",
        "client_reference_id", "client_secret", "confirmation_method", "consent_collection", "country",
        "custom_fields", "custom_text", "customer_creation", "customer_details", "customer_email", "default_source",
        "delinquent", "destination_details", "discount", "display_brand", "disputed", "doc_url",
        "enhanced_eligibility_types", "evidence", "evidence_details", "exchange_rate", "failure_balance_transaction",
        "failure_code", "failure_message", "fee", "fee_details", "flow_directions", "fraud_details", "generated_from",
        "installments", "invoice", "invoice_creation", "invoice_prefix", "invoice_settings", "is_charge_refundable",
        "last_setup_error", "latest_attempt", "livemode", "locale", "mandate", "net", "network",
        "network_decline_code", "network_reason_code", "network_token", "network_transaction_id", "networks",
        "next_action", "next_invoice_sequence", "on_behalf_of", "outcome", "paid", "payment_link",
        "payment_method_collection", "payment_method_options", "payment_method_types", "phone",
        "phone_number_collection", "preferred_locales", "processing", "receipt_email", "receipt_number", "receipt_url",
        "recovered_from", "refunded", "regulated_status", "reporting_category", "review",
        "saved_payment_method_options", "shipping", "shipping_address_collection", "shipping_cost", "shipping_options",
        "single_use_mandate", "source", "source_transfer", "source_transfer_reversal", "statement_descriptor",
        "statement_descriptor_suffix", "submit_type", "subscription", "success_url", "tax_exempt", "test_clock",
        "three_d_secure", "three_d_secure_usage", "total_details", "transfer_data", "transfer_group",
        "transfer_reversal", "ui_mode", "wallet",
    }
)  # fmt: skip
"""Fields of Stripe's answers that the gateway does not look at: the SDK makes an object of each, which was a fifth of
a life's time. Reading one of them fails here with an AttributeError: take it off this list then."""


class _CountedFaults(Faults):
    """Stripe's faults, counted as they happen."""

    def __init__(self, met: Counter[str]) -> None:
        super().__init__()
        self._met = met

    def take(self, method: str, path: str) -> FaultKind | None:
        kind = super().take(method, path)
        if kind is not None:
            self._met[f"Stripe {kind}"] += 1
        return kind


class StripeSide:
    """`cards`: the production gateway. `embedded`: Stripe's own state, for the auditor and for people's browsers."""

    def __init__(self, now: Callable[[], datetime], inspect: Callable[[str], None], met: Counter[str]) -> None:
        self.embedded = EmbeddedStripe(now, leaves_out=UNREAD)
        self.embedded.faults = _CountedFaults(met)
        self.embedded.listen("http://kindbill.embedded/webhooks/stripe", "whsec_sim", tuple(SETTLES))
        self._known = 0
        self._of: dict[tuple[str | None, str | None], list[dict[str, Any]]] = {}
        self._wire = _Wire(self.embedded, inspect)
        client = stripe_client("sk_test_sim", BASE_URL, self._wire)
        self.cards = StripeCards(client)
        self.statement = StripeStatement(client)

    def arm(self, kind: str, times: int) -> None:
        """The next `times` requests fail in that way."""
        self.embedded.arm_faults([Fault(".", kind, times)])  # type: ignore[arg-type]  # drawn from the fault kinds

    def disarm(self) -> None:
        """Stripe answers again."""
        self.embedded.arm_faults([])

    def release(self) -> None:
        """Requests that hung have ended at Stripe."""
        self.embedded.keys.in_use -= self._wire.held
        self._wire.held.clear()

    def deliveries(self) -> list[Delivery]:
        """Webhooks that are ready to leave."""
        return self.embedded.take_deliveries() if self.embedded.ready_deliveries else []

    def intents_of(self, practice: str, client: str) -> list[dict[str, Any]]:
        """The payment intents of one client by our metadata on them, oldest first."""
        intents = self.embedded.account().payment_intents
        for row in intents.made_after(self._known):
            known = row["metadata"]
            self._of.setdefault((known.get("practice"), known.get("client")), []).append(row)
        self._known = len(intents)
        return self._of.get((practice, client), [])

    def intents(self) -> Iterator[dict[str, Any]]:
        """Every payment intent there is, oldest first."""
        yield from self.embedded.account().payment_intents

    def refunds(self, practice: str, client: str) -> list[StripeRefund]:
        """What Stripe paid back of this client's payments, whoever asked for it."""
        refunds = self.embedded.account().refunds
        return [
            StripeRefund(row["id"], row["metadata"].get("refund_id", ""), row["amount"], row["status"] == "failed")
            for payment in self.payments(practice, client)
            for row in reversed(refunds.newest("payment_intent", payment.intent_id))
        ]

    def disputes(self, practice: str, client: str) -> list[dict[str, Any]]:
        """The disputes of this client's payments."""
        disputes = self.embedded.account().disputes
        payments = self.payments(practice, client)
        return [row for payment in payments for row in reversed(disputes.newest("payment_intent", payment.intent_id))]

    def payments(self, practice: str, client: str) -> list[StripePayment]:
        """What Stripe took from this client, judged by our metadata on its objects."""
        return [
            StripePayment(row["id"], row["metadata"].get("attempt_id", ""), row["amount_received"])
            for row in self.intents_of(practice, client)
            if row["status"] == "succeeded"
        ]


def withdrawn(dispute: dict[str, Any]) -> StripeDispute:
    """What the bank holds of a dispute."""
    return StripeDispute(dispute["id"], -sum(moved["amount"] for moved in dispute["balance_transactions"]))

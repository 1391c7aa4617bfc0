"""Every call the embedded Stripe answers: exactly what Kindbill, its tests and its tools use."""

from collections.abc import Callable

from infra.local.stripe import (
    charges,
    checkout,
    customers,
    disputes,
    endpoints,
    intents,
    payment_methods,
    setup_intents,
)
from infra.local.stripe.account import Account
from infra.local.stripe.errors import ApiError, Json
from infra.local.stripe.params import Args

Handler = Callable[..., Json]
"""Called as handler(account, args, *ids of the path)."""

ROUTES: dict[str, Handler] = {
    "POST customers": customers.create,
    "GET customers": customers.list_all,
    "GET customers/*": customers.retrieve,
    "POST customers/*": customers.update,
    "DELETE customers/*": customers.delete,
    "GET customers/*/payment_methods": payment_methods.list_of_customer,
    "GET customers/*/payment_methods/*": payment_methods.retrieve_of_customer,
    "POST payment_methods": payment_methods.create,
    "GET payment_methods": payment_methods.list_all,
    "GET payment_methods/*": payment_methods.retrieve,
    "POST payment_methods/*": payment_methods.update,
    "POST payment_methods/*/attach": payment_methods.attach,
    "POST payment_methods/*/detach": payment_methods.detach,
    "POST setup_intents": setup_intents.create,
    "GET setup_intents": setup_intents.list_all,
    "GET setup_intents/*": setup_intents.retrieve,
    "POST setup_intents/*": setup_intents.update,
    "POST setup_intents/*/confirm": setup_intents.confirm,
    "POST setup_intents/*/cancel": setup_intents.cancel,
    "POST payment_intents": intents.create,
    "GET payment_intents": intents.list_all,
    "GET payment_intents/*": intents.retrieve,
    "POST payment_intents/*": intents.update,
    "POST payment_intents/*/confirm": intents.confirm,
    "POST payment_intents/*/cancel": intents.cancel,
    "GET charges": charges.list_all,
    "GET charges/*": charges.retrieve,
    "POST refunds": charges.create_refund,
    "GET refunds": charges.list_refunds,
    "GET refunds/*": charges.retrieve_refund,
    "POST refunds/*": charges.update_refund,
    "GET disputes": disputes.list_all,
    "GET disputes/*": disputes.retrieve,
    "POST disputes/*": disputes.update,
    "POST disputes/*/close": disputes.close,
    "GET balance_transactions": charges.list_balance_transactions,
    "GET balance_transactions/*": charges.retrieve_balance_transaction,
    "POST checkout/sessions": checkout.create,
    "GET checkout/sessions": checkout.list_all,
    "GET checkout/sessions/*": checkout.retrieve,
    "POST checkout/sessions/*": checkout.update,
    "POST checkout/sessions/*/expire": checkout.expire,
    "GET checkout/sessions/*/line_items": checkout.list_line_items,
    "POST webhook_endpoints": endpoints.create,
    "GET webhook_endpoints": endpoints.list_all,
    "GET webhook_endpoints/*": endpoints.retrieve,
    "DELETE webhook_endpoints/*": endpoints.delete,
    "GET events": endpoints.list_events,
    "GET events/*": endpoints.retrieve_event,
}


def find(method: str, path: str) -> tuple[Handler, list[str]]:
    """The handler of a path below /v1/ and the ids in it. Errors: 404 for a call the emulator does not know."""
    parts = path.removeprefix("/v1/").split("/")
    if parts[0] == "checkout":
        parts[:2] = ["/".join(parts[:2])]
    # Ids stand at every second place: customers/{id}/payment_methods/{id}.
    shape = "/".join("*" if at % 2 else part for at, part in enumerate(parts))
    handler = ROUTES.get(f"{method} {shape}") if path.startswith("/v1/") else None
    if handler is None:
        sentence = f"Unrecognized request URL ({method}: {path}): the embedded Stripe does not know it."
        raise ApiError(404, "invalid_request_error", sentence, remembered=False)
    return handler, parts[1::2]


def answer(account: Account, method: str, path: str, args: Args) -> Json:
    """Runs one call. Errors: `ApiError`."""
    handler, ids = find(method, path)
    return handler(account, args, *ids)

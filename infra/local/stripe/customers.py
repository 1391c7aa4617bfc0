"""Customers: who a saved card belongs to. docs.stripe.com/api/customers"""

from infra.local.stripe import payment_methods
from infra.local.stripe.account import Account
from infra.local.stripe.errors import Json, missing
from infra.local.stripe.expand import as_list
from infra.local.stripe.params import Args
from infra.local.stripe.shelf import read_page

ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")
_TEXTS = ("description", "name", "phone")


def create(account: Account, args: Args) -> Json:
    """POST /v1/customers"""
    fields = _read(args, {})
    metadata = args.metadata()
    payment_method = args.text("payment_method")
    args.done()
    method = payment_methods.resolve(account, payment_method, "payment_method") if payment_method else None
    row = new_customer(account, {**fields, "metadata": metadata})
    if method is not None:
        payment_methods.attach_to(account, method, row["id"])
    return row


def new_customer(account: Account, fields: Json) -> Json:
    """A customer with those fields, announced."""
    row: Json = {
        "id": account.new_id("cus"),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": account.now,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": None,
        "invoice_settings": _invoice_settings(None),
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
        **fields,
    }
    account.customers.add(row)
    account.emit("customer.created", row)
    return row


def retrieve(account: Account, args: Args, customer_id: str) -> Json:
    """GET /v1/customers/{id}; a deleted one answers `{"deleted": true}`."""
    args.done()
    return account.customers.find(customer_id)


def update(account: Account, args: Args, customer_id: str) -> Json:
    """POST /v1/customers/{id}"""
    row = existing(account, customer_id)
    fields = _read(args, row)
    fields["metadata"] = args.metadata(row["metadata"])
    args.done()
    default = fields.get("invoice_settings", {}).get("default_payment_method")
    if default is not None:
        payment_methods.of_customer(account, default, customer_id, "invoice_settings[default_payment_method]")
    previous = {name: row[name] for name, value in fields.items() if row[name] != value}
    if "email" in previous:
        account.customers.move(row, "email", fields["email"])
    row.update(fields)
    if previous:
        account.emit("customer.updated", row, previous)
    return row


def delete(account: Account, args: Args, customer_id: str) -> Json:
    """DELETE /v1/customers/{id}; detaches the saved cards."""
    args.done()
    row = existing(account, customer_id)
    for method in account.payment_methods.newest("customer", customer_id):
        payment_methods.detach_from(account, method)
    stub: Json = {"id": customer_id, "object": "customer", "deleted": True}
    account.customers.move(row, "email", None)
    account.emit("customer.deleted", row)
    account.customers.replace({**stub, "created": row["created"]})
    return stub


def list_all(account: Account, args: Args) -> Json:
    """GET /v1/customers, by `email`."""
    page, email = read_page(args), args.text("email")
    args.done()
    rows, more = account.customers.page(page, email=email)
    return as_list([row for row in rows if "deleted" not in row], more=more, url="/v1/customers")


def existing(account: Account, customer_id: str, param: str | None = None) -> Json:
    """The customer, unless it was deleted."""
    row = account.customers.find(customer_id, param)
    if "deleted" in row:
        raise missing("customer", customer_id, param)
    return row


def _read(args: Args, row: Json) -> Json:
    fields: Json = {name: args.text(name) for name in ("email", *_TEXTS) if args.has(name)}
    if args.has("address"):
        address = args.table("address")
        fields["address"] = address and {name: address.text(name) for name in ADDRESS}
    settings = args.table("invoice_settings")
    if settings is not None and settings.has("default_payment_method"):
        fields["invoice_settings"] = _invoice_settings(settings.text("default_payment_method"))
    return {name: value for name, value in fields.items() if row.get(name, "") != value}


def _invoice_settings(default_payment_method: str | None) -> Json:
    return {
        "custom_fields": None,
        "default_payment_method": default_payment_method,
        "footer": None,
        "rendering_options": None,
    }

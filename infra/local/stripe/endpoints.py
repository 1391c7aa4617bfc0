"""Webhook endpoints and the record of events. docs.stripe.com/api/webhook_endpoints, docs.stripe.com/api/events"""

from infra.local.stripe.account import Account
from infra.local.stripe.errors import Json, bad_param
from infra.local.stripe.expand import as_list
from infra.local.stripe.params import Args
from infra.local.stripe.shelf import read_page
from infra.local.stripe.webhooks import Endpoint


def create(account: Account, args: Args) -> Json:
    """POST /v1/webhook_endpoints; the answer is the only one that shows the signing secret."""
    url, events = args.required("url"), args.texts("enabled_events")
    description, metadata = args.text("description"), args.metadata()
    connect = args.flag("connect") or False
    args.text("api_version")
    args.done()
    if not events:
        raise bad_param("Missing required param: enabled_events.", "enabled_events", "parameter_missing")
    row: Json = {
        "id": account.new_id("we"),
        "object": "webhook_endpoint",
        "api_version": None,
        "application": None,
        "created": account.now,
        "description": description,
        "enabled_events": events,
        "livemode": False,
        "metadata": metadata,
        "status": "enabled",
        "url": url,
    }
    account.endpoints.add(row)
    endpoint = Endpoint(row["id"], url, f"whsec_test_{row['id']}", tuple(events), connect)
    account.platform.webhooks.endpoints[row["id"]] = endpoint
    return {**row, "secret": endpoint.secret}


def retrieve(account: Account, args: Args, endpoint_id: str) -> Json:
    """GET /v1/webhook_endpoints/{id}"""
    args.done()
    return account.endpoints.find(endpoint_id)


def list_all(account: Account, args: Args) -> Json:
    """GET /v1/webhook_endpoints"""
    page = read_page(args)
    args.done()
    rows, more = account.endpoints.page(page, status="enabled")
    return as_list(rows, more=more, url="/v1/webhook_endpoints")


def delete(account: Account, args: Args, endpoint_id: str) -> Json:
    """DELETE /v1/webhook_endpoints/{id}: nothing more is sent there."""
    args.done()
    row = account.endpoints.find(endpoint_id)
    row["status"] = "disabled"
    account.platform.webhooks.endpoints.pop(endpoint_id, None)
    return {"id": endpoint_id, "object": "webhook_endpoint", "deleted": True}


def retrieve_event(account: Account, args: Args, event_id: str) -> Json:
    """GET /v1/events/{id}, for 30 days"""
    args.done()
    return account.events.find(event_id)


def list_events(account: Account, args: Args) -> Json:
    """GET /v1/events of the last 30 days, by `type` or `types[]`."""
    page, kind, kinds = read_page(args), args.text("type"), args.texts("types")
    args.done()
    if kind is not None and kinds:
        raise bad_param("You may only specify one of these parameters: type, types.", "types")
    rows, more = account.events.page(page, type=set(kinds) if kinds else kind)
    return as_list(rows, more=more, url="/v1/events")

"""API: the pay link and its pages, ANY /pay/{token}…, and their stylesheet."""

import secrets
from functools import cache
from typing import Any

from edges import aws
from edges.clock import Clock
from edges.http import Request, Response
from edges.links import Links
from edges.settings import Settings
from edges.store import DynamoStore
from functions.serve_client.pages import Ports, serve


def handler(event: dict[str, Any], _context: object) -> Response:
    """One request of a browser -> one page."""
    return serve(Request.of(event), _ports())


@cache
def _ports() -> Ports:
    """Made once per container. Stripe's SDK is loaded by the first button that needs it: most visits only look."""
    settings = Settings.from_env()
    table = aws.client("dynamodb")

    @cache
    def cards() -> Any:
        from edges.card_gateway import StripeCards, stripe_client

        return StripeCards(stripe_client(aws.secret(settings.stripe_key_secret_id), settings.stripe_api_base))

    return Ports(
        store=DynamoStore(table, settings.table, settings.due_shards),
        cards=cards,
        links=Links(aws.secret(settings.link_secret_id).encode(), settings.public_base_url),
        now=Clock(settings, table).now,
        new_id=lambda: secrets.token_urlsafe(32),
        origin=settings.public_base_url,
    )

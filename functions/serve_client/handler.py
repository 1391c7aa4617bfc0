"""API: the pay link and its pages, ANY /pay/{token}…, and their stylesheet."""

import secrets
from collections.abc import Mapping
from typing import Any

from billing.ports import TryAgain
from edges import container, deadline
from edges.http import Request, Response
from functions.serve_client.pages import Ports, come_back, serve


def handler(event: Mapping[str, Any], context: object) -> Response:
    """One request of a browser -> one page."""
    deadline.answers(context)
    request = Request.of(event)
    try:
        ports = _ports()
    except TryAgain as passing:  # the secret that links are signed with could not be read yet
        return come_back(request, passing)
    return serve(request, ports)


def _ports() -> Ports:
    """`cards` is made later: Stripe's SDK is loaded by the first button that needs it."""
    return Ports(
        store=container.store(),
        cards=container.cards,
        links=container.links(),
        now=container.clock().now,
        new_id=lambda: secrets.token_urlsafe(32),
        origin=container.settings().public_base_url,
    )

"""An embedded Stripe for tests, the simulator and the local cloud; see `core`. `sdk` runs the official SDK on it in
process, `server` serves it over HTTP with the hosted page and webhooks."""

from infra.local.stripe.core import Answer, EmbeddedStripe
from infra.local.stripe.errors import NoAnswer
from infra.local.stripe.webhooks import Delivery, Endpoint, WebhookRules, sign

__all__ = ["Answer", "Delivery", "EmbeddedStripe", "Endpoint", "NoAnswer", "WebhookRules", "sign"]

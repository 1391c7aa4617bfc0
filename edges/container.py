"""The ports of this container: each made when a handler first asks for it, and kept for the next invocation; what holds
a secret only as long as the secret is the same (edges/aws.py).

A handler asks only for what its step needs, so a function that stores webhooks imports neither Stripe nor Jinja.
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from edges import aws
from edges.settings import Settings

if TYPE_CHECKING:
    from edges.blobs import S3Blobs
    from edges.card_gateway import StripeCards
    from edges.clearinghouse import Clearinghouse
    from edges.clock import Clock
    from edges.links import Links
    from edges.mailer import SesMailer
    from edges.sqs import Queues
    from edges.statement import StripeStatement
    from edges.store import DynamoStore


@cache
def settings() -> Settings:
    """What the template told this function."""
    return Settings.from_env()


@cache
def clock() -> "Clock":
    """What time it is."""
    from edges.clock import Clock

    return Clock(settings(), aws.client("dynamodb"))


@cache
def store() -> "DynamoStore":
    """The one table."""
    from edges.store import DynamoStore

    return DynamoStore(aws.client("dynamodb"), settings().table, settings().due_shards)


@cache
def blobs() -> "S3Blobs":
    """Bodies too large for a row."""
    from edges.blobs import S3Blobs

    return S3Blobs(aws.client("s3"), settings().bucket)


def cards() -> "StripeCards":
    """Stripe, with the key as it is now; imports its SDK, which costs 0.4 s."""
    return _cards(aws.secret(settings().stripe_key_secret_id))


@lru_cache(maxsize=1)
def _cards(key: str) -> "StripeCards":
    from edges.card_gateway import StripeCards, stripe_client

    return StripeCards(stripe_client(key, settings().stripe_api_base))


def statement() -> "StripeStatement":
    """Stripe's lists; imports its SDK."""
    return _statement(aws.secret(settings().stripe_key_secret_id))


@lru_cache(maxsize=1)
def _statement(key: str) -> "StripeStatement":
    from edges.card_gateway import stripe_client
    from edges.statement import StripeStatement

    return StripeStatement(stripe_client(key, settings().stripe_api_base))


def links() -> "Links":
    """Pay links, with the secret as it is now. Those signed with the one before it live on."""
    from edges.links import Links

    secret_id = settings().link_secret_id
    now, before = aws.secret(secret_id), aws.secret(secret_id, aws.PREVIOUS)
    return Links(now.encode(), settings().public_base_url, previous=before.encode())


def clearinghouse_keys() -> Mapping[str, str]:
    """Practice -> its key at the clearinghouse, as they are now; none in a copy without a clearinghouse."""
    from edges.clearinghouse_keys import read_keys

    return read_keys(settings().clearinghouse_keys_secret_id) if settings().clearinghouse_api_base else {}


def clearinghouse() -> "Clearinghouse":
    """The clearinghouse's reports."""
    from edges.clearinghouse import Clearinghouse

    return Clearinghouse(settings().clearinghouse_api_base, clearinghouse_keys())


def mailer() -> "SesMailer":
    """The mail service."""
    from edges.mailer import SesMailer

    return SesMailer(
        aws.client("sesv2"),
        aws.client("s3"),
        settings().bucket,
        settings().mail_from,
        settings().configuration_set,
        links(),
        clock().now,
    )


@cache
def queues() -> "Queues":
    """The work queues; only publish_facts, wake_due and reconcile send."""
    from edges.sqs import Queues

    return Queues(aws.client("sqs"), settings().queue)

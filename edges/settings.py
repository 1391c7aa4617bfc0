"""What template.yaml tells a function about where it runs. Read when a handler is first used, never at import.

A function is given what it needs; asking for a setting it was not given is a mistake in the template, said by name.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass


class MissingSetting(Exception):
    """The function's environment lacks something its code asks for."""


@dataclass(frozen=True)
class Settings:
    """Typed reading of the environment variables; `values` is a copy of them."""

    values: Mapping[str, str]

    @classmethod
    def from_env(cls) -> "Settings":
        """The settings of this process."""
        return cls(dict(os.environ))

    def _given(self, name: str) -> str:
        value = self.values.get(name, "")
        if not value:
            raise MissingSetting(f"{name} is not set: give it to this function in template.yaml")
        return value

    @property
    def table(self) -> str:
        """The name of the one table."""
        return self._given("TABLE")

    @property
    def due_shards(self) -> int:
        """How many shards the due index has; the same for every function of a copy."""
        return int(self._given("DUE_SHARDS"))

    @property
    def bucket(self) -> str:
        """Bodies too large for a row, and mails as they were written."""
        return self._given("BUCKET")

    @property
    def public_base_url(self) -> str:
        """Where clients reach us, without a trailing slash."""
        return self._given("PUBLIC_BASE_URL").rstrip("/")

    @property
    def stripe_api_base(self) -> str:
        """Another address of Stripe's API, or "" for Stripe's own."""
        return self.values.get("STRIPE_API_BASE", "")

    @property
    def clock_item(self) -> str:
        """The pk of the simulated clock's row, or "" where time is real."""
        return self.values.get("CLOCK_ITEM", "")

    @property
    def link_secret_id(self) -> str:
        """What pay links are signed with."""
        return self._given("LINK_SECRET_ID")

    @property
    def stripe_key_secret_id(self) -> str:
        """Our API key at Stripe."""
        return self._given("STRIPE_KEY_SECRET_ID")

    @property
    def stripe_webhook_secret_id(self) -> str:
        """What Stripe signs webhooks with."""
        return self._given("STRIPE_WEBHOOK_SECRET_ID")

    @property
    def clearinghouse_api_base(self) -> str:
        """Where the clearinghouse's reports are, or "" in a copy without one."""
        return self.values.get("CLEARINGHOUSE_API_BASE", "")

    @property
    def clearinghouse_keys_secret_id(self) -> str:
        """Our API keys at the clearinghouse, by practice."""
        return self._given("CLEARINGHOUSE_KEYS_SECRET_ID")

    @property
    def mail_from(self) -> str:
        """The sender of every mail."""
        return self._given("MAIL_FROM")

    @property
    def configuration_set(self) -> str:
        """The SES configuration set whose events reach receive_mail_events."""
        return self._given("CONFIGURATION_SET")

    def queue(self, verb: str) -> str:
        """The address of a verb's queue (publish_facts, wake_due and reconcile only)."""
        return self._given(f"QUEUE_{verb.upper()}")

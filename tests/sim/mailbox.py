"""The mail service: counts and keeps what it accepted, refuses addresses that do not exist.

Judged here, at the moment of sending: a mail that asks for money is about something that was open when its step began
(invariant 7), and no mail carries anything about care (invariant 12).
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from billing.notice import Letter
from billing.ports import Refused


@dataclass(frozen=True)
class Mail:
    """An accepted mail. `number`: how manieth the service ever took."""

    number: int
    at: datetime
    notice_id: str
    letter: Letter


class Mailbox:
    """billing.ports.Mailer. `inspect` sees each letter before it is accepted, `arrived` each mail after.

    `mails`: all of them · `accepted`: their notices · `to`: those about one client.
    """

    def __init__(
        self, now: Callable[[], datetime], inspect: Callable[[str, Letter], None], arrived: Callable[[Mail], None]
    ) -> None:
        self._now, self._inspect, self._arrived = now, inspect, arrived
        self.mails: list[Mail] = []
        self.accepted: set[str] = set()
        self.to: defaultdict[str, list[Mail]] = defaultdict(list)
        self.dead_addresses: set[str] = set()

    def deliver(self, notice_id: str, letter: Letter) -> str:
        """Accept a letter -> its message id. Raises Refused for an address that does not exist."""
        self._inspect(notice_id, letter)
        if letter.to in self.dead_addresses:
            raise Refused("mail_rejected", f"{letter.to} does not exist")
        mail = Mail(len(self.mails) + 1, self._now(), notice_id, letter)
        self.mails.append(mail)
        self.accepted.add(notice_id)
        self.to[letter.client].append(mail)
        self._arrived(mail)
        return f"message-{mail.number}"

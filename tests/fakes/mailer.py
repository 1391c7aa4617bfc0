"""The mail service in memory: a letter's words are kept under its notice id, and what is sent again says the same."""

from dataclasses import dataclass, field

from billing.notice import Letter
from billing.ports import Refused, TryAgain
from tests.fakes.cards import Crash


@dataclass
class FakeMailer:
    """`sent`: every letter that left, in order. `refused`: addresses it takes no mail for. `fault`: breaks the next
    delivery once (`down`: TryAgain, nothing sent; `crash_after`: sent, then our process ends)."""

    sent: list[Letter] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    fault: str = ""
    kept: dict[str, Letter] = field(default_factory=dict)

    def deliver(self, notice_id: str, letter: Letter) -> str:
        """Send, and say under which id the mail service took it."""
        fault, self.fault = self.fault, ""
        if fault == "down":
            raise TryAgain("the mail service does not answer")
        if letter.to in self.refused:
            raise Refused("suppressed", f"{letter.to} takes no mail")
        self.sent.append(self.kept.setdefault(notice_id, letter))
        if fault == "crash_after":
            raise Crash
        return f"ses-{len(self.sent)}-{notice_id}"

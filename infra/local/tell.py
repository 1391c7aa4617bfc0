"""What a copy says in the terminal: what it is doing, and where it is once it is ready. Nothing it says may stop it:
after a closed terminal there is nobody to say it to.
"""

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console as Terminal

if TYPE_CHECKING:
    from infra.local.copy import Copy


class Tell:
    """A terminal, or a file, or nobody."""

    def __init__(self) -> None:
        self._terminal = Terminal(highlight=False, soft_wrap=True)

    def line(self, words: str) -> None:
        """Say it."""
        with contextlib.suppress(OSError):
            self._terminal.print(words, markup=False)

    def failure(self, words: str) -> None:
        """Say what went wrong, on standard error."""
        with contextlib.suppress(OSError):
            Terminal(stderr=True, highlight=False, soft_wrap=True).print(words, style="bold red", markup=False)

    @contextlib.contextmanager
    def step(self, words: str) -> Iterator[None]:
        """Say what is being done, and how long it took."""
        started = time.monotonic()
        if self._terminal.is_terminal:
            with contextlib.suppress(OSError), self._terminal.status(f"{words} …"):
                yield
        else:
            yield
        self.line(f"  {words} · {time.monotonic() - started:.1f} s")

    def ready(self, copy: "Copy", seconds: float) -> None:
        """Where everything is, and what to try."""
        with contextlib.suppress(OSError):
            out = self._terminal
            out.print(f"\n[bold]Kindbill is ready[/bold] after {seconds:.0f} s at [bold]{copy.base_url}[/bold]\n")
            rows = [
                ("Console", f"{copy.base_url}/_local", "mailbox, clock, facts, queues"),
                ("API", f"{copy.base_url}/v1", "described at /v1/openapi.json"),
                ("Stripe", f"{copy.base_url}/_local/stripe", "embedded; try card 4242 4242 4242 4242"),
                *((f"Key: {scope}", key, "") for scope, key in copy.keys.items()),
                *((p.name, f"client {p.client_id}, {p.phone}", p.story.replace("_", " ")) for p in copy.people),
            ]
            for name, where, what in rows:
                out.print(f"  {name:<15} {where:<36} {what}".rstrip(), markup=False)
            out.print("\nTry, in another terminal:")
            out.print("  .venv/bin/kindbill post examples/riverbend.835     a payer answers", markup=False)
            out.print("  .venv/bin/kindbill clock forward 48h               and two days pass", markup=False)
            out.print("\nCtrl-C ends it and leaves nothing behind.\n")

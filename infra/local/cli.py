"""`kindbill`: run a local copy, and work on a running one from a shell.

run, post and clock speak to this machine's copy (KINDBILL_PORT says which); key and redrive work on any copy: on this
machine's, or with --stage on one in the AWS account this shell is signed in to.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import httpx

from infra.local import redrive
from infra.local.cloud import Cloud
from infra.local.keys import SCOPES, NoSuchKey, new_key, revoke_key
from infra.local.run import CannotRun, port_from_env, run

MEDIA_TYPES = {".json": "application/json", ".835": "application/edi-x12", ".fhir": "application/fhir+json"}


class CannotDo(Exception):
    """The command cannot be done; the message says why."""


def main() -> None:
    """The command line's entry."""
    arguments = _parser().parse_args()
    try:
        sys.exit(arguments.act(arguments))
    except (CannotDo, CannotRun, NoSuchKey, ValueError) as reason:
        sys.exit(f"kindbill: {reason}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kindbill", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="command")

    one = commands.add_parser("run", help="the whole system on this machine, until Ctrl-C")
    one.add_argument("--end-with-parent", action="store_true", help="end when the program that started this one does")
    one.set_defaults(act=lambda a: run(ends_with_parent=a.end_with_parent))

    one = commands.add_parser("post", help="send a payer's answer (835 or JSON) and show what became of it")
    one.add_argument("file", type=Path)
    one.set_defaults(act=_post)

    one = commands.add_parser("clock", help="let time pass in the local copy: clock forward 48h")
    one.add_argument("direction", choices=["forward"])
    one.add_argument("length", help="90s, 15m, 48h, 14d or a sum like 47h59m")
    one.set_defaults(act=_clock)

    one = commands.add_parser("key", help="make or revoke an API key")
    actions = one.add_subparsers(required=True, metavar="action")
    new = actions.add_parser("new", help="make a key and print it, once")
    new.add_argument("--practice", help="whose key it is; the demo practice's where left out")
    new.add_argument("--scope", action="append", choices=SCOPES, required=True, help="may be given several times")
    new.set_defaults(act=_new_key)
    revoke = actions.add_parser("revoke", help="from now on the key is refused")
    revoke.add_argument("key", help="the key, or the hash of it")
    revoke.set_defaults(act=_revoke_key)

    again = commands.add_parser("redrive", help="send what waits in the dead letter queues again")
    again.set_defaults(act=_redrive)
    for stageable in (new, revoke, again):
        stageable.add_argument("--stage", help="a copy on AWS, instead of this machine's")
    return parser


def _post(arguments: argparse.Namespace) -> int:
    file: Path = arguments.file
    body = file.read_bytes()
    media_type = MEDIA_TYPES.get(file.suffix) or ("application/edi-x12" if body.startswith(b"ISA") else None)
    if media_type is None:
        raise CannotDo(f"{file} is neither {', '.join(MEDIA_TYPES)} nor an X12 file")
    key = _local("GET", "/_local/keys")["claims"]
    headers = {"authorization": f"Bearer {key}"}
    receipt = _local("POST", "/v1/claim-results", content=body, headers={**headers, "content-type": media_type})
    # What the receipt says at once is that the body is kept; a person wants to see what became of its claims.
    _local("POST", "/_local/settle")
    print_json(_local("GET", receipt["status_url"], headers=headers))
    return 0


def _clock(arguments: argparse.Namespace) -> int:
    print_json(_local("POST", "/_local/clock", json={"forward": arguments.length}))
    return 0


def _new_key(arguments: argparse.Namespace) -> int:
    practice = arguments.practice
    if practice is None:
        if arguments.stage:
            raise CannotDo("--practice is needed: a key belongs to exactly one")
        practice = _local("GET", "/_local/demo")["practice_id"]
    say(new_key(_cloud(arguments.stage).store(), practice, arguments.scope))
    return 0


def _revoke_key(arguments: argparse.Namespace) -> int:
    row = revoke_key(_cloud(arguments.stage).store(), arguments.key)
    say(f"revoked a key of {row.practice} for {', '.join(row.scopes)}")
    return 0


def _redrive(arguments: argparse.Namespace) -> int:
    counts = redrive.redrive(_cloud(arguments.stage))
    for verb, count in counts.items():
        say(f"{verb}: {count} sent again")
    if not counts:
        say("no dead letters")
    return 0


def _cloud(stage: str | None) -> Cloud:
    if stage:
        return Cloud.on_aws(stage)
    _local("GET", "/_local/ready")
    cloud = Cloud.local(port_from_env() + 1)
    cloud.read_outputs()
    return cloud


def _local(method: str, path: str, **request: Any) -> Any:
    """A call of this machine's copy -> its answer's JSON. Raises CannotDo."""
    base = f"http://127.0.0.1:{port_from_env()}"
    try:
        answer = httpx.request(method, base + path, timeout=600, trust_env=False, **request)
    except httpx.TransportError as e:
        raise CannotDo(f"no copy runs at {base} (make run starts one, KINDBILL_PORT says where)") from e
    if not answer.is_success:
        raise CannotDo(f"{answer.status_code}: {answer.text}")
    return answer.json()


def say(words: str) -> None:
    """To standard output."""
    sys.stdout.write(words + "\n")


def print_json(value: Any) -> None:
    """To standard output, as people read it."""
    from rich.console import Console

    Console(soft_wrap=True).print_json(data=value)


if __name__ == "__main__":
    main()

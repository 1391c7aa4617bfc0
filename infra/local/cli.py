"""`kindbill`: run a local copy, and work on a running one from a shell.

run, post and clock speak to this machine's copy (KINDBILL_PORT says which); key, links, redrive and reconcile work on
any copy: on this machine's, or with --stage on one in the AWS account this shell is signed in to.
"""

import argparse
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from edges.store import DynamoStore
from functions.ingest_claims.door import MAX_BODY_BYTES
from infra.local import dead_letters, redrive
from infra.local.cloud import DEAD_LETTERS, Cloud
from infra.local.keys import PREFIX, SCOPES, NoSuchKey, list_keys, new_key, revoke_key
from infra.local.links import NoSuchClient, revoke_links, rotate_secret
from infra.local.nightly import run_now
from infra.local.run import CannotRun, port_from_env, run

MEDIA_TYPES = {".json": "application/json", ".835": "application/edi-x12", ".fhir": "application/fhir+json"}


STANDS_STILL_S = 60.0


class CannotDo(Exception):
    """The command cannot be done; the message says why."""


def main() -> None:
    """The command line's entry."""
    arguments = _parser().parse_args()
    try:
        sys.exit(arguments.act(arguments))
    except (CannotDo, CannotRun, NoSuchClient, NoSuchKey, TimeoutError, ValueError) as reason:
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

    one = commands.add_parser("key", help="make, list or revoke API keys")
    actions = one.add_subparsers(required=True, metavar="action")
    new = actions.add_parser("new", help="make a key and print it, once")
    new.add_argument("--scope", action="append", choices=SCOPES, required=True, help="may be given several times")
    new.set_defaults(act=_new_key)
    listed = actions.add_parser("list", help="every key of the practice: its id, scopes, age; never the key")
    listed.set_defaults(act=_list_keys)
    revoke = actions.add_parser("revoke", help="from now on the key is refused")
    revoke.add_argument("key", help="the key, or its id")
    revoke.set_defaults(act=_revoke_key)

    one = commands.add_parser("links", help="end pay links")
    actions = one.add_subparsers(required=True, metavar="action")
    ended = actions.add_parser(
        "revoke", help="every link and open page of a client is dead; the next mail has a new one"
    )
    ended.add_argument("client", help="the client's id")
    ended.set_defaults(act=_revoke_links)
    rotated = actions.add_parser("rotate", help="sign links with a new secret; twice ends every link ever sent")
    rotated.set_defaults(act=_rotate)
    for of_practice in (new, listed, revoke, ended):
        of_practice.add_argument("--practice", help="whose it is; this machine's practice where left out")

    again = commands.add_parser("redrive", help="show what waits in the dead letter queues, and send it again")
    again.add_argument("queue", nargs="?", choices=DEAD_LETTERS, metavar="queue", help="of this verb only")
    again.add_argument("--message", default="", help="the one of that id only")
    again.add_argument("--list", action="store_true", help="show, and leave everything where it is")
    again.set_defaults(act=_redrive)
    night = commands.add_parser("reconcile", help="check the books now, as every night, and show what was found")
    night.set_defaults(act=_reconcile)
    for stageable in (new, listed, revoke, ended, rotated, again, night):
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
    if len(body) > MAX_BODY_BYTES:
        print_json(_until_done(_upload(body, media_type, headers), headers))
        return 0
    receipt = _local("POST", "/v1/claim-results", content=body, headers={**headers, "content-type": media_type})
    # What the receipt says at once is that the body is kept; a person wants to see what became of its claims.
    _local("POST", "/_local/settle")
    print_json(_local("GET", receipt["status_url"], headers=headers))
    return 0


def _upload(body: bytes, media_type: str, headers: dict[str, str]) -> Any:
    """Put a large file to an address of its own -> its receipt, which waits for it."""
    told = {"content_type": media_type, "bytes": len(body)}
    given = _local("POST", "/v1/claim-results/uploads", json=told, headers=headers)
    put = httpx.put(given["upload_url"], content=body, headers=given["headers"], timeout=600, trust_env=False)
    if not put.is_success:
        raise CannotDo(f"the file was not taken: {put.status_code}: {put.text}")
    return given


def _until_done(receipt: Any, headers: dict[str, str]) -> Any:
    """The receipt of a large file when all of it has an outcome, or when nothing has moved for a minute; how far it is
    is told meanwhile."""
    seen: dict[str, Any] = {}
    moved = time.monotonic()
    while True:
        shown = _local("GET", receipt["status_url"], headers=headers)
        if shown["state"] == "done" or time.monotonic() - moved > STANDS_STILL_S:
            return shown
        if shown != seen:
            seen, moved = shown, time.monotonic()
            decided = sum(shown[outcome] for outcome in ("accepted", "held", "duplicate", "rejected"))
            sys.stderr.write(f"{shown['state']}: {shown['claims']:,} claims read, {decided:,} decided\n")
        time.sleep(1)


def _clock(arguments: argparse.Namespace) -> int:
    print_json(_local("POST", "/_local/clock", json={"forward": arguments.length}))
    return 0


def _new_key(arguments: argparse.Namespace) -> int:
    store, practice, now = _staff(arguments)
    say(new_key(store, practice, arguments.scope, now))
    return 0


def _list_keys(arguments: argparse.Namespace) -> int:
    store, practice, _ = _staff(arguments)
    for one in list_keys(store, practice):
        ended = f"  revoked {one.revoked_at:%Y-%m-%d %H:%M}" if one.revoked_at else ""
        say(f"{one.key_id}  {practice}  {','.join(one.scopes):<23} made {one.created_at:%Y-%m-%d %H:%M}{ended}")
    return 0


def _revoke_key(arguments: argparse.Namespace) -> int:
    store, practice, now = _staff(arguments, needs_practice=not arguments.key.startswith(PREFIX))
    row = revoke_key(store, arguments.key, practice, now)
    say(f"revoked key {row.key_id} of {row.practice} for {', '.join(row.scopes)}")
    return 0


def _revoke_links(arguments: argparse.Namespace) -> int:
    store, practice, now = _staff(arguments)
    revoke_links(store, practice, arguments.client, now)
    say(f"every pay link of {arguments.client} is dead, and every page opened by one")
    return 0


def _rotate(arguments: argparse.Namespace) -> int:
    rotate_secret(_cloud(arguments.stage))
    say("links are signed with a new secret within a minute; those of the secret before stay good")
    return 0


def _staff(arguments: argparse.Namespace, *, needs_practice: bool = True) -> tuple[DynamoStore, str, datetime]:
    """The table that is meant, whose part of it ("" where that does not matter), and what time it is there."""
    practice, stage = arguments.practice or "", arguments.stage
    if stage and needs_practice and not practice:
        raise CannotDo("--practice is needed")
    store = _cloud(stage).store()
    return store, practice if stage else practice or _local("GET", "/_local/demo")["practice_id"], _now(stage)


def _now(stage: str | None) -> datetime:
    """What time it is there."""
    return datetime.now(UTC) if stage else datetime.fromisoformat(_local("GET", "/_local/clock")["now"])


def _redrive(arguments: argparse.Namespace) -> int:
    cloud = _cloud(arguments.stage)
    letters = dead_letters.find(cloud, [arguments.queue] if arguments.queue else DEAD_LETTERS, arguments.message)
    for letter in letters:
        say(dead_letters.shown(cloud, letter))
    if not letters:
        say("no dead letters")
    if arguments.list:
        dead_letters.put_back(cloud, letters)
        return 0
    failed = redrive.redrive(cloud, letters)
    for verb, count in Counter(letter.verb for letter in letters if letter not in failed).items():
        say(f"{verb}: {count} sent again")
    for verb, count in Counter(letter.verb for letter in failed).items():
        say(f"{verb}: {count} failed again, and left where they were")
    return 1 if failed else 0


def _reconcile(arguments: argparse.Namespace) -> int:
    cloud = _cloud(arguments.stage)
    found = run_now(cloud, cloud.store(), _now(arguments.stage))
    print_json(found)
    return 1 if any(finding["state"] == "open" for finding in found["findings"]) else 0


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

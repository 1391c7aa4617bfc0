"""Settings, clock, log, clients, ports: what a handler stands on."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from billing.ids import Key
from billing.policy import Provider
from billing.ports import Blobs, CardGateway, Insert, Mailer, Refused, Store, TryAgain
from edges import aws, container, log
from edges.clock import Clock
from edges.settings import MissingSetting, Settings
from edges.table import check_commit
from tests.fakes.stage import Stage, forget, left_out, log_lines, metrics_in

# ------------------------------------------------------------------------------------------------------- settings


def test_settings_are_read_by_name_and_type() -> None:
    settings = Settings({"TABLE": "books", "DUE_SHARDS": "4", "PUBLIC_BASE_URL": "https://x/", "QUEUE_SEND_EMAIL": "u"})
    assert (settings.table, settings.due_shards, settings.public_base_url) == ("books", 4, "https://x")
    assert settings.queue("send_email") == "u"
    assert (settings.clock_item, settings.stripe_api_base) == ("", ""), "empty means the real ones"


REAL = ("clock_item", "stripe_api_base", "clearinghouse_api_base")
"""Where empty says something, too."""


@pytest.mark.parametrize(
    "name",
    [n for n, v in vars(Settings).items() if isinstance(v, property) and n not in REAL],
)
def test_a_setting_that_was_not_given_is_named(name: str) -> None:
    with pytest.raises(MissingSetting, match=r"[A-Z_]+ is not set: give it to this function in template.yaml"):
        getattr(Settings({}), name)


# ---------------------------------------------------------------------------------------------------------- clock


def test_without_a_clock_item_time_is_real(stage: Stage) -> None:
    settings = Settings(stage.environment | {"CLOCK_ITEM": ""})
    before = datetime.now(UTC)
    assert before <= Clock(settings, stage.client("dynamodb")).now() <= datetime.now(UTC)


def test_a_simulated_clock_says_what_its_row_says(stage: Stage) -> None:
    for instant in ("2026-11-20T12:00:00Z", "2026-12-01T02:00:00-07:00"):
        stage.set_clock(instant)
        now = container.clock().now()
        assert now == datetime.fromisoformat(instant)
        assert now.tzinfo is UTC


def test_a_simulated_clock_that_was_never_set_is_an_error(stage: Stage) -> None:
    settings = Settings(stage.environment | {"CLOCK_ITEM": "NOWHERE#"})
    with pytest.raises(LookupError, match="NOWHERE#"):
        Clock(settings, stage.client("dynamodb")).now()


# ------------------------------------------------------------------------------------------------------------ log


@pytest.fixture
def fresh_log(monkeypatch: pytest.MonkeyPatch) -> Any:
    forget()
    yield monkeypatch
    forget()


def test_a_line_is_json_with_its_service(fresh_log: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fresh_log.setenv("POWERTOOLS_SERVICE_NAME", "wake_due")
    log.info("swept", woken=3)
    (line,) = log_lines(capsys.readouterr().out)
    assert (line["level"], line["service"], line["message"], line["woken"]) == ("INFO", "wake_due", "swept", 3)


@pytest.mark.parametrize(("level", "heard"), [("INFO", 3), ("WARNING", 2), ("ERROR", 1), ("nonsense", 3)])
def test_the_level_decides_what_is_heard(
    fresh_log: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], level: str, heard: int
) -> None:
    fresh_log.setenv("LOG_LEVEL", level)
    log.info("a")
    log.warning("b")
    log.error("c")
    assert len(log_lines(capsys.readouterr().out)) == heard


def test_law_1_only_errors_that_we_wrote_about_ids_are_quoted() -> None:
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "Ana"}}, "PutItem")
    refused = Refused("no_such_programme", "Ana's programme is not accepted.")
    assert log.about(TryAgain("throttled"))["detail"] == "throttled"
    assert (log.about(denied)["code"], log.about(refused)["code"]) == ("AccessDenied", "no_such_programme")
    not_ours = AssertionError("Ana")  # of a library: nothing of ours raised it
    assert "Ana" not in json.dumps([log.about(e) for e in (denied, refused, ValueError("Ana"), not_ours)])


def test_an_assertion_of_our_own_code_is_quoted_and_cut() -> None:
    with pytest.raises(AssertionError) as caught:
        check_commit([Key("pk", f"sk{n}") for n in range(101)])
    assert "101 writes in one commit" in str(log.about(caught.value)["detail"])
    with pytest.raises(AssertionError) as caught:
        check_commit([Key("pk" * 1000, "sk")] * 2)
    assert len(str(log.about(caught.value)["detail"])) == log.LONGEST_SENTENCE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "Ana Alvarez"),
        ("code", "Ana Alvarez"),
        ("request_id", "+1 202 555 0143"),
        ("status", "200"),
        ("status", True),
        ("complete", 1),
        ("detail", "x" * 201),
        ("reason", 7),
        ("notice_id", None),
    ],
)
def test_law_1_a_value_that_the_allow_list_does_not_know_is_left_out_and_counted(
    fresh_log: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: log.Value
) -> None:
    fresh_log.setattr(log, "_misfit", left_out)
    log.info("served", outcome="stored", **{name: value})
    printed = capsys.readouterr().out
    (line,) = log_lines(printed)
    assert set(line) == {"level", "service", "at", "message", "outcome"}
    assert metrics_in(printed) == [("LogFieldsDropped", 1)]


def test_the_same_value_makes_a_test_fail(fresh_log: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match="'code'"):
        log.info("served", code="Ana Alvarez")


def test_an_error_rings(fresh_log: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    log.error("bug", error="KeyError")
    log.warning("busy")
    assert metrics_in(capsys.readouterr().out) == [("ErrorsLogged", 1)]


def test_the_longest_line_is_a_kilobyte(fresh_log: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A failed record: the line that says most."""
    said = {"code": "x" * 64, "error": "x" * 64, "detail": "x" * 200, "where": "x" * 400, "message_id": "x" * 36}
    log.warning("try again", received=5, **said)
    assert len(capsys.readouterr().out) <= 1000


# ------------------------------------------------------------------------------------------------------------ aws


def client_error(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutItem")  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    "error",
    [
        client_error("ThrottlingException", 400),
        client_error("SlowDown", 503),
        client_error("Anything", 500),
        client_error("TooManyRequests", 429),
        ReadTimeoutError(endpoint_url="x"),
        ConnectTimeoutError(endpoint_url="x"),
        EndpointConnectionError(endpoint_url="x"),
    ],
)
def test_what_passes_is_for_trying_again(error: Exception) -> None:
    with pytest.raises(TryAgain), aws.passing_faults():
        raise error


@pytest.mark.parametrize("error", [client_error("AccessDenied", 403), client_error("NoSuchKey", 404), KeyError("x")])
def test_what_does_not_pass_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)), aws.passing_faults():
        raise error


def test_there_is_one_client_of_a_service_with_pinned_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    aws._client.cache_clear()
    client = aws.client("sqs")
    assert aws.client("sqs") is client
    pinned = vars(client.meta.config)
    assert (pinned["connect_timeout"], pinned["read_timeout"]) == (2, 6)
    assert pinned["retries"] == {"mode": "standard", "total_max_attempts": 3}
    client.close()
    aws._client.cache_clear()


LATER = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the wall clock says to edges/aws.py, to be changed."""
    at = [1_000_000.0]
    monkeypatch.setattr(aws.time, "time", lambda: at[0])
    return at


def test_a_secret_is_fetched_at_most_once_a_minute(stage: Stage, wall: list[float]) -> None:
    fetched: list[str] = []
    events = stage.client("secretsmanager").meta.events
    events.register("before-call.secretsmanager.GetSecretValue", lambda **_: fetched.append("one"))
    secret_id = container.settings().link_secret_id
    assert [aws.secret(secret_id), aws.secret(secret_id)] == ["link-secret", "link-secret"]
    wall[0] += aws.SECRET_KEPT_SECONDS - 1
    aws.secret(secret_id)
    assert fetched == ["one"]


def test_a_rolled_secret_is_in_use_a_minute_later_and_the_one_before_is_known(stage: Stage, wall: list[float]) -> None:
    secret_id = container.settings().link_secret_id
    old = container.links().token("elm", "ana", 0, LATER)
    assert aws.secret(secret_id, aws.PREVIOUS) == ""
    stage.client("secretsmanager").put_secret_value(SecretId=secret_id, SecretString="rolled")
    wall[0] += aws.SECRET_KEPT_SECONDS
    assert (aws.secret(secret_id), aws.secret(secret_id, aws.PREVIOUS)) == ("rolled", "link-secret")
    assert container.links().read(old, LATER).client == "ana"
    assert container.links().token("elm", "ana", 0, LATER) != old


def test_a_secret_that_cannot_be_read_for_a_while_stays_what_it_was(
    stage: Stage, wall: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret_id = container.settings().link_secret_id
    assert aws.secret(secret_id) == "link-secret"

    def throttled(*_: str) -> str:
        raise TryAgain("throttled")

    monkeypatch.setattr(aws, "_read_secret", throttled)
    wall[0] += 10 * aws.SECRET_KEPT_SECONDS
    assert aws.secret(secret_id) == "link-secret"
    with pytest.raises(TryAgain):
        aws.secret(container.settings().stripe_key_secret_id)


def test_a_rolled_stripe_key_is_the_one_that_is_used(stage: Stage, wall: list[float]) -> None:
    before = container.cards()
    assert container.cards() is before
    stage.client("secretsmanager").put_secret_value(
        SecretId=container.settings().stripe_key_secret_id, SecretString="sk_test_rolled"
    )
    wall[0] += aws.SECRET_KEPT_SECONDS
    assert container.cards() is not before


# ----------------------------------------------------------------------------------------------------------- ports


def test_every_port_is_what_its_protocol_says_and_made_once(stage: Stage) -> None:
    store: Store = container.store()
    blobs: Blobs = container.blobs()
    cards: CardGateway = container.cards()
    mailer: Mailer = container.mailer()
    assert store is container.store()
    assert (blobs, cards) == (container.blobs(), container.cards())
    assert mailer
    provider = Provider("elm", "dr_chen", 1, "Dr Chen", "chen@elm.example")
    store.commit(Insert(provider))
    assert store.get(provider.key) == provider
    blobs.put("bodies/one", b"\x1f\x8b\x00")
    blobs.put("bodies/one", b"\x1f\x8b\x01")
    assert blobs.get("bodies/one") == b"\x1f\x8b\x01"
    with pytest.raises(ClientError, match="NoSuchKey"):
        blobs.get("bodies/none")


@pytest.mark.parametrize(
    "verb", ["publish_facts", "wake_due", "receive_stripe", "receive_clearinghouse", "receive_mail_events"]
)
def test_a_function_that_moves_no_money_starts_without_heavy_imports(verb: str) -> None:
    heavy = ("stripe", "jinja2", "pydantic", "phonenumbers", "boto3", "aws_lambda_powertools")
    script = (
        f"import sys, functions.{verb}.handler, edges.store, edges.sqs, edges.clock\n"
        f"print([m for m in {heavy!r} if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    seen = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "[]"

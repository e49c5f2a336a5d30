"""Every bad input has a clear answer; nothing is spent and nothing leaks."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from gateway.background import served
from gateway.body_limit import BODY_BYTES_MAX
from gateway.isolation import choose_isolation
from gateway.node import Isolation, open_node, start
from keyong import Refused
from policies.messages import MESSAGES
from policies.refusals import Refused as NodeRefused
from sandbox.runtimes.base import Standing, Unavailable
from tests.journey import world as worlds
from tests.journey.world import AUTHOR, COUNT, DATASET, FREE, OPERATOR, RIVAL, Guests, World

pytestmark = pytest.mark.isolation


@pytest.fixture(scope="module")
def guests(world: World) -> Iterator[Guests]:
    with served(world.folder, world.start) as url, world.guests(url) as opened:
        yield opened


@pytest.fixture(autouse=True)
def nothing_spent(guests: Guests) -> Iterator[None]:
    """Hold every test of this file to it: balances before are balances after."""
    before = worlds.spent(guests[OPERATOR])
    yield
    assert worlds.spent(guests[OPERATOR]) == before


BAD_QUESTIONS = [
    ("SELECT", FREE, "0.1", "sql_syntax"),
    ("SELECT count(*) FROM persons; DROP TABLE persons", FREE, "0.1", "sql_not_a_select"),
    ("DELETE FROM persons", FREE, "0.1", "sql_not_a_select"),
    ("SELECT wealth, count(*) FROM persons GROUP BY wealth", FREE, "0.1", "unknown_column"),
    ("SELECT count(*) FROM secrets", FREE, "0.1", "unknown_table"),
    ("SELECT name FROM persons", FREE, "0.1", "not_aggregated"),
    ("SELECT name, count(*) FROM persons GROUP BY name", FREE, "0.1", "column_use_not_granted"),
    ("SELECT count(*) FROM persons", "advertising", "0.1", "purpose_not_granted"),
    ("SELECT count(*) FROM persons", FREE, "1.5", "loss_per_query_exceeded"),
    ("SELECT count(*) FROM persons", FREE, "0", "loss_not_positive"),
    ("SELECT count(*) FROM persons", FREE, "-1", "loss_not_positive"),
    ("SELECT count(*) FROM persons", FREE, "1e-3", "loss_not_positive"),
    ("SELECT count(*) FROM persons", FREE, "NaN", "loss_not_positive"),
    ("SELECT count(*) FROM persons", FREE, "0.0000000001", "request_invalid"),
    ("SELECT count(*) FROM persons WHERE region = " + "(" * 10_000 + "'x'" + ")" * 10_000, FREE, "0.1", "sql_too_complex"),
    ("SELECT count(*) FROM persons -- \x00", FREE, "0.1", "sql_not_text"),
    ("SELECT count(*) FROM read_csv('/etc/passwd')", FREE, "0.1", "sql_function_refused"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "purpose", "epsilon", "code"), BAD_QUESTIONS)
def test_a_bad_question_is_refused_with_its_code(
    guests: Guests, sql: str, purpose: str, epsilon: str, code: str
) -> None:
    for ask in (guests[OPERATOR].check, guests[OPERATOR].query):
        with pytest.raises(Refused) as refused:
            ask(DATASET, sql, purpose=purpose, epsilon=epsilon)
        assert refused.value.code == code
        assert refused.value.status == MESSAGES[code].status
        assert refused.value.loss_spent == "0"
        assert refused.value.problem["charged"] is False


def test_a_refusal_points_at_the_place_and_names_the_grant(guests: Guests) -> None:
    sql = "SELECT region,\n  sum(claims.amount)\nFROM persons JOIN claims USING (person_id)\nWHERE name = 'x' GROUP BY region"
    with pytest.raises(Refused) as refused:
        guests[OPERATOR].check(DATASET, sql, purpose=FREE, epsilon="0.1")
    assert refused.value.code == "column_use_not_granted"
    assert refused.value.at is not None and refused.value.at.line == 4
    assert [(g.table, g.column, g.use) for g in refused.value.needed_grants] == [
        ("persons", "name", "filter")
    ]


def test_both_languages_are_said(guests: Guests) -> None:
    for header, lang in (("zh-CN,zh;q=0.9", "zh-CN"), ("en-GB", "en"), ("fr", "en")):
        response = _post(guests, {**_question(), "purpose": "x"}, {"Accept-Language": header})
        body = response.json()
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["cache-control"] == "no-store"
        assert body["lang"] == lang
        assert body["detail"] == body["detail_zh" if lang == "zh-CN" else "detail_en"]


@pytest.mark.parametrize("size", [1_000_000, 6_000_000])
def test_a_megabyte_of_sql_is_turned_away_unread(guests: Guests, size: int) -> None:
    body = json.dumps({**_question(), "sql": "SELECT " + "x" * size}).encode()
    try:
        response = _post(guests, body)
    except httpx.WriteError:
        # Far beyond the limit the node stops listening; the sender sees the connection end.
        assert size > 4 * 1024 * 1024
        return
    assert (response.status_code, response.json()["code"]) == (413, "request_too_large")


def test_a_body_at_the_limit_is_read(guests: Guests) -> None:
    question = _question()
    body = json.dumps(question).encode()
    padded = body + b" " * (BODY_BYTES_MAX - len(body))
    assert _post(guests, padded, {"Idempotency-Key": "bad key with spaces"}).status_code == 400
    assert _post(guests, padded + b" ").status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        b'{"dataset": "\xff\xfe"}',
        b"{",
        b"",
        b"[" * 100_000,
        "{'dataset': 1}".encode("utf-16"),
    ],
)
def test_what_is_not_json_is_said_to_be_none(guests: Guests, body: bytes) -> None:
    response = _post(guests, body)
    assert (response.status_code, response.json()["code"]) in (
        (400, "request_not_json"),
        (422, "request_invalid"),
    )


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"epsilom": "1"}, "/epsilom"),
        ({"epsilon": 0.5}, "/epsilon"),
        ({"sql": None}, "/sql"),
        ({"purpose": ""}, "/purpose"),
        ({"epsilon": None}, "/epsilon"),
        ({"rho": "0.1"}, "/epsilon"),
    ],
)
def test_a_wrong_field_is_named(guests: Guests, change: dict[str, object], pointer: str) -> None:
    body = _post(guests, {**_question(), **change}).json()
    assert body["errors"][0]["pointer"] == pointer, body


def test_a_key_is_required_and_plain(guests: Guests) -> None:
    for key in (None, "", "a" * 129, "with space", "ü"):
        headers = {} if key is None else {"Idempotency-Key": key}
        response = _post(guests, _question(), headers)
        assert response.json()["code"] == "idempotency_key_missing", key


def test_strangers_learn_nothing(guests: Guests) -> None:
    with httpx.Client(base_url=guests.url) as stranger:
        for path in ("/v1/datasets", "/v1/budgets", "/v1/audit/log/checkpoint"):
            assert stranger.get(path).json()["code"] == "token_missing"
            wrong = {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}
            assert stranger.get(path, headers=wrong).json()["code"] == "token_invalid"
        for name, secret in (("nobody", "x"), (OPERATOR, "wrong")):
            fields = {
                "grant_type": "client_credentials",
                "client_id": name,
                "client_secret": secret,
            }
            said = stranger.post("/oauth/token", data=fields).json()
            assert said["code"] == "client_unknown"
            assert name not in json.dumps(said)


def test_a_dataset_of_others_is_as_absent_as_one_that_is_not(guests: Guests) -> None:
    for name in ("hn_health_2", "x" * 64):
        with pytest.raises(Refused) as refused:
            guests[RIVAL].query(name, COUNT, purpose=FREE, epsilon="0.1")
        assert refused.value.code == "not_found"


def line_of(text: str, start: str) -> int:
    """Count the lines down to the first that starts so."""
    return 1 + next(
        n for n, line in enumerate(text.splitlines()) if line.lstrip().startswith(start)
    )


# A pattern in the policy, what stands there instead, the fault, the line that starts so and the column.
FAULTS = [
    (r"metadata:", "metadata: [", "document_syntax", "jurisdiction:", 15),
    (r"effective:", "efective:", "document_field_missing", "apiVersion:", 1),
    (
        r"(  claims:\n)    privacy_unit:\n(?:      .*\n)+",
        r"\1",
        "document_unit_missing",
        "columns:",
        5,
    ),
    (
        r"income: \{.*\}",
        "income: {use: [aggregate]}",
        "document_bounds_missing",
        "income:",
        15,
    ),
    (
        r"state_secret: false",
        "state_secret: true",
        "document_classification_refused",
        "state_secret:",
        17,
    ),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_policy_with_a_fault_is_refused_with_its_place(
    guests: Guests, fault: tuple[str, str, str, str, int]
) -> None:
    pattern, instead, code, start, column = fault
    whole = worlds.policy_text().replace("version: 1", "version: 9", 1)
    text, found = re.subn(pattern, instead, whole, count=1)
    assert found
    with pytest.raises(Refused) as refused:
        guests[AUTHOR].send("POST", "/v1/policies", {"text": text})
    assert refused.value.code == code
    at = refused.value.at
    assert at is not None and at.column == column
    if start == "columns:":
        assert at.line == line_of(text, "claims:") + 1
    else:
        assert at.line == line_of(text, start)


@pytest.mark.parametrize(
    ("old", "new"), [("hospital:", "hospitals:"), ("hn-health-commission", "another-holder")]
)
def test_a_policy_that_does_not_fit_its_dataset_is_refused(
    guests: Guests, old: str, new: str
) -> None:
    text = worlds.policy_text().replace("version: 1", "version: 9", 1)
    with pytest.raises(Refused) as refused:
        guests[AUTHOR].send("POST", "/v1/policies", {"text": text.replace(old, new)})
    assert refused.value.code == "document_field_invalid"


def test_names_that_fit_no_account_are_refused_while_they_can_be_shortened(guests: Guests) -> None:
    text = worlds.policy_text().replace("hn-health-op-xinyi", "x" * 64).replace(FREE, "p" * 64)
    with pytest.raises(Refused) as refused:
        guests[AUTHOR].send("POST", "/v1/policies", {"text": text})
    assert "shorten it" in refused.value.message


def test_all_faults_of_a_policy_are_said_at_once(guests: Guests) -> None:
    text = worlds.policy_text().replace("effective:", "efective:").replace("fee: paid", "fee: much")
    with pytest.raises(Refused) as refused:
        guests[AUTHOR].send("POST", "/v1/policies", {"text": text})
    found = {(e["code"], e["line"]) for e in refused.value.problem["errors"]}
    unknown, invalid = line_of(text, "efective:"), line_of(text, "- {code: insurance_pricing")
    wanted = {("document_field_unknown", unknown), ("document_field_invalid", invalid)}
    assert wanted <= found, found


def test_broken_yaml_has_line_and_column(guests: Guests) -> None:
    with pytest.raises(Refused) as refused:
        guests[AUTHOR].send(
            "POST", "/v1/policies", {"text": "kind: AccessPolicy\nmetadata: [1\nx: 2\n"}
        )
    assert (refused.value.code, str(refused.value.at)) == ("document_syntax", "3:2")


def test_nobody_approves_their_own_work(guests: Guests) -> None:
    text = worlds.policy_text().replace("version: 1", "version: 2", 1)
    made = guests[AUTHOR].send("POST", "/v1/policies", {"text": text})
    with pytest.raises(Refused) as refused:
        path = f"/v1/policies/{made['id']}:approve"
        guests[AUTHOR].send("POST", path, {"digest": made["digest"]})
    assert refused.value.code == "four_eyes_required"
    assert guests[AUTHOR].send("GET", f"/v1/policies/{made['id']}")["version"] == 1


class _Without:
    """A runtime on a machine without namespaces: it says so, and is never asked to run."""

    name = "namespace"

    def probe(self) -> Standing | Unavailable:
        return Unavailable("namespaces: permission denied", "start the gateway as root")


def test_a_node_without_isolation_does_not_start(world: World) -> None:
    chosen = replace(world.start, isolation=Isolation(_Without(), False))  # type: ignore[arg-type]
    with pytest.raises(NodeRefused) as refused:
        open_node(world.folder, chosen)
    assert refused.value.code == "isolation_unavailable"
    assert "start the gateway as root" in str(refused.value)


def test_classified_data_is_not_served_without_isolation(
    isolated: None, tmp_path: Path, world: World
) -> None:
    insecure = choose_isolation("namespace", insecure=True, synthetic_only=False)
    copy = _copied(world, tmp_path)
    with pytest.raises(NodeRefused) as refused:
        open_node(copy, start(insecure))
    assert refused.value.code == "insecure_runtime_refused"


def test_invented_data_may_be_served_without_isolation_and_every_answer_says_so(
    tmp_path: Path, world: World
) -> None:
    insecure = choose_isolation("namespace", insecure=True, synthetic_only=True)
    copy = _copied(world, tmp_path)
    with served(copy, start(insecure)) as url, world.guests(url) as guests:
        answer = guests[OPERATOR].query(DATASET, COUNT, purpose=FREE, epsilon="0.1")
        assert any("isolation" in warning for warning in answer.warnings)


def _copied(world: World, target: Path) -> Path:

    return Path(shutil.copytree(world.folder, target / "node"))


def _question() -> dict[str, object]:
    return {"dataset": DATASET, "sql": COUNT, "purpose": FREE, "epsilon": "0.1"}


def _post(guests: Guests, body: object, headers: Mapping[str, str] | None = None) -> httpx.Response:
    token = guests[OPERATOR]._fresh_token()
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = [("Authorization", f"Bearer {token}"), ("Content-Type", "application/json")]
    sent += (headers or {"Idempotency-Key": "bad-input"}).items() if headers != {} else ()
    encoded = [(name.encode(), value.encode("utf-8")) for name, value in sent]
    return httpx.post(
        f"{guests.url}/v1/queries", content=content, headers=encoded, timeout=30, trust_env=False
    )

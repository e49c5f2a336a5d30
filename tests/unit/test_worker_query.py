"""One frame in, one frame out, over a real snapshot file: an answer, or one word without text."""

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from sandbox import wire
from sandbox.boundary import Answered, Failure, Pick, Release, Reuse
from sandbox.worker.engine import EngineLimits
from sandbox.worker.finish import serve_finish
from sandbox.worker.query import serve_query
from tests.unit.test_worker_accept import TAMPERED
from tests.unit.worker_world import Shape, plan_of, snapshot, some_rows

LIMITS = EngineLimits(memory_bytes=1 << 28, threads=2)
PLAN = plan_of(Shape())
TABLES = ("visits", "_ky_units", "_ky_meta")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "snapshot.duckdb"
    with snapshot(some_rows(1)) as connection:
        connection.execute(f"ATTACH '{path}' AS made")
        for table in TABLES:
            connection.execute(f"CREATE TABLE made.{table} AS FROM {table}")
        connection.execute("DETACH made")
    return path


def serve(file: Path, request: bytes) -> Answered | Failure:
    return wire.decode_answered(serve_query(request, str(file), LIMITS))


def test_a_plan_is_answered_from_a_file_that_stays_as_it_is(file):
    before = file.read_bytes()
    file.chmod(0o444)
    found = serve(file, wire.encode(PLAN))
    assert isinstance(found, Answered) and len(found.release.rows) == 5
    assert file.read_bytes() == before and list(file.parent.iterdir()) == [file]


def test_two_runs_draw_two_noises(file):
    assert serve(file, wire.encode(PLAN)) != serve(file, wire.encode(PLAN))


def finished(reuse: Reuse) -> Release | Failure:
    return wire.decode_answer(serve_finish(wire.encode(reuse), LIMITS))


def test_kept_totals_make_the_same_answer_and_others_make_another(file):
    found = serve(file, wire.encode(PLAN))
    assert isinstance(found, Answered)
    picks = tuple(Pick(0, index) for index in range(len(found.noisy.moments)))
    assert finished(Reuse(PLAN, (found.noisy,), picks)) == found.release
    raised = tuple(tuple(total + 1000 for total in vector) for vector in found.noisy.moments)
    other = replace(found.noisy, moments=raised)
    assert finished(Reuse(PLAN, (found.noisy, other), picks)) == found.release
    assert finished(Reuse(PLAN, (other,), picks)) != found.release


def test_totals_that_do_not_fit_are_one_word(file):
    found = serve(file, wire.encode(PLAN))
    assert isinstance(found, Answered)
    noisy, count = found.noisy, len(found.noisy.moments)
    picks = tuple(Pick(0, index) for index in range(count))
    fewer = replace(noisy, keys=noisy.keys[1:])
    for sources, chosen in (
        ((noisy,), picks[1:]),
        ((noisy,), (*picks[1:], Pick(1, 0))),
        ((noisy,), (*picks[1:], Pick(0, count))),
        ((noisy,), (*picks[1:], Pick(-1, 0))),
        ((fewer,), picks),
        ((noisy, fewer), (*picks[1:], Pick(1, 0))),
        ((), ()),
    ):
        assert finished(Reuse(PLAN, sources, chosen)) is Failure.RUN_FAILED


@pytest.mark.parametrize("tamper", ["another format", "less noise", "a dearer moment"])
def test_a_finishing_worker_holds_the_plan_to_its_claims(file, tamper):
    found = serve(file, wire.encode(PLAN))
    assert isinstance(found, Answered)
    picks = tuple(Pick(0, index) for index in range(len(found.noisy.moments)))
    claims = Reuse(TAMPERED[tamper](PLAN), (found.noisy,), picks)
    assert finished(claims) is Failure.PLAN_NOT_ACCEPTED
    assert serve_finish(b"{}", LIMITS) == wire.encode(Failure.PLAN_NOT_ACCEPTED)


def change(file: Path, statement: str) -> None:
    with duckdb.connect(str(file)) as connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "failure"),
    [
        ("UPDATE _ky_meta SET value = 'other' WHERE name = 'snapshot'", Failure.SNAPSHOT_MISMATCH),
        (
            "UPDATE _ky_meta SET value = '1' WHERE name = 'loss_per_query_max'",
            Failure.PLAN_NOT_ACCEPTED,
        ),
        ("ALTER TABLE visits ALTER income TYPE FLOAT", Failure.PLAN_NOT_ACCEPTED),
        ("DROP TABLE visits", Failure.PLAN_NOT_ACCEPTED),
        ("DROP TABLE _ky_units", Failure.RUN_FAILED),
        ("DROP TABLE _ky_meta", Failure.RUN_FAILED),
        ("UPDATE _ky_meta SET value = 'abcd' WHERE name = 'family_secret'", Failure.RUN_FAILED),
    ],
)
def test_a_snapshot_that_does_not_fit_is_one_word(file, statement, failure):
    change(file, statement)
    assert serve(file, wire.encode(PLAN)) is failure


def test_a_file_that_is_no_snapshot_is_one_word(file):
    file.write_bytes(b"secret: 42\n" * 1000)
    assert serve_query(wire.encode(PLAN), str(file), LIMITS) == wire.encode(Failure.RUN_FAILED)
    file.unlink()
    assert serve(file, wire.encode(PLAN)) is Failure.RUN_FAILED


@pytest.mark.parametrize("request_", [b"", b"{}", b"SELECT 1", wire.encode(Failure.RUN_FAILED)])
def test_what_is_no_plan_is_not_accepted(file, request_):
    assert serve(file, request_) is Failure.PLAN_NOT_ACCEPTED


def test_a_tampered_plan_crosses_the_wire_and_ends_there(file):
    tampered = TAMPERED["less noise"](PLAN)
    assert serve(file, wire.encode(tampered)) is Failure.PLAN_NOT_ACCEPTED
    assert serve(file, wire.encode(replace(PLAN, dataset="x"))) is Failure.SNAPSHOT_MISMATCH

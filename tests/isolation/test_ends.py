"""However a worker ends, the runtime says how, in time, and nothing of it is left."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox.channel import REQUEST_BYTES_MAX, Limits, Role
from sandbox.runtimes.base import Completed, Died, Folders, Reason, Snapshot
from sandbox.runtimes.conversation import INGEST_ANSWER_BYTES_MAX
from tests.isolation.family import born, descendants, gone, parents
from tests.isolation.prison import MIB, USUAL, confined, prisoner, run, unconfined

SHORT = Limits(memory_bytes=512 * MIB, cpu_s=5, deadline_s=1.0, output_bytes_max=1024)
ROOT = str(Path(__file__).parents[2])

ENDS = {
    "endless loop": ("while True: pass", Reason.DEADLINE),
    "endless sleep": ("time.sleep(60)", Reason.DEADLINE),
    "endless thread": (
        "t = threading.Thread(target=time.sleep, args=(60,)); t.start(); t.join()",
        Reason.DEADLINE,
    ),
    "half a frame": (r"os.write(4, b'\0\0\0\5abc'); time.sleep(60)", Reason.DEADLINE),
    "half a frame and out": (r"os.write(4, b'\0\0\0\5abc'); os._exit(0)", Reason.NO_ANSWER),
    "half a length": (r"os.write(4, b'\0\0'); os._exit(0)", Reason.NO_ANSWER),
    "nothing": ("os._exit(0)", Reason.NO_ANSWER),
    "an error": ("os._exit(3)", Reason.CRASHED),
    "a false step": ("os._exit(105)", Reason.CRASHED),
    "a bad pointer": ("ctypes.string_at(8)", Reason.CRASHED),
    "abort": ("os.abort()", Reason.CRASHED),
    "an answer, then a crash": (r"os.write(4, b'\0\0\0\1x'); os._exit(1)", Reason.CRASHED),
    "an answer, then on and on": (r"os.write(4, b'\0\0\0\1x'); time.sleep(60)", Reason.DEADLINE),
    "two answers": (r"os.write(4, b'\0\0\0\1x\0\0\0\1y'); os._exit(0)", Reason.TOO_LARGE),
    "a shut pipe": ("os.close(4); time.sleep(60)", Reason.CRASHED),
    "a large answer": ("out = 'x' * 2000", Reason.TOO_LARGE),
    "a huge announcement": (r"os.write(4, b'\xff\xff\xff\xff'); time.sleep(60)", Reason.TOO_LARGE),
    "a flood": (r"while True: os.write(4, b'\0' * 65536)", Reason.TOO_LARGE),
    "all memory": ("kept = [bytearray(1 << 24) for _ in range(64)]", Reason.MEMORY),
    "all memory, in C": (
        "LIBC.malloc.restype = ctypes.c_void_p\nctypes.memset(LIBC.malloc(1 << 30), 1, 1 << 30)",
        Reason.CRASHED,
    ),
}


def test_an_answer_in_time_is_an_answer():
    assert run(confined(), "out = 'x' * 1022", limits=SHORT) == Completed(b"'" + b"x" * 1022 + b"'")


@pytest.mark.parametrize("end", ENDS)
def test_an_end_is_named_in_time_and_leaves_nothing(end):
    code, reason = ENDS[end]
    before = set(descendants(os.getpid()))
    began = time.monotonic()
    outcome = run(confined(), code, limits=SHORT)
    assert outcome == Died(reason, "")
    assert time.monotonic() - began < SHORT.deadline_s + 3.0
    assert set(descendants(os.getpid())) == before


def test_processor_time_of_all_threads_counts():
    """The kernel ends a process 1 without asking it; wall time alone would let two threads take twice."""
    limits = Limits(memory_bytes=512 * MIB, cpu_s=1, deadline_s=20.0, output_bytes_max=1024)
    began = time.monotonic()
    assert run(confined(), "while True: pass", limits=limits) == Died(Reason.DEADLINE, "")
    assert time.monotonic() - began < 10


def test_a_worker_that_never_enters_is_not_given_the_request():
    outcome = run(confined("mute"), "out = 1", limits=SHORT)
    assert outcome == Died(Reason.NOT_STARTED, "deadline passed")


def test_a_program_that_does_not_start_says_why():
    runtime = confined()
    runtime._command = lambda role: (sys.executable, "-I", "-c", "import no_such_module")
    outcome = run(runtime, "out = 1", limits=SHORT)
    assert isinstance(outcome, Died)
    assert outcome.reason is Reason.NOT_STARTED
    assert "no_such_module" in outcome.detail


def test_what_a_worker_says_after_ready_is_not_told():
    """Neither on its streams nor by an exit status that means something before READY only."""
    for code in ("LIBC.write(2, b'the 3rd row', 11); os._exit(7)", "os._exit(102)"):
        assert run(confined(), code, limits=SHORT) == Died(Reason.CRASHED, "")


def test_orders_for_another_role_are_refused():
    runtime = confined()
    runtime._command = lambda role: prisoner(Role.INGEST, ())
    outcome = run(runtime, "out = 1", limits=SHORT)
    assert outcome == Died(Reason.NOT_STARTED, "orders: the orders are for another role")


def test_a_large_request_arrives_and_a_larger_one_is_refused():
    code = "#" * (REQUEST_BYTES_MAX - 20) + "\nout = len(request)"
    outcome = run(confined(), code)
    assert outcome == Completed(str(len(code)).encode())
    with pytest.raises(ValueError, match="at most"):
        run(confined(), "#" * (REQUEST_BYTES_MAX + 1))


def test_an_ingest_answer_is_a_word_however_large_its_files_may_be(tmp_path):
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    output.mkdir()
    limits = Limits(memory_bytes=512 * MIB, cpu_s=5, deadline_s=10.0, output_bytes_max=1 << 40)
    code = f"out = 'x' * {INGEST_ANSWER_BYTES_MAX}"
    outcome = run(confined(), code, Role.INGEST, Folders(source, output), limits)
    assert outcome == Died(Reason.TOO_LARGE, "")


# Starts one worker that sleeps, and tells when it is confined by the size of its own family.
PARENT = """
import sys
sys.path.insert(0, {root!r})
from tests.isolation.prison import confined, unconfined, run, USUAL
print(run({prison}(), 'time.sleep(15)', limits=USUAL))
"""


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_dies_with_the_gateway(signal_number):
    family = family_of_killed("confined", signal_number, 2)
    assert gone(family, within_s=3.0)


def test_without_confinement_it_would_live_on():
    family = family_of_killed("unconfined", signal.SIGKILL, 1)
    try:
        assert not gone(family, within_s=1.0)
    finally:
        for pid, birth in family.items():
            if birth and born(pid) == birth:
                os.kill(pid, signal.SIGKILL)


def family_of_killed(prison: str, signal_number: int, size: int) -> dict[int, str]:
    """Start a gateway with one sleeping worker, kill the gateway, and return the worker's processes."""
    program = PARENT.format(root=ROOT, prison=prison)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL) as gateway:
        deadline = time.monotonic() + 10
        family: list[int] = []
        while len(family) < size and time.monotonic() < deadline:
            family = descendants(gateway.pid)
            time.sleep(0.02)
        time.sleep(0.3)
        assert len(descendants(gateway.pid)) == size
        born_then = {pid: born(pid) for pid in family}
        gateway.send_signal(signal_number)
    return born_then


def test_a_worker_dies_with_its_first_process():
    """Even if that is killed from outside, and could not kill in turn."""
    with ThreadPoolExecutor(1) as pool:
        before = set(descendants(os.getpid()))
        waiting = pool.submit(run, confined(), "time.sleep(15)", Role.TWIN, None, USUAL)
        new: list[int] = []
        while len(new) < 2 and not waiting.done():
            new = sorted(set(descendants(os.getpid())) - before)
        time.sleep(0.3)
        first, worker = new
        assert parents()[worker] == first
        family = {worker: born(worker)}
        os.kill(first, signal.SIGKILL)
        assert waiting.result(timeout=5) == Died(Reason.CRASHED, "")
        assert gone(family, within_s=2.0)


def mounts_here() -> str:
    return Path("/proc/self/mountinfo").read_text()


def test_thirty_runs_leave_no_descriptor_process_or_file():
    def held() -> tuple[int, int, int]:
        open_files = len(list(Path("/proc/self/fd").iterdir()))
        return open_files, len(descendants(os.getpid())), len(list(Path(sys.base_prefix).iterdir()))

    ends = [code for code, _ in ENDS.values() if "sleep" not in code and "while" not in code]
    run(confined(), "out = 1")
    before, mounts_before = held(), mounts_here()
    for turn in range(30):
        run(confined(), ends[turn % len(ends)], limits=SHORT)
    assert held() == before
    assert mounts_here() == mounts_before


def test_workers_at_the_same_time_do_not_meet(tmp_path):
    def ask(turn: int) -> tuple[str, str]:
        file = tmp_path / f"{turn}.duckdb"
        file.write_text(f"rows of {turn}")
        file.chmod(0o444)
        code = "time.sleep(0.1); out = (open(inside.snapshot).read(), os.listdir('/data'), os.getpid())"
        outcome = run(confined(), code, Role.QUERY, Snapshot(file))
        assert isinstance(outcome, Completed)
        return outcome.answer.decode(), f"('rows of {turn}', ['snapshot.duckdb'], 1)"

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, range(18)))
    assert [got for got, _ in answers] == [wanted for _, wanted in answers]
    assert run(unconfined(), "out = os.getpid() == 1") == Completed(b"False")

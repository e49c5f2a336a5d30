"""Who may isolate, and how a machine that cannot is told so instead of being served with less."""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import pytest

from sandbox.channel import Limits, Role
from sandbox.runtimes import namespace as namespace_module
from sandbox.runtimes.base import Died, NoMounts, Reason, Standing, Unavailable
from sandbox.runtimes.list import RUNTIMES
from sandbox.runtimes.namespace import NamespaceRuntime, namespace
from tests.isolation.prison import MIB, USUAL, confined, prisoner, run, self_test

ROOT = str(Path(__file__).parents[2])
NOBODY = 65534
prisoner_command = partial(prisoner, extra=())
FRESH = Limits(memory_bytes=512 * MIB, cpu_s=5, deadline_s=10.0, output_bytes_max=4096)

# Probe, then let a prisoner look around and try a socket, and say all of it.
LOOK = f"""
import sys, warnings
sys.path.insert(0, {ROOT!r})
from pathlib import Path
from sandbox.channel import Role
from sandbox.runtimes.base import Snapshot
from tests.isolation.prison import confined, run
print(confined().probe())
look = "out = (os.listdir('/data'), os.getpid(), os.getuid(), len(open(inside.snapshot, 'rb').read()))"
print(run(confined(), look, Role.QUERY, Snapshot(Path(sys.argv[1]))))
print(run(confined(), "out = socket.socket()"))
print(run(confined(), "out = open('/etc/passwd').read()"))
"""


def looked(python: str, snapshot_file: Path, *before: str) -> list[str]:
    done = subprocess.run(
        [*before, python, "-c", LOOK, str(snapshot_file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def as_nobody() -> tuple[str, ...]:
    setpriv = shutil.which("setpriv")
    if setpriv is None or os.geteuid() != 0:
        pytest.skip("needs root and `setpriv` of util-linux to become nobody")
    return (setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs")


def python_of_nobody() -> str:
    """Find an interpreter that another user may read: a private one is no failure of the runtime."""
    for python in (sys.executable, "/usr/bin/python3"):
        program = (
            f"import subprocess, sys; sys.path.insert(0, {ROOT!r}); import tests.isolation.prison\n"
            "subprocess.run([sys.executable, '-c', ''], check=True)"
        )
        try:
            subprocess.run([*as_nobody(), python, "-c", program], capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    pytest.skip("another user can read no interpreter of Python 3.11, or not this checkout")


@pytest.fixture
def open_file():
    """A file that nobody, in the literal sense, may read: pytest's own folders are private."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        file = folder / "people.duckdb"
        file.write_bytes(b"rows")
        file.chmod(0o444)
        yield file


def test_the_probe_finds_a_standing(standing):
    assert standing in {Standing.ROOT, Standing.USER_NAMESPACE}
    assert standing is Standing.USER_NAMESPACE or os.geteuid() == 0


def test_an_unprivileged_gateway_isolates_too_or_says_why(open_file):
    python = python_of_nobody()
    probe, look, socket, passwd = looked(python, open_file, *as_nobody())
    if "Unavailable" in probe:
        assert "sysctl" in probe
        assert all("NOT_STARTED" in line for line in (look, socket, passwd))
        return
    assert probe == "user_namespace"
    assert f"(['snapshot.duckdb'], 1, {NOBODY}, 4)" in look
    assert "CRASHED" in socket
    assert "FileNotFoundError" in passwd


def in_user_namespace(script: str) -> tuple[str, ...]:
    """Become root over nothing but oneself, as in a rootless container, then run a program after `script`."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("`unshare` of util-linux is not installed")
    return (unshare, "--user", "--map-root-user", "sh", "-c", script + ' exec "$@"', "sh")


def test_root_without_other_users_takes_the_other_way(open_file):
    probe, look, socket, passwd = looked(sys.executable, open_file, *in_user_namespace(""))
    assert "(['snapshot.duckdb'], 1, 0, 4)" in look
    assert "CRASHED" in socket
    assert "FileNotFoundError" in passwd
    assert probe == "user_namespace"


def test_without_namespaces_it_refuses_with_reason_and_cure(open_file):
    before = in_user_namespace("echo 0 > /proc/sys/user/max_user_namespaces;")
    probe, *runs = looked(sys.executable, open_file, *before)
    assert "Unavailable" in probe
    assert "reason='namespaces: " in probe
    assert "user.max_user_namespaces" in probe.partition("cure=")[2]
    for line in runs:
        assert "NOT_STARTED" in line
        assert "detail='namespaces: " in line


def test_without_mounts_it_refuses_with_reason_and_cure(open_file):
    """As AppArmor does on some systems: the namespace is given, its rights are not."""
    before = in_user_namespace("echo 0 > /proc/sys/user/max_mnt_namespaces;")
    probe, *runs = looked(sys.executable, open_file, *before)
    assert "Unavailable" in probe
    assert "reason='root: " in probe
    assert "AppArmor" in probe.partition("cure=")[2]
    assert all("NOT_STARTED" in line for line in runs)


def test_on_another_system_it_refuses(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    found = namespace().probe()
    assert isinstance(found, Unavailable)
    assert "x86_64 or aarch64" in found.cure


def test_a_program_that_is_process_1_is_refused():
    """Its children would be process 1 again, and would draw its noise again."""
    unshare = shutil.which("unshare")
    if unshare is None or os.geteuid() != 0:
        pytest.skip("needs root and `unshare` of util-linux")
    runtime = NamespaceRuntime(
        lambda role: (unshare, "--pid", "--fork", *prisoner(role, ())), self_test
    )
    died = runtime.run(Role.TWIN, b"out = 1", NoMounts(), FRESH)
    assert died == Died(
        Reason.NOT_STARTED, "one_thread: the first process is process 1 and would share its noise"
    )


PRETENDS = """
import json, sys
from sandbox.channel import READY
from sandbox.worker.confine.inside import read_frame, write_frame
read_frame(0, 9999)
write_frame(1, READY)
asked = read_frame(0, 99)
write_frame(1, json.dumps({seen}).encode())
"""


@pytest.mark.parametrize("finding", sorted(namespace_module._EXPECTED))
def test_a_probe_notices_a_worker_that_is_not_shut_in(finding):
    """The self-test itself has power: each finding counts, and a filter that kills nobody is none."""
    seen = {**namespace_module._EXPECTED, "user_id": 1, finding: "otherwise"}
    program = PRETENDS.format(seen=seen)
    found = NamespaceRuntime(prisoner_command, lambda role: (sys.executable, "-c", program)).probe()
    assert isinstance(found, Unavailable)
    assert found.reason == f"a confined worker finds otherwise: {finding}"


def test_a_probe_notices_a_filter_that_kills_nobody():
    program = PRETENDS.format(seen={**namespace_module._EXPECTED, "user_id": 1})
    found = NamespaceRuntime(prisoner_command, lambda role: (sys.executable, "-c", program)).probe()
    assert isinstance(found, Unavailable)
    assert found.reason == "a socket did not end the worker that asked for it"


def test_the_shipped_runtime_starts_the_shipped_worker():
    command = RUNTIMES["namespace"]()._command(Role.QUERY)  # type: ignore[attr-defined]
    assert list(command) == [sys.executable, "-I", "-m", "sandbox.worker", "query"]


def test_limits_are_positive():
    for wrong in ((0, 1, 1.0, 1), (1, 0, 1.0, 1), (1, 1, 0.0, 1), (1, 1, 1.0, -1)):
        with pytest.raises(ValueError, match="positive"):
            Limits(*wrong)
    assert run(confined(), "out = inside.limits.cpu_s", limits=USUAL)


THREADS = """
import os, sys
sys.path.insert(0, {root!r})
from sandbox.worker.confine.threads import keep_out_threads, threads_running
{first}
import duckdb, opendp.prelude
print(threads_running())
"""


def counted(first: str) -> str:
    program = THREADS.format(root=ROOT, first=first)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def test_one_thread_is_left_when_the_threaded_libraries_are_kept_out():
    assert counted("keep_out_threads()") == "1"
    if importlib.util.find_spec("numpy") is None or os.cpu_count() == 1:
        pytest.skip("nothing here would start a thread")
    assert counted("pass") != "1"


def test_a_threaded_library_that_is_there_already_is_refused():
    told = counted(
        "import types; sys.modules['numpy'] = types.ModuleType('numpy'); keep_out_threads()"
    )
    assert told == "RuntimeError: `numpy` starts threads and was imported before the worker began"

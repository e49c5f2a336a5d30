"""Each role sees its mounts and nothing else, and writes nowhere but an ingest worker in its output folder."""

import os
import stat

import pytest

from sandbox.channel import Limits, Role
from sandbox.runtimes.base import Died, Folders, NoMounts, Reason, Snapshot
from tests.isolation.prison import MIB, USUAL, confined, run, said

WALK = "out = sorted(os.path.join(d, n) for d, ds, fs in os.walk('/') for n in ds + fs)"


@pytest.fixture
def folders(tmp_path):
    source, output = tmp_path / "source", tmp_path / "output"
    source.mkdir()
    output.mkdir()
    (source / "people.csv").write_text("id,paid\n1,2\n")
    return Folders(source, output)


def test_a_query_worker_sees_its_snapshot(snapshot):
    seen = said(run(confined(), WALK, Role.QUERY, snapshot))
    assert seen == "['/data', '/data/snapshot.duckdb']"
    size = said(
        run(confined(), "out = len(open(inside.snapshot, 'rb').read())", Role.QUERY, snapshot)
    )
    assert int(size) == snapshot.file.stat().st_size


def test_a_twin_worker_sees_nothing():
    assert said(run(confined(), WALK)) == "[]"


def test_an_ingest_worker_sees_two_folders(folders):
    seen = said(run(confined(), WALK, Role.INGEST, folders))
    assert seen == "['/output', '/source', '/source/people.csv']"


def test_an_ingest_worker_writes_its_output_only(folders):
    code = (
        "out = []\n"
        "for place in ('/', '/source/', '/source/people.csv', '/output/'):\n"
        "    try:\n"
        "        with open(place + ('new' if place.endswith('/') else ''), 'wb') as f: f.write(b'made')\n"
        "        out.append('wrote')\n"
        "    except OSError as refused: out.append(errno.errorcode[refused.errno])\n"
        "os.chmod('/output/new', 0o444)"
    )
    # EROFS from the mounts themselves: the filter of this role lets an open for writing pass.
    assert (
        said(run(confined(), code, Role.INGEST, folders)) == "['EROFS', 'EROFS', 'EROFS', 'wrote']"
    )
    made = folders.output / "new"
    assert made.read_bytes() == b"made"
    assert stat.S_IMODE(made.stat().st_mode) == 0o444
    assert made.stat().st_uid == folders.output.stat().st_uid
    assert (folders.source / "people.csv").read_text() == "id,paid\n1,2\n"


@pytest.mark.parametrize(
    "code",
    [
        "os.symlink('/etc/passwd', '/output/trap')",
        "os.link('/source/people.csv', '/output/trap')",
        "os.mknod('/output/trap', 0o600 | 0o020000, os.makedev(1, 3))",
        "os.mkfifo('/output/trap')",
        "open('/output/trap', 'w').close(); os.chmod('/output/trap', 0o4755)",
        "os.close(os.open('/output/trap', os.O_CREAT | os.O_WRONLY, 0o4755))",
        "os.execv('/output/trap', ['trap'])",
    ],
)
def test_an_ingest_worker_leaves_no_trap(folders, code):
    outcome = run(confined(), code + "; out = 'trapped'", Role.INGEST, folders)
    assert "trapped" not in str(outcome)
    trap = folders.output / "trap"
    if os.path.lexists(trap):
        mode = trap.lstat().st_mode
        assert stat.S_ISREG(mode)
        assert not mode & 0o7000


def test_a_file_has_a_size_limit(folders):
    limits = Limits(memory_bytes=512 * MIB, cpu_s=10, deadline_s=20.0, output_bytes_max=1 * MIB)
    code = (
        "try:\n"
        "    with open('/output/big', 'wb') as f:\n"
        "        for _ in range(64): f.write(bytes(1 << 16)); f.flush()\n"
        "except OSError as refused: out = errno.errorcode[refused.errno]"
    )
    assert said(run(confined(), code, Role.INGEST, folders, limits)) == "'EFBIG'"
    assert (folders.output / "big").stat().st_size == 1 * MIB


def test_what_is_not_there_is_not_mounted(tmp_path, snapshot):
    cases = (
        (Role.QUERY, Snapshot(tmp_path / "missing"), "No such file"),
        (Role.QUERY, Snapshot(tmp_path), "not a regular file"),
        (Role.INGEST, Folders(snapshot.file, tmp_path), "not a folder"),
    )
    for role, mounts, told in cases:
        outcome = run(confined(), "out = 1", role, mounts)
        assert isinstance(outcome, Died)
        assert outcome.reason is Reason.NOT_STARTED
        assert outcome.detail.startswith("root:")
        assert told in outcome.detail


@pytest.mark.parametrize(
    ("role", "mounts"),
    [
        (Role.QUERY, NoMounts()),
        (Role.TWIN, "snapshot"),
        (Role.INGEST, "snapshot"),
        (Role.QUERY, "folders"),
    ],
    ids=str,
)
def test_mounts_are_those_of_the_role(role, mounts, snapshot, folders):
    given = (
        {"snapshot": snapshot, "folders": folders}.get(mounts, mounts)
        if isinstance(mounts, str)
        else mounts
    )
    with pytest.raises(ValueError, match=f"not those of a {role.value} worker"):
        run(confined(), "out = 1", role, given)


def test_nothing_of_the_gateway_comes_along(monkeypatch):
    monkeypatch.setenv("KEYONG_LOG_KEY", "secret")
    code = "out = (sorted(os.environ), os.getcwd(), os.uname().nodename, os.getgroups() if False else [])"
    environment, folder, host, _ = eval(said(run(confined(), code)))  # noqa: S307
    assert set(environment) <= {"LANG", "LC_CTYPE", "TZ"}
    assert (folder, host) == ("/", "worker")


def test_limits_are_as_ordered():
    names = ("NPROC", "NOFILE", "FSIZE", "CORE", "CPU", "MEMLOCK")
    code = f"out = [resource.getrlimit(getattr(resource, 'RLIMIT_' + n)) for n in {names}]"
    found = eval(said(run(confined(), code)))  # noqa: S307
    assert found == [(64, 64), (64, 64), (0, 0), (0, 0), (USUAL.cpu_s, USUAL.cpu_s), (0, 0)]

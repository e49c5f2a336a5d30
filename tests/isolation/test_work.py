"""Inside every wall the honest work goes on: threads, DuckDB over the snapshot, and OpenDP's noise, new in each worker."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from sandbox.channel import Limits, Role
from sandbox.runtimes.base import Died, Folders, NoMounts, Reason
from tests.isolation.conftest import ROWS
from tests.isolation.prison import MIB, USUAL, confined, run, said, unconfined

OPENED = "con = engine.open_snapshot(inside.snapshot, engine.EngineLimits(256 << 20, 2))\n"
NOISE = (
    "space = (dp.atom_domain(T=dp.i64), dp.absolute_distance(T=dp.i64))\n"
    "out = dp.m.make_laplace(*space, 1e6)(0)"
)


def inside(code, role=Role.TWIN, mounts=None, limits=USUAL):
    return eval(said(run(confined("engine"), code, role, mounts, limits)))  # noqa: S307


def test_two_threads_scan_and_one_noise_is_drawn(snapshot):
    code = (
        OPENED
        + "rows = con.execute('SELECT region, count(*), sum(paid), avg(id) FROM people WHERE id < ? "
        "GROUP BY region ORDER BY region', [200000]).fetchall()\n"
        "from pathlib import Path\n"
        "threads = con.execute(\"SELECT current_setting('threads')\").fetchone()[0]\n"
        + NOISE.replace("out =", "noise =")
        + "\nout = ([(r[0], r[1]) for r in rows], int(sum(r[2] for r in rows)), threads, noise)"
    )
    counts, total, threads, noise = inside(code, Role.QUERY, snapshot)
    assert counts == [(f"k{k}", ROWS // 5) for k in range(5)]
    assert total == sum(i % 97 for i in range(ROWS))
    assert threads == 2
    assert abs(noise) < 40 * 10**6  # beyond with probability e**-40


def test_every_type_a_domain_may_declare_comes_back(snapshot):
    """A client library that imports on first use would fail here only, where there is no file to import."""
    code = OPENED + (
        "row = con.execute(\"SELECT true, 1::INTEGER, 2::BIGINT, 3::HUGEINT, 1.50::DECIMAL(9,2), 0.5::DOUBLE, 'é', "
        "DATE '2024-02-29', TIMESTAMP '2024-02-29 12:00:00.5', NULL, INTERVAL 2 DAYS, [1, 2], ?, ?, ?\", "
        "[True, 'text', 2**70]).fetchone()\n"
        "import datetime, decimal\n"
        "con.execute('SELECT ?, ?, ?', [decimal.Decimal('1.5'), datetime.date(2024, 1, 1), None]).fetchall()\n"
        "out = [str(v) for v in row]"
    )
    found = inside(code, Role.QUERY, snapshot)
    assert found[:5] == ["True", "1", "2", "3", "1.50"]
    assert found[6:9] == ["é", "2024-02-29", "2024-02-29 12:00:00.500000"]
    assert found[12:] == ["True", "text", str(2**70)]


def test_large_sorts_joins_and_groups_work_without_a_disk(snapshot):
    code = OPENED + (
        "out = con.execute('SELECT count(*), sum(rank) FROM (SELECT a.id, row_number() OVER "
        "(PARTITION BY a.region ORDER BY b.paid, a.id) AS rank FROM people a JOIN people b USING (id)) "
        "WHERE rank <= 10').fetchone()[0]"
    )
    assert inside(code, Role.QUERY, snapshot) == 50


def test_the_engine_hits_its_limit_before_the_worker_does(snapshot):
    """Too little memory is an error that the worker can turn into its one constant failure, not a crash."""
    limits = Limits(memory_bytes=768 * MIB, cpu_s=20, deadline_s=20.0, output_bytes_max=4096)
    code = OPENED.replace("256 << 20", "32 << 20") + (
        "try:\n"
        "    con.execute('SELECT count(*) FROM (SELECT DISTINCT a.id, repeat(a.region, 800) FROM people a)').fetchall()\n"
        "    out = 'fitted'\n"
        "except duckdb.OutOfMemoryException: out = 'refused'"
    )
    assert inside(code, Role.QUERY, snapshot, limits) == "refused"


def test_the_snapshot_cannot_be_written_even_by_an_open_engine(snapshot):
    """An engine with every door open, in a worker with every wall up."""
    before = snapshot.file.read_bytes()
    code = (
        "out = []\n"
        "for sql in (f\"COPY (SELECT 1) TO '{inside.snapshot}' (FORMAT csv, USE_TMP_FILE false)\", "
        "f\"ATTACH '{inside.snapshot}' AS w; CREATE TABLE w.t (i INT)\", "
        "\"COPY (SELECT 1) TO '/data/new.csv'\", \"COPY (SELECT 1) TO '/new.csv'\"):\n"
        "    try:\n"
        "        duckdb.connect().execute(sql); out.append('wrote')\n"
        "    except duckdb.Error: out.append('refused')"
    )
    assert inside(code, Role.QUERY, snapshot) == ["refused"] * 4
    assert snapshot.file.read_bytes() == before


def test_an_open_engine_outside_would_have_written(snapshot, tmp_path):
    copy = type(snapshot)(tmp_path / "copy.duckdb")
    copy.file.write_bytes(snapshot.file.read_bytes())
    code = (
        "duckdb.connect().execute(f\"COPY (SELECT 1) TO '{inside.snapshot}' (FORMAT csv, USE_TMP_FILE false)\")\n"
        "out = 'wrote'"
    )
    assert said(run(unconfined("engine"), code, Role.QUERY, copy)) == "'wrote'"
    assert copy.file.read_bytes() != snapshot.file.read_bytes()


def test_a_snapshot_is_made_by_an_ingest_worker(tmp_path):
    """DuckDB needs to write, lock, synchronise, truncate and rename: that, and no more, the role allows."""
    source, output = tmp_path / "source", tmp_path / "output"
    source.mkdir()
    output.mkdir()
    (source / "people.csv").write_text("id,paid\n" + "".join(f"{i},{i % 7}\n" for i in range(5000)))
    code = (
        "con = duckdb.connect('/output/snapshot.duckdb', config={'threads': 2})\n"
        "con.execute(\"SET temp_directory = ''\")\n"
        "con.execute(\"CREATE TABLE people AS SELECT * FROM read_csv('/source/*.csv')\")\n"
        "con.execute(\"COPY people TO '/output/people.parquet'\")\n"
        "con.execute('CHECKPOINT'); con.close()\n"
        "os.chmod('/output/snapshot.duckdb', 0o444)\n"
        "con = duckdb.connect()\n"
        "con.execute(\"ATTACH '/output/snapshot.duckdb' AS s (READ_ONLY)\")\n"
        "out = con.execute('SELECT count(*), sum(paid) FROM s.people').fetchone()"
    )
    limits = Limits(memory_bytes=1024 * MIB, cpu_s=20, deadline_s=20.0, output_bytes_max=64 * MIB)
    made = eval(said(run(confined("engine"), code, Role.INGEST, Folders(source, output), limits)))  # noqa: S307
    assert made[0] == 5000
    assert sorted(f.name for f in output.iterdir()) == ["people.parquet", "snapshot.duckdb"]


def test_thirty_workers_draw_thirty_noises():
    """Two honest draws at scale 10**6 meet with probability 2.5e-7; 435 pairs all differ but for one time in 9000."""
    with ThreadPoolExecutor(3) as pool:
        noises = list(pool.map(lambda _: inside(NOISE), range(30)))
    assert len(set(noises)) == 30


# The mistake that this design avoids: a process 1 that has drawn once, and children that are process 1 again.
FORKED_AT_ONE = """
import ctypes, os, sys
for name in ("numpy", "polars", "pandas"): sys.modules[name] = None
import opendp.prelude as dp
dp.enable_features("contrib")
libc = ctypes.CDLL(None)
flags = 0x20000000 | (0 if os.geteuid() == 0 else 0x10000000)
draw = dp.m.make_laplace(dp.atom_domain(T=dp.i64), dp.absolute_distance(T=dp.i64), 1e6)
assert libc.unshare(flags) == 0
if os.fork() == 0:
    assert os.getpid() == 1
    own = os.open("/proc/self/ns/pid", os.O_RDONLY)
    draw(0)
    for _ in range(3):
        assert libc.unshare(0x20000000) == 0
        if os.fork() == 0:
            os.write(1, f"{os.getpid()} {draw(0)}\\n".encode())
            os._exit(0)
        os.wait()
        assert libc.setns(own, 0x20000000) == 0
    os._exit(0)
os.wait()
"""


def test_a_second_thread_at_the_entry_is_refused():
    limits = Limits(memory_bytes=512 * MIB, cpu_s=5, deadline_s=10.0, output_bytes_max=1024)
    died = confined("engine", "thread").run(Role.TWIN, b"out = 1", NoMounts(), limits)
    assert isinstance(died, Died)
    assert died.reason is Reason.NOT_STARTED
    assert "2 threads run" in died.detail


def test_a_process_1_that_forks_would_share_its_noise():
    """Shows that the test above can fail: the same generator, misused, repeats itself."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED_AT_ONE],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    drawn = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("1 ")]
    assert len(drawn) == 3
    assert len(set(drawn)) == 1

"""What an attacker tries. Each sets `out` to True if it got through.

Under a runtime that claims to stop it, `out` must not become True; under one that does not claim, it must, or the
attack proves nothing. `as_root` marks those whose power shows only when the unconfined twin is root.
"""

import platform
from dataclasses import dataclass

from sandbox.worker.confine.syscalls import HOSTILE


@dataclass(frozen=True, slots=True)
class Attack:
    """One try, the claim it tests, and whether it needs a snapshot to try it on."""

    claim: str
    name: str
    code: str
    on_snapshot: bool = False
    as_root: bool = False


_MACHINE_CODE = (
    r"b'\xb8\x2a\x00\x00\x00\xc3'"
    if platform.machine() == "x86_64"
    else r"b'\x40\x05\x80\x52\xc0\x03\x5f\xd6'"
)  # return 42


def _number(call: str) -> int:
    return HOSTILE[call][0 if platform.machine() == "x86_64" else 1]


ATTACKS = (
    Attack("no_network", "internet socket", "out = socket.socket(socket.AF_INET).fileno() >= 0"),
    Attack("no_network", "unix socket", "out = socket.socket(socket.AF_UNIX).fileno() >= 0"),
    Attack("no_network", "socket pair", "out = len(socket.socketpair()) == 2"),
    Attack("no_network", "netlink", "out = socket.socket(16, socket.SOCK_RAW, 0).fileno() >= 0"),
    Attack("no_other_file", "password file", "out = b'root' in open('/etc/passwd', 'rb').read()"),
    Attack(
        "no_other_file", "own environment", "out = bool(open('/proc/self/environ', 'rb').read())"
    ),
    Attack("no_other_file", "interpreter", "out = bool(open(sys.executable, 'rb').read(4))"),
    Attack("no_other_file", "device", "out = bool(open('/dev/urandom', 'rb').read(4))"),
    Attack("no_other_file", "up and out", "out = os.path.exists('../../../../etc/hosts')"),
    Attack("no_other_file", "more than mounts", "out = len(os.listdir('/')) > 2"),
    Attack("no_other_file", "import", "import wave; out = True"),
    Attack(
        "read_only",
        "file in the root",
        "p = '/tmp/keyong_was_here'; open(p, 'w').close(); os.unlink(p); out = True",
    ),
    Attack(
        "read_only",
        "anonymous file",
        "import tempfile; f = tempfile.TemporaryFile(); f.write(b'x'); f.flush(); out = True",
    ),
    Attack(
        "read_only",
        "snapshot by name",
        "os.chmod(inside.snapshot, 0o644); os.truncate(inside.snapshot, 4); out = True",
        on_snapshot=True,
    ),
    Attack(
        "read_only",
        "snapshot by open",
        "os.chmod(inside.snapshot, 0o644)\n"
        "with open(inside.snapshot, 'r+b') as f: f.write(b'x')\n"
        "out = True",
        on_snapshot=True,
    ),
    Attack(
        "read_only", "snapshot away", "os.unlink(inside.snapshot); out = True", on_snapshot=True
    ),
    Attack(
        "no_exec",
        "another program",
        "fcntl.fcntl(inside.response_fd, fcntl.F_SETFD, 0)\n"
        r"""os.execv('/bin/sh', ['sh', '-c', r'printf "\000\000\000\004True" >&4'])""",
    ),
    Attack(
        "no_exec",
        "write, then run",
        "page = mmap.mmap(-1, 4096, prot=7)\n"
        f"page.write({_MACHINE_CODE})\n"
        "at = ctypes.addressof(ctypes.c_char.from_buffer(page))\n"
        "out = ctypes.CFUNCTYPE(ctypes.c_int)(at)() == 42",
    ),
    Attack(
        "no_exec",
        "write, then make runnable",
        "page = mmap.mmap(-1, 4096, prot=3)\n"
        f"page.write({_MACHINE_CODE})\n"
        "at = ctypes.addressof(ctypes.c_char.from_buffer(page))\n"
        "assert LIBC.mprotect(ctypes.c_void_p(at), 4096, 5) == 0\n"
        "out = ctypes.CFUNCTYPE(ctypes.c_int)(at)() == 42",
    ),
    Attack(
        "no_exec",
        "make a library's own data runnable",
        "LIBC.mmap.restype = ctypes.c_void_p\n"
        "at = LIBC.mmap(None, 4096, 5, 0x22, -1, 0)\n"
        "out = at not in (None, ctypes.c_void_p(-1).value)",
    ),
    Attack(
        "no_fork", "fork", "p = os.fork()\nif p == 0: os._exit(0)\nout = os.waitpid(p, 0)[1] == 0"
    ),
    Attack(
        "no_fork",
        "clone that is no thread",
        "p = call(56 if os.uname().machine == 'x86_64' else 220, 17, None, None, None, None)\n"
        "if p == 0: os._exit(0)\n"
        "out = p > 0 and os.waitpid(p, 0)[1] == 0",
    ),
    Attack(
        "no_fork",
        "clone3",
        "args = ctypes.create_string_buffer(struct.pack('=11Q', 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0))\n"
        "p = call(435, args, 88)\n"
        "if p == 0: os._exit(0)\n"
        "out = p > 0 and os.waitpid(p, 0)[1] == 0",
    ),
    Attack("no_fork", "subprocess", "out = subprocess.run(['/bin/true']).returncode == 0"),
    Attack(
        "own_pid_namespace", "signal the parent", "os.kill(os.getppid(), 0); out = os.getppid() > 0"
    ),
    Attack(
        "own_pid_namespace",
        "who is there",
        "out = len([n for n in os.listdir('/proc') if n.isdigit()]) > 1",
    ),
    Attack("own_pid_namespace", "not process 1", "out = os.getpid() != 1"),
    Attack("own_pid_namespace", "a sight of the parent", "out = os.getppid() != 0"),
    Attack("own_pid_namespace", "process descriptor", "out = os.pidfd_open(os.getppid()) >= 0"),
    Attack("unprivileged", "become root", "os.setuid(0); out = True", as_root=True),
    Attack("unprivileged", "is root", "out = os.getuid() == 0", as_root=True),
    Attack("unprivileged", "chroot", "os.chroot('/'); out = True", as_root=True),
    Attack("unprivileged", "own mounts", "out = LIBC.unshare(0x20000) == 0", as_root=True),
    Attack(
        "unprivileged",
        "mount",
        "assert LIBC.unshare(0x20000) == 0 and LIBC.mount(b'', b'/', None, 0x44000, None) == 0\n"
        "out = LIBC.mount(b'x', b'/mnt', b'tmpfs', 0, None) == 0",
        as_root=True,
    ),
    Attack(
        "unprivileged",
        "host name",
        "name = os.uname().nodename.encode(); out = LIBC.sethostname(name, len(name)) == 0",
        as_root=True,
    ),
    Attack("unprivileged", "user namespace", "out = LIBC.unshare(0x10000000) == 0"),
    Attack(
        "no_hostile_calls", "memory file", f"out = call({_number('memfd_create')}, b'x', 0) >= 0"
    ),
    Attack(
        "no_hostile_calls",
        "keyring",
        f"out = call({_number('keyctl')}, 0, -3, 1) >= 0",
        as_root=True,
    ),
    Attack("no_hostile_calls", "user faults", f"out = call({_number('userfaultfd')}, 1) >= 0"),
    Attack("no_hostile_calls", "trace", f"out = call({_number('ptrace')}, 0, 0, 0, 0) == 0"),
    Attack(
        "no_hostile_calls",
        "own filter undone",
        "out = LIBC.prctl(22, 2, 0) == 0 or ctypes.get_errno() == 14",
    ),
    Attack("no_hostile_calls", "dumpable again", "out = LIBC.prctl(4, 1, 0, 0, 0) == 0"),
    Attack("no_hostile_calls", "survive the parent", "out = LIBC.prctl(1, 0, 0, 0, 0) == 0"),
    Attack(
        "bounded_memory",
        "take a gibibyte and a half",
        "taken = bytearray(3 << 29); out = len(taken) == 3 << 29",
    ),
    Attack(
        "bounded_memory",
        "lift the limit",
        "resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)\n"
        "out = resource.getrlimit(resource.RLIMIT_AS)[1] == resource.RLIM_INFINITY",
    ),
    Attack("bounded_cpu", "twice its time", "while time.process_time() < 2: pass\nout = True"),
    Attack(
        "bounded_cpu",
        "no bound",
        "out = resource.getrlimit(resource.RLIMIT_CPU)[1] == resource.RLIM_INFINITY",
    ),
    Attack("silent", "standard error", "out = os.write(2, b'\\n') == 1"),
    Attack("silent", "standard output", "print(end='\\n', flush=True); out = True"),
)

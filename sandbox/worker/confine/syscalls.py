"""System calls by name: their numbers on the two machines a worker runs on, and what the filter does with each.

A name on neither list does not exist as far as the worker can tell (ENOSYS): the C library falls back, an attacker gets
nothing, and a harmless call that a new library version adds does not turn an honest plan into a failure.
Source: Linux asm/unistd_64.h and asm-generic/unistd.h; a test compares the numbers with the headers.
"""

import errno
from dataclasses import dataclass

# name: (x86_64, aarch64); a machine that lacks the call has -1 and no line in its filter.
ALLOWED = {
    # files: what the mounts hold, nothing else
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "fstat": (5, 80), "stat": (4, -1),
    "lstat": (6, -1), "newfstatat": (262, 79), "statx": (332, 291), "lseek": (8, 62),
    "pread64": (17, 67), "openat": (257, 56), "access": (21, -1), "faccessat": (269, 48),
    "readlink": (89, -1), "readlinkat": (267, 78), "getcwd": (79, 17), "getdents64": (217, 61),
    "fcntl": (72, 25), "dup": (32, 23), "poll": (7, -1), "ppoll": (271, 73),
    # memory
    "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "mremap": (25, 216),
    "madvise": (28, 233), "brk": (12, 214),
    # threads and time
    "clone": (56, 220), "set_robust_list": (273, 99), "set_tid_address": (218, 96),
    "rseq": (334, 293), "futex": (202, 98), "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123), "nanosleep": (35, 101), "clock_nanosleep": (230, 115),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "gettimeofday": (96, 169),
    "restart_syscall": (219, 128), "exit": (60, 93), "exit_group": (231, 94), "prctl": (157, 167),
    # itself
    "getrandom": (318, 278), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139), "sigaltstack": (131, 132), "tgkill": (234, 131), "getpid": (39, 172),
    "getppid": (110, 173), "gettid": (186, 178), "getuid": (102, 174), "geteuid": (107, 175),
    "getgid": (104, 176), "getegid": (108, 177), "prlimit64": (302, 261), "getrlimit": (97, 163),
    "getrusage": (98, 165), "getcpu": (309, 168), "uname": (63, 160),
}  # fmt: skip

# The ingest worker writes a snapshot into its one output folder. No link, symlink or device: what it leaves there is
# read by programs that trust the folder, and a symlink would make them read another file.
ALLOWED_TO_INGEST = {
    "pwrite64": (18, 68), "writev": (20, 66), "pwritev": (296, 70), "ftruncate": (77, 46),
    "fsync": (74, 82), "fdatasync": (75, 83), "fallocate": (285, 47), "mkdir": (83, -1),
    "mkdirat": (258, 34), "unlink": (87, -1), "unlinkat": (263, 35), "rmdir": (84, -1),
    "rename": (82, -1), "renameat": (264, 38), "renameat2": (316, 276), "chmod": (90, -1),
    "fchmod": (91, 52), "fchmodat": (268, 53),
}  # fmt: skip

# No program we run ever asks for these. Whoever does has taken the worker over, and ends here.
HOSTILE = {
    # other programs
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, -1), "vfork": (58, -1),
    # network
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200),
    "listen": (50, 201), "accept": (43, 202), "accept4": (288, 242), "sendto": (44, 206),
    "recvfrom": (45, 207), "sendmsg": (46, 211), "recvmsg": (47, 212), "sendmmsg": (307, 269),
    "recvmmsg": (299, 243),
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "kill": (62, 129), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    # another root, another namespace
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "unshare": (272, 97), "setns": (308, 268), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "move_mount": (429, 429), "open_tree": (428, 428),
    "mount_setattr": (442, 442), "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264),
    # the kernel's large and often broken doors
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    # privileges
    "setuid": (105, 146), "setgid": (106, 144), "setreuid": (113, 145), "setregid": (114, 143),
    "setresuid": (117, 147), "setresgid": (119, 149), "setgroups": (116, 159),
    "setfsuid": (122, 151), "setfsgid": (123, 152), "capset": (126, 91), "seccomp": (317, 277),
    "personality": (135, 92),
    # the machine
    "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89),
    "quotactl": (179, 60), "syslog": (103, 116), "settimeofday": (164, 170),
    "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266),
    "iopl": (172, -1), "ioperm": (173, -1), "modify_ldt": (154, -1), "fanotify_init": (300, 262),
    # names that outlive the worker, memory shared with others
    "mknod": (133, -1), "mknodat": (259, 33), "link": (86, -1), "linkat": (265, 37),
    "symlink": (88, -1), "symlinkat": (266, 36), "shmget": (29, 194), "shmat": (30, 196),
    "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class NoneOf:
    """Pass if the argument has no bit of `mask`."""

    argument: int
    mask: int


@dataclass(frozen=True, slots=True)
class AllOf:
    """Pass if the argument has every bit of `mask`."""

    argument: int
    mask: int


@dataclass(frozen=True, slots=True)
class OneOf:
    """Pass if the argument is one of `values`."""

    argument: int
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Null:
    """Pass if the argument is a null pointer, all 64 bits."""

    argument: int


Check = NoneOf | AllOf | OneOf | Null


@dataclass(frozen=True, slots=True)
class Condition:
    """Allow a call only if every check passes; otherwise it returns `error`."""

    checks: tuple[Check, ...]
    error: int


_PROT_EXEC = 0x4
_WRITING = 0o3 | 0o100 | 0o1000 | 0o20000000  # O_ACCMODE, O_CREAT, O_TRUNC, O_TMPFILE
_SET_ID = 0o7000
_THREAD = 0x00000100 | 0x00000800 | 0x00010000  # CLONE_VM, CLONE_SIGHAND, CLONE_THREAD
# CLONE_NEWTIME, NEWNS, PTRACE, VFORK, PARENT, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET, PIDFD
_NOT_A_THREAD = 0x7E020000 | 0x2000 | 0x4000 | 0x8000 | 0x1000 | 0x80
# F_DUPFD … F_SETLKW, F_DUPFD_CLOEXEC: no owner, no notification, no lease.
_LOCKS = (*range(8), 1030)
_NAMING = (15, 16, 0x53564D41)  # PR_SET_NAME, PR_GET_NAME, PR_SET_VMA

CONDITIONS = {
    "clone": Condition((AllOf(0, _THREAD), NoneOf(0, _NOT_A_THREAD)), errno.EPERM),
    # Every shared library was mapped before the filter; from here on nothing becomes code.
    "mmap": Condition((NoneOf(2, _PROT_EXEC),), errno.EACCES),
    "mprotect": Condition((NoneOf(2, _PROT_EXEC),), errno.EACCES),
    "openat": Condition((NoneOf(2, _WRITING),), errno.EROFS),
    "fcntl": Condition((OneOf(1, _LOCKS),), errno.EINVAL),
    "prctl": Condition((OneOf(0, _NAMING),), errno.EINVAL),
    "prlimit64": Condition((Null(2),), errno.EPERM),
}
# A set-user-id file in the output folder would run with its owner's rights outside.
CONDITIONS_OF_INGEST = {
    "openat": Condition((NoneOf(3, _SET_ID),), errno.EPERM),
    "mkdir": Condition((NoneOf(1, _SET_ID),), errno.EPERM),
    "mkdirat": Condition((NoneOf(2, _SET_ID),), errno.EPERM),
    "chmod": Condition((NoneOf(1, _SET_ID),), errno.EPERM),
    "fchmod": Condition((NoneOf(1, _SET_ID),), errno.EPERM),
    "fchmodat": Condition((NoneOf(2, _SET_ID),), errno.EPERM),
}

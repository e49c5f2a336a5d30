"""How the command line ends: one number for each kind of ending, so that scripts need not read texts."""

from enum import IntEnum


class Exit(IntEnum):
    """The exit status of `keyong`."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    RUN_FAILED = 3
    NOT_REACHED = 4
    NOT_VERIFIED = 5
    CANNOT_START = 6


MEANINGS = {
    Exit.OK: "done",
    Exit.REFUSED: "refused by policy, budget or document; nothing was spent",
    Exit.USAGE: "the command or a file it names is wrong",
    Exit.RUN_FAILED: "the run failed beside the data; what it spent is shown",
    Exit.NOT_REACHED: "no node answered, or it does not know these credentials",
    Exit.NOT_VERIFIED: "a receipt or a log does not verify",
    Exit.CANNOT_START: "a node cannot start here: no isolation, damaged files, address in use",
}


class Stop(Exception):
    """Ends a command with a sentence on the error stream."""

    def __init__(self, status: Exit, said: str) -> None:
        self.status = status
        super().__init__(said)

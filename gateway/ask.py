"""One question as it came through the door, typed."""

import hashlib
from dataclasses import dataclass

import rfc8785

from gateway.parameters import written_parameters
from gateway.wanted import Wanted
from sandbox.compiler.parameters import Parameters


@dataclass(frozen=True, slots=True)
class Ask:
    """What an operator sent.

    `operator` is the party that asks: the ledger knows parties, so that a second credential is no second allowance.
    The values of `parameters` are as secret as the text: neither is written anywhere, only the digest of both is kept.
    `epsilon`, `rho` and `delta` are as written; which of them must be there depends on the dataset's accountant, and
    neither is with `wanted`.
    """

    operator: str
    credit_uy: int
    dataset: str
    sql: str
    purpose: str
    epsilon: str | None
    rho: str | None
    delta: str | None
    parameters: Parameters
    wanted: Wanted | None

    @property
    def digest(self) -> str:
        """Name the request: all that was sent, so that a key cannot be used for two questions.

        Source  SHA-256 over RFC 8785. It stays in the node: a hash of text that can be guessed confirms the guess.
        """
        sent = {
            "dataset": self.dataset,
            "sql": self.sql,
            "purpose": self.purpose,
            "epsilon": self.epsilon,
            "rho": self.rho,
            "delta": self.delta,
            "parameters": written_parameters(self.parameters),
            "accuracy": None if self.wanted is None else self.wanted.written,
        }
        return "sha256:" + hashlib.sha256(rfc8785.dumps(sent)).hexdigest()

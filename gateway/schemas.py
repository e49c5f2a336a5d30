"""The words of the interface. pydantic's only home; inside, everything is a frozen dataclass."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from policies.terms import TypeKind

Name = Annotated[str, Field(min_length=1, max_length=64)]
LossText = Annotated[str, Field(min_length=1, max_length=40)]


_VALUE: dict[str, Any] = {
    "anyOf": [
        {"type": ["string", "number", "boolean", "null"]},
        {
            "type": "object",
            "required": ["type", "value"],
            "properties": {
                "type": {"enum": [kind.value for kind in TypeKind]},
                "value": {"type": ["string", "number", "boolean", "null"]},
            },
        },
    ]
}
_PARAMETERS: dict[str, Any] = {
    "anyOf": [
        {"type": "array", "items": _VALUE},
        {"type": "object", "additionalProperties": _VALUE},
    ]
}


_ACCURACY: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "examples": ["±100 at 95%", "±5% of 10000 at 95%"]},
        {"type": "object", "additionalProperties": {"type": "string"}},
    ]
}
_EXPECTED: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "number"}}


class Strict(BaseModel):
    """A body without unknown fields: a misspelt `epsilom` must not pass unseen."""

    model_config = ConfigDict(extra="forbid", strict=True)


class QueryBody(Strict):
    """A question. Exactly one of `epsilon` and `rho`, as the dataset's accountant says, as a decimal string; or `accuracy`."""

    dataset: Name = Field(description="id of the dataset, as GET /v1/datasets lists it")
    sql: str = Field(min_length=1, description="one SELECT over registered tables")
    purpose: Name = Field(description="a purpose that the policy grants")
    epsilon: LossText | None = Field(default=None, description='privacy loss to spend, e.g. "0.5"')
    rho: LossText | None = Field(default=None, description="privacy loss under zCDP")
    delta: LossText | None = Field(
        default=None,
        description="under zCDP, what groups without a declared domain may cost besides rho",
    )
    parameters: Any = Field(
        default=None,
        description="values of `?` and `$1` as a list, of `$name` as an object; numbers are read exactly",
        json_schema_extra=_PARAMETERS,
    )
    accuracy: Any = Field(
        default=None,
        description="instead of a loss: the half-width of every noisy column, or of those named; "
        "the smallest loss that gives it is found",
        json_schema_extra=_ACCURACY,
    )
    expected: Any = Field(
        default=None,
        description="your own guess of each column's value, for an accuracy in percent",
        json_schema_extra=_EXPECTED,
    )


class MemberBody(Strict):
    """One question of a batch. The loss is the batch's; `weight` says how much of it is this one's, beside the others'."""

    id: Name
    sql: str = Field(min_length=1, description="one SELECT over registered tables")
    weight: Annotated[int, Field(ge=1, le=1_000_000)]
    parameters: Any = Field(
        default=None,
        description="values of `?` and `$1` as a list, of `$name` as an object; numbers are read exactly",
        json_schema_extra=_PARAMETERS,
    )


class BatchBody(Strict):
    """Several questions of one dataset for one purpose, under one loss: all are answered, or none."""

    dataset: Name = Field(description="id of the dataset, as GET /v1/datasets lists it")
    purpose: Name = Field(description="a purpose that the policy grants")
    queries: Annotated[list[MemberBody], Field(min_length=1, max_length=32)]
    epsilon: LossText | None = Field(default=None, description='privacy loss of them all, "1"')
    rho: LossText | None = Field(default=None, description="privacy loss under zCDP")


class DocumentBody(Strict):
    """A policy, price plan or split agreement as YAML 1.2 text."""

    text: str = Field(min_length=1)


class ApprovalBody(Strict):
    """Which version is approved: an approval is of one digest."""

    digest: Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")]


class HoldBody(Strict):
    """What to stop or to let go on: one dataset, or everything if `dataset` is left out."""

    dataset: Name | None = None


class ReviewBody(Strict):
    """Whose failed runs a holder has looked at, on which dataset."""

    operator: Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    dataset: Name


class SettlementBody(Strict):
    """A range of the log, end excluded; without an end up to now."""

    index_from: Annotated[int, Field(ge=0)]
    index_to: Annotated[int, Field(ge=0)] | None = None


class Token(BaseModel):
    """RFC 6749 section 5.1."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int


class Column(BaseModel):
    """One column of an answer."""

    name: str
    type: str
    role: Literal["key", "noisy", "constant"]
    mechanism: str | None
    scale: list[float]
    interval: Literal["exact_noise_law", "reconciled_noise_law", "simulated_noise_law", "none"]


class Receipt(BaseModel):
    """Proof that the answer is in the log."""

    index: int
    proof: str = Field(description="c2sp.org/tlog-proof; check it with `keyong audit verify`")


class QueryAnswer(BaseModel):
    """An answer: noisy values, their 95 % intervals and standard deviations, what it cost, and its receipt."""

    operation: str
    columns: list[Column]
    rows: list[list[Any]]
    intervals: list[list[list[Any] | None]]
    deviations: list[list[Any]]
    confidence: str
    dataset: dict[str, Any]
    purpose: str
    privacy: dict[str, Any]
    accuracy: list[dict[str, Any]] | None
    price: dict[str, Any]
    policy: dict[str, Any]
    accepted_at: str
    reused: bool
    warnings: list[str]
    receipt: Receipt


class SuggestedQuestion(BaseModel):
    """A question near the refused one that would be accepted; it may mean something else."""

    sql: str
    changes: str


class MemberAnswer(BaseModel):
    """One member's answer, in the order of the batch. `refused` names what stood against a member that costs no loss."""

    id: str
    answer: QueryAnswer | None
    refused: str | None


class BatchAnswer(BaseModel):
    """The answers of a batch, and the loss that was charged for all of them together."""

    operation: str | None
    charged: str
    answers: list[MemberAnswer]


class Problem(BaseModel):
    """RFC 9457 with a stable `code`; nothing was charged, and `loss_spent` says what was spent."""

    type: str
    title: str
    status: int
    code: str
    lang: str
    detail: str
    detail_en: str
    detail_zh: str
    stage: str
    errors: list[dict[str, Any]]
    needed_grants: list[dict[str, str]]
    how: str | None
    suggestion: SuggestedQuestion | None
    member: str | None = Field(description="the question of a batch that was refused")
    charged: bool
    loss_spent: str

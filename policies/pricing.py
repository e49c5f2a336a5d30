"""What use costs and who earns: price plans and split agreements as frozen types, and their strict reading from
documents.

Units       Prices are whole micro-yuan (1 yuan = 10**6), so that a price per cell can be a small fraction of a fen.
            Weights are whole numbers without a scale: they need not add up to 100, so they cannot fail to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn, cast

from policies.terms import PartyType

API_VERSION = "keyong/v1"
# A price of a billion yuan is a slip of the pen; the bound also keeps every product inside 64 bits.
PRICE_UY_MAX = 10**15
WEIGHT_MAX = 10**6
BASIS_POINTS = 10_000
SIZE_CLASSES = ("S", "M", "L")


class DocumentRefused(ValueError):
    """A plan or agreement says too much, too little, or something that cannot be."""


class TaxClass(StrEnum):
    """How a statement line is taxed; lines of different classes are never added up."""

    VAT_6 = "vat_6"
    VAT_3 = "vat_3"
    VAT_1 = "vat_1"
    NONE = "none"


class Rounding(StrEnum):
    """How micro-yuan become fen, once per statement line."""

    HALF_UP = "half_up"


@dataclass(frozen=True, slots=True)
class PricePlan:
    """One version of a price list. A query's price is the sum of its components, at least `minimum_fee_uy`.

    per_epsilon_uy  for one whole epsilon; linear, so that k cheap answers never undercut one dear answer of equal
                    accuracy
    per_rho_uy      for one whole rho, in families accounted in zCDP
    """

    id: str
    version: int
    currency: str
    tax: TaxClass
    per_query_uy: int
    per_cell_uy: int
    per_column_uy: int
    per_epsilon_uy: int
    per_rho_uy: int
    size_class_uy: tuple[tuple[str, int], ...]
    minimum_fee_uy: int
    rounding: Rounding

    def __post_init__(self) -> None:
        prices = (
            self.per_query_uy,
            self.per_cell_uy,
            self.per_column_uy,
            self.per_epsilon_uy,
            self.per_rho_uy,
        )
        for price in (*prices, self.minimum_fee_uy, *(price for _, price in self.size_class_uy)):
            if not 0 <= price <= PRICE_UY_MAX:
                raise DocumentRefused(f"price {price} is outside 0 to {PRICE_UY_MAX} micro-yuan")
        if tuple(name for name, _ in self.size_class_uy) != SIZE_CLASSES:
            raise DocumentRefused("a plan prices each of the size classes S, M and L")
        if self.currency != "CNY":
            raise DocumentRefused(f"currency `{self.currency}` is not CNY")


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who is paid; `type` and `jurisdiction` decide through which channel."""

    id: str
    name: str
    type: PartyType
    jurisdiction: str


@dataclass(frozen=True, slots=True)
class StageShare:
    """A party's weight inside one stage."""

    party: str
    weight: int


@dataclass(frozen=True, slots=True)
class AgreementStage:
    """A stage of the work (采集, 加工, 流通, 应用), its weight among the stages, and who did it."""

    name: str
    weight: int
    shares: tuple[StageShare, ...]


@dataclass(frozen=True, slots=True)
class PlatformFirst:
    """A fixed part taken before the stages share the rest, in basis points of the line."""

    party: str
    basis_points: int


@dataclass(frozen=True, slots=True)
class SplitAgreement:
    """How one line of income is shared; signed by its parties, its digest in the log."""

    id: str
    version: int
    parties: tuple[Party, ...]
    platform_first: PlatformFirst | None
    stages: tuple[AgreementStage, ...]

    def __post_init__(self) -> None:
        known = [party.id for party in self.parties]
        paid = [share.party for stage in self.stages for share in stage.shares]
        if self.platform_first is not None:
            paid.append(self.platform_first.party)
            if not 0 < self.platform_first.basis_points < BASIS_POINTS:
                raise DocumentRefused(f"platform part is 1 to {BASIS_POINTS - 1} basis points")
        _refuse_repeats("party", known)
        _refuse_repeats("stage", [stage.name for stage in self.stages])
        if set(paid) != set(known):
            raise DocumentRefused("each party of an agreement has a share, and each share a party")
        for stage in self.stages:
            _refuse_repeats(
                f"share of stage `{stage.name}`", [share.party for share in stage.shares]
            )
            if not all(
                0 < weight <= WEIGHT_MAX
                for weight in (stage.weight, *(s.weight for s in stage.shares))
            ):
                raise DocumentRefused(
                    f"weights of stage `{stage.name}` are 1 to {WEIGHT_MAX}; leave out who gets nothing"
                )
        if not self.stages or not all(stage.shares for stage in self.stages):
            raise DocumentRefused("an agreement has a stage, and a stage has a share")


def plan_from(document: Mapping[str, object]) -> PricePlan:
    """Read a parsed `kind: PricePlan` document; unknown and missing keys are refused."""
    top = _Keys(document, "plan")
    _read_head(top, "PricePlan")
    meta = _Keys(top.take("metadata"), "metadata")
    sizes = _Keys(top.take("size_class_uy"), "size_class_uy")
    plan = PricePlan(
        id=meta.text("id"),
        version=meta.whole("version"),
        currency=top.text("currency"),
        tax=TaxClass(top.word("tax", TaxClass)),
        per_query_uy=top.whole("per_query_uy"),
        per_cell_uy=top.whole("per_cell_uy"),
        per_column_uy=top.whole("per_column_uy"),
        per_epsilon_uy=top.whole("per_epsilon_uy"),
        per_rho_uy=top.whole("per_rho_uy"),
        size_class_uy=tuple((name, sizes.whole(name)) for name in SIZE_CLASSES),
        minimum_fee_uy=top.whole("minimum_fee_uy"),
        rounding=Rounding(top.word("rounding", Rounding)),
    )
    for keys in (meta, sizes, top):
        keys.done()
    return plan


def agreement_from(document: Mapping[str, object]) -> SplitAgreement:
    """Read a parsed `kind: SplitAgreement` document; `platform_first` alone may be left out."""
    top = _Keys(document, "agreement")
    _read_head(top, "SplitAgreement")
    meta = _Keys(top.take("metadata"), "metadata")
    agreement = SplitAgreement(
        id=meta.text("id"),
        version=meta.whole("version"),
        parties=tuple(_party(_Keys(item, "party")) for item in top.items("parties")),
        platform_first=_platform(_Keys(top.take("platform_first"), "platform_first"))
        if "platform_first" in document
        else None,
        stages=tuple(_stage(_Keys(item, "stage")) for item in top.items("stages")),
    )
    meta.done()
    top.done()
    return agreement


def _read_head(top: "_Keys", kind: str) -> None:
    if top.text("apiVersion") != API_VERSION or top.text("kind") != kind:
        raise DocumentRefused(f"document is not `apiVersion: {API_VERSION}`, `kind: {kind}`")


def _party(keys: "_Keys") -> Party:
    party_type = PartyType(keys.word("type", PartyType))
    party = Party(keys.text("id"), keys.text("name"), party_type, keys.text("jurisdiction"))
    keys.done()
    return party


def _platform(keys: "_Keys") -> PlatformFirst:
    platform = PlatformFirst(keys.text("party"), keys.whole("basis_points"))
    keys.done()
    return platform


def _stage(keys: "_Keys") -> AgreementStage:
    stage = AgreementStage(
        name=keys.text("name"),
        weight=keys.whole("weight"),
        shares=tuple(_share(_Keys(item, "share")) for item in keys.items("shares")),
    )
    keys.done()
    return stage


def _share(keys: "_Keys") -> StageShare:
    share = StageShare(keys.text("party"), keys.whole("weight"))
    keys.done()
    return share


def _refuse_repeats(what: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise DocumentRefused(f"{what} `{name}` appears twice")


class _Keys:
    """Takes keys out of one object of a document and complains about what is left."""

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, Mapping):
            self._refuse(f"`{path}` is not an object")
        self._left = dict(cast("Mapping[str, object]", value))
        self._path = path

    def take(self, key: str) -> object:
        if key not in self._left:
            self._refuse(f"`{self._path}` lacks `{key}`")
        return self._left.pop(key)

    def text(self, key: str) -> str:
        value = self.take(key)
        if not isinstance(value, str) or not value or len(value) > 128:
            self._refuse(f"`{self._path}.{key}` is not text of 1 to 128 characters")
        return value

    def whole(self, key: str) -> int:
        value = self.take(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            self._refuse(f"`{self._path}.{key}` is not a whole number from 0 up")
        return value

    def word(self, key: str, allowed: type[StrEnum]) -> str:
        value = self.text(key)
        if value not in {member.value for member in allowed}:
            self._refuse(f"`{self._path}.{key}` is not one of {', '.join(allowed)}")
        return value

    def items(self, key: str) -> list[object]:
        value = self.take(key)
        if not isinstance(value, list) or not value:
            self._refuse(f"`{self._path}.{key}` is not a list with an entry")
        return cast("list[object]", value)

    def done(self) -> None:
        if self._left:
            self._refuse(f"`{self._path}` has unknown key `{min(self._left)}`; remove it")

    @staticmethod
    def _refuse(message: str) -> NoReturn:
        raise DocumentRefused(message)

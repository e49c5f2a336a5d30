"""Read a PricePlan or a SplitAgreement, with the place of every fault."""

from policies.pricing import (
    BASIS_POINTS,
    PRICE_UY_MAX,
    SIZE_CLASSES,
    WEIGHT_MAX,
    AgreementStage,
    DocumentRefused,
    Party,
    PlatformFirst,
    PricePlan,
    Rounding,
    SplitAgreement,
    StageShare,
    TaxClass,
)
from policies.reading.dataset import COUNT_MAX
from policies.reading.reader import Reader
from policies.reading.report import Abandoned, Fields
from policies.terms import PartyType

_PRICES = (
    "per_query_uy",
    "per_cell_uy",
    "per_column_uy",
    "per_epsilon_uy",
    "per_rho_uy",
    "minimum_fee_uy",
)
PLAN_FIELDS: Fields = {
    "": (
        "apiVersion",
        "kind",
        "metadata",
        "currency",
        "tax",
        *_PRICES,
        "size_class_uy",
        "rounding",
    ),
    "metadata": ("id", "version"),
    "size_class_uy": SIZE_CLASSES,
}
AGREEMENT_FIELDS: Fields = {
    "": ("apiVersion", "kind", "metadata", "parties", "platform_first", "stages"),
    "metadata": ("id", "version"),
    "parties[]": ("id", "name", "type", "jurisdiction"),
    "platform_first": ("party", "basis_points"),
    "stages[]": ("name", "weight", "shares"),
    "stages[].shares[]": ("party", "weight"),
}


def read_price_plan(reader: Reader) -> PricePlan:
    """Build the plan. Units: whole micro-yuan, so that no price is a fraction."""
    metadata = reader.section("metadata", _metadata)
    prices = {name: reader.whole(name, 0, PRICE_UY_MAX) for name in _PRICES}
    sizes = reader.section("size_class_uy", _sizes)
    currency = reader.text("currency")
    tax, rounding = reader.choice("tax", TaxClass), reader.choice("rounding", Rounding)
    reader.close()
    try:
        return PricePlan(
            id=metadata[0],
            version=metadata[1],
            currency=currency,
            tax=tax,
            size_class_uy=sizes,
            rounding=rounding,
            **prices,
        )
    except DocumentRefused as refusal:
        reader.invalid("currency", f"does not hold together: {refusal}")
        raise Abandoned from None


def read_split_agreement(reader: Reader) -> SplitAgreement:
    """Build the agreement; weights are whole numbers without a scale and need not sum to 100."""
    metadata = reader.section("metadata", _metadata)
    parties = reader.items("parties", _party)
    platform = reader.optional("platform_first", _platform)
    stages = reader.items("stages", _stage)
    reader.close()
    try:
        return SplitAgreement(*metadata, parties, platform, stages)
    except DocumentRefused as refusal:
        reader.invalid("stages", f"do not hold together: {refusal}")
        raise Abandoned from None


def _metadata(reader: Reader) -> tuple[str, int]:
    metadata = reader.id("id"), reader.whole("version", 1, COUNT_MAX)
    reader.close()
    return metadata


def _sizes(reader: Reader) -> tuple[tuple[str, int], ...]:
    sizes = tuple((name, reader.whole(name, 0, PRICE_UY_MAX)) for name in SIZE_CLASSES)
    reader.close()
    return sizes


def _party(reader: Reader) -> Party:
    party = Party(
        reader.id("id"),
        reader.text("name"),
        reader.choice("type", PartyType),
        reader.id("jurisdiction"),
    )
    reader.close()
    return party


def _platform(reader: Reader) -> PlatformFirst:
    platform = PlatformFirst(reader.id("party"), reader.whole("basis_points", 1, BASIS_POINTS - 1))
    reader.close()
    return platform


def _stage(reader: Reader) -> AgreementStage:
    stage = AgreementStage(
        reader.text("name"), reader.whole("weight", 1, WEIGHT_MAX), reader.items("shares", _share)
    )
    reader.close()
    return stage


def _share(reader: Reader) -> StageShare:
    share = StageShare(reader.id("party"), reader.whole("weight", 1, WEIGHT_MAX))
    reader.close()
    return share

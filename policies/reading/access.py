"""Read an AccessPolicy document field by field."""

import re
from collections.abc import Callable

from policies.access.model import (
    AccessPolicy,
    Allowance,
    Basis,
    Budget,
    Classification,
    DocumentReference,
    Fee,
    JoinGrant,
    JoinKind,
    Level,
    Metadata,
    Operator,
    Output,
    Period,
    PolicyTest,
    PurposeGrant,
    QueryLimits,
    ResultFormat,
    TableGrant,
    UnitGrant,
    Window,
)
from policies.dataset import Holder
from policies.reading.columns import read_column
from policies.reading.dataset import COUNT_MAX, read_holder
from policies.reading.nodes import Scalar, Sequence
from policies.reading.reader import Reader
from policies.reading.report import Fields
from policies.terms import (
    DELTA_UNIT,
    NANO,
    Accountant,
    AggregateName,
    ContributionBound,
    PurposeClass,
)

FIELDS: Fields = {
    "": (
        "apiVersion",
        "kind",
        "metadata",
        "parties",
        "effective",
        "classification",
        "purposes",
        "tables",
        "query",
        "output",
        "budget",
        "price",
        "revenue",
        "obligations",
        "tests",
    ),
    "metadata": ("id", "jurisdiction", "version", "supersedes", "basis"),
    "metadata.basis[]": ("doc", "digest"),
    "parties": ("holder", "operator"),
    "parties.holder": ("id", "type"),
    "parties.operator": ("id", "licence"),
    "effective": ("from", "to"),
    "classification": (
        "level",
        "general_level",
        "personal_info",
        "sensitive_personal_info",
        "state_secret",
    ),
    "purposes[]": ("code", "class", "fee"),
    "tables.*": ("privacy_unit", "public", "columns", "joins"),
    "tables.*.privacy_unit": (
        "column",
        "max_rows_per_unit",
        "max_rows_per_group",
        "max_groups_per_unit",
        "overflow",
    ),
    "tables.*.columns.*": ("use", "domain", "bounds", "bin"),
    "tables.*.columns.*.domain": ("range", "ref"),
    "tables.*.joins[]": ("to", "using", "kind"),
    "query": ("aggregates", "max_groups", "max_literals", "failures_max", "private_keys"),
    "output": ("mode", "max_rows", "formats"),
    "budget": (
        "unit",
        "accountant",
        "per_query_max",
        "lifetime_per_epoch",
        "delta_total",
        "delta_per_query",
        "allowances",
    ),
    "budget.allowances[]": ("purpose", "window", "epsilon", "rho"),
    "price": ("plan", "digest"),
    "revenue": ("agreement", "digest"),
    "tests[]": ("name", "sql", "purpose", "epsilon", "rho", "expect"),
}

# The most groups one release can hold; the time that noise takes must stay bounded.
GROUPS_MAX = 20_000
_ANY_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sm3:[0-9a-f]{64}")
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}@[1-9][0-9]{0,8}")
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_UNIT_CURE = "write `privacy_unit`, or `public: true` if the rows belong to nobody"
_LOSS_FIELD = {Accountant.PURE_EPS: "epsilon", Accountant.APPROX_ZCDP: "rho"}


def read_access_policy(reader: Reader, digest: str) -> AccessPolicy:
    """Build the policy; what only the whole document shows is left to `check_policy`."""
    metadata = reader.section("metadata", _metadata)
    parties = reader.section("parties", _parties)
    effective = reader.section("effective", _period)
    classification = reader.section("classification", _classification)
    purposes = reader.items("purposes", _purpose)
    tables = reader.each("tables", _table)
    query = reader.section("query", _query, "limits on a query have no default")
    output = reader.section("output", _output)
    budget = reader.section("budget", _budget)
    # Losses of tests are named after the accountant, so a budget that cannot be read hides them.
    tests: tuple[PolicyTest, ...] = ()
    if reader.has("tests") and budget is not None:
        tests = reader.items("tests", _test(budget.accountant))
    price = reader.optional("price", _reference("plan"))
    revenue = reader.optional("revenue", _reference("agreement"))
    obligations = reader.texts("obligations") if reader.has("obligations") else ()
    reader.close()
    holder, operator = parties
    return AccessPolicy(
        metadata=metadata,
        holder=holder,
        operator=operator,
        effective=effective,
        classification=classification,
        purposes=purposes,
        tables=tables,
        query=query,
        output=output,
        budget=budget,
        price=price,
        revenue=revenue,
        obligations=obligations,
        tests=tests,
        digest=digest,
    )


def _metadata(reader: Reader) -> Metadata:
    metadata = Metadata(
        id=reader.id("id"),
        jurisdiction=reader.id("jurisdiction"),
        version=reader.whole("version", 1, COUNT_MAX),
        supersedes=reader.digest("supersedes") if reader.has("supersedes") else None,
        basis=reader.items("basis", _basis) if reader.has("basis") else (),
    )
    reader.close()
    return metadata


def _basis(reader: Reader) -> Basis:
    form = "`sha256:` or `sm3:` and 64 hexadecimal digits"
    digest = reader.matching("digest", _ANY_DIGEST, form) if reader.has("digest") else None
    basis = Basis(reader.text("doc"), digest)
    reader.close()
    return basis


def _parties(reader: Reader) -> tuple[Holder, Operator]:
    parties = reader.section("holder", read_holder), reader.section("operator", _operator)
    reader.close()
    return parties


def _operator(reader: Reader) -> Operator:
    operator = Operator(reader.id("id"), reader.text("licence"))
    reader.close()
    return operator


def _period(reader: Reader) -> Period:
    period = Period(reader.instant("from"), reader.instant("to"))
    reader.close()
    return period


def _classification(reader: Reader) -> Classification:
    said = "the holder must say so, one way or the other"
    classification = Classification(
        level=reader.choice("level", Level),
        general_level=reader.whole("general_level", 1, 4) if reader.has("general_level") else None,
        personal_info=reader.truth("personal_info", said),
        sensitive_personal_info=reader.truth("sensitive_personal_info", said),
        state_secret=reader.truth("state_secret", said),
    )
    reader.close()
    return classification


def _purpose(reader: Reader) -> PurposeGrant:
    purpose = PurposeGrant(
        reader.matching("code", _CODE, "small letters, digits and underscores"),
        reader.choice("class", PurposeClass),
        reader.choice("fee", Fee),
    )
    reader.close()
    return purpose


def _table(name: str, reader: Reader) -> TableGrant:
    public = reader.truth("public") if reader.has("public") else False
    if public and reader.has("privacy_unit"):
        reader.invalid("public", "contradicts `privacy_unit`; a table holds people's rows or not")
    if not public and not reader.has("privacy_unit"):
        # Nobody decides for the holder that a table is public.
        reader.refuse("document_unit_missing", "privacy_unit", table=name, cure=_UNIT_CURE)
    table = TableGrant(
        name=name,
        unit=reader.optional("privacy_unit", _unit),
        columns=reader.each("columns", read_column),
        joins=reader.items("joins", _join) if reader.has("joins") else (),
    )
    reader.close()
    return table


def _unit(reader: Reader) -> UnitGrant:
    column = reader.name("column")
    rows = reader.whole("max_rows_per_unit", 1, COUNT_MAX)
    per_group = reader.whole("max_rows_per_group", 1, COUNT_MAX)
    groups = reader.whole("max_groups_per_unit", 1, COUNT_MAX)
    if reader.label("overflow") != "sample":
        reader.invalid("overflow", "must be `sample`: surplus rows are dropped by keyed rank")
    reader.close()
    return UnitGrant(column, ContributionBound(rows, per_group, groups))


def _join(reader: Reader) -> JoinGrant:
    to, kind = reader.name("to"), reader.choice("kind", JoinKind)
    pairs: tuple[tuple[str, str], ...] = ()
    if kind is JoinKind.CROSS:
        if reader.has("using"):
            reader.invalid("using", "does not belong to a cross join")
    else:
        pairs = _pairs(reader)
    reader.close()
    return JoinGrant(to, pairs, kind)


def _pairs(reader: Reader) -> tuple[tuple[str, str], ...]:
    """Read column names; a pair [own, theirs] where the two tables name the key differently."""
    node, pairs = reader.raw("using"), []
    items = node.items if isinstance(node, Sequence) else ()
    for item in items:
        parts = item.items if isinstance(item, Sequence) else (item, item)
        if len(parts) == 2 and isinstance(parts[0], Scalar) and isinstance(parts[1], Scalar):
            pairs.append((parts[0].text, parts[1].text))
    if node is not None and (not pairs or len(set(pairs)) != len(items)):
        reader.invalid("using", "must list different columns, or pairs [own, theirs]")
    return tuple(pairs)


def _query(reader: Reader) -> QueryLimits:
    limits = QueryLimits(
        aggregates=reader.choices("aggregates", AggregateName),
        max_groups=reader.whole("max_groups", 1, GROUPS_MAX),
        max_literals=reader.whole("max_literals", 0, 10_000),
        failures_max=reader.whole("failures_max", 1, 100),
        private_keys=reader.truth("private_keys") if reader.has("private_keys") else False,
    )
    reader.close()
    return limits


def _output(reader: Reader) -> Output:
    mode = reader.label("mode")
    if reader.has("mode") and mode != "dp":
        reader.refuse("document_exact_output", "mode", mode=mode[:40])
    output = Output(
        max_rows=reader.whole("max_rows", 1, 1_000_000) if reader.has("max_rows") else None,
        formats=reader.choices("formats", ResultFormat) if reader.has("formats") else (),
    )
    reader.close()
    return output


def _budget(reader: Reader) -> Budget:
    accountant = reader.choice("accountant", Accountant)
    budget = Budget(
        unit=reader.id("unit"),
        accountant=accountant,
        per_query_max=reader.units("per_query_max", NANO),
        lifetime_per_epoch=reader.units("lifetime_per_epoch", NANO),
        delta_total=_delta(reader, "delta_total"),
        delta_per_query=_delta(reader, "delta_per_query"),
        allowances=reader.items("allowances", _allowance(accountant)),
    )
    reader.close()
    return budget


def _delta(reader: Reader, name: str) -> int:
    return reader.units(name, DELTA_UNIT) if reader.has(name) else 0


def _loss(reader: Reader, accountant: Accountant) -> int:
    """Read a loss under the name of its accountant; an epsilon is never taken for a rho."""
    for other, name in _LOSS_FIELD.items():
        if other is not accountant and reader.has(name):
            reader.invalid(name, f"does not belong to {accountant.value}")
    return reader.units(_LOSS_FIELD[accountant], NANO)


def _allowance(accountant: Accountant) -> Callable[[Reader], Allowance]:
    def read(reader: Reader) -> Allowance:
        purpose, window = reader.text("purpose"), reader.choice("window", Window)
        allowance = Allowance(purpose, window, _loss(reader, accountant))
        reader.close()
        return allowance

    return read


def _reference(name: str) -> Callable[[Reader], DocumentReference]:
    def read(reader: Reader) -> DocumentReference:
        form = "an id and a version, as PP-2026-03@1"
        reference = DocumentReference(
            reader.matching(name, _REFERENCE, form), reader.digest("digest")
        )
        reader.close()
        return reference

    return read


def _test(accountant: Accountant) -> Callable[[Reader], PolicyTest]:
    def read(reader: Reader) -> PolicyTest:
        test = PolicyTest(
            name=reader.text("name"),
            sql=reader.text("sql"),
            purpose=reader.text("purpose"),
            primary=_loss(reader, accountant),
            expect=_expected(reader),
        )
        reader.close()
        return test

    return read


def _expected(reader: Reader) -> tuple[str, ...]:
    node = reader.raw("expect")
    if isinstance(node, Scalar):
        if node.text != "allow":
            reader.invalid("expect", "must be `allow` or a list of codes of refusal")
        return ()
    return reader.texts("expect") if node is not None else ()

"""Check an AccessPolicy as a whole: what no single field shows.

Refuses  state secrets and core data; money for governance or the public good; an aggregate over a
         column without bounds; a join, purpose or budget that contradicts another line.
Source   发改价格〔2025〕65号 (what must be free); GB/T 43697-2024 (levels).
"""

from collections import Counter
from collections.abc import Iterator

from policies.access.model import (
    AccessPolicy,
    ColumnGrant,
    Fee,
    JoinGrant,
    Level,
    ListDomain,
    RefDomain,
    TableGrant,
)
from policies.messages import MESSAGES
from policies.reading.report import Problem
from policies.reading.values import name_fault
from policies.terms import Accountant, ColumnUse, PurposeClass


def check_policy(policy: AccessPolicy) -> tuple[Problem, ...]:
    """Return every contradiction in the policy, or nothing."""
    problems = [*_head(policy), *_purposes(policy), *_budget(policy), *_tests(policy)]
    seen: set[str] = set()
    for table in policy.tables:
        at = ("tables", table.name)
        if fault := name_fault(table.name):
            problems.append(_invalid(at, fault))
        if table.name.casefold() in seen:
            problems.append(_invalid(at, "repeats a name; upper and lower case are not told apart"))
        seen.add(table.name.casefold())
        problems += _columns(policy, table)
        for index, join in enumerate(table.joins):
            problems += _join(policy, table, join, (*at, "joins", str(index)))
    return tuple(problems)


def _head(policy: AccessPolicy) -> Iterator[Problem]:
    if policy.effective.start >= policy.effective.end:
        yield _invalid(("effective", "to"), "must lie after `from`")
    secrecy = policy.classification
    if secrecy.state_secret:
        yield _classified("a state secret", "state_secret")
    if secrecy.level is Level.CORE:
        yield _classified("core data", "level")
    if secrecy.general_level is not None and secrecy.level is not Level.GENERAL:
        yield _invalid(("classification", "general_level"), "belongs to the level 一般 only")
    if secrecy.sensitive_personal_info and not secrecy.personal_info:
        problem = "cannot be true while `personal_info` is false"
        yield _invalid(("classification", "sensitive_personal_info"), problem)
    if secrecy.personal_info and all(table.public for table in policy.tables):
        problem = "cannot be true if every table is public"
        yield _invalid(("classification", "personal_info"), problem)


def _classified(what: str, field: str) -> Problem:
    pointer = ("classification", field)
    return Problem("document_classification_refused", pointer, (("what", what),))


def _purposes(policy: AccessPolicy) -> Iterator[Problem]:
    yield from _repeated(("purposes",), [purpose.code for purpose in policy.purposes])
    for index, purpose in enumerate(policy.purposes):
        if purpose.fee is Fee.PAID and purpose.purpose_class is not PurposeClass.INDUSTRY:
            params = (("purpose", purpose.code), ("purpose_class", purpose.purpose_class.value))
            yield Problem("document_fee_refused", ("purposes", str(index), "fee"), params)
    if any(purpose.fee is Fee.PAID for purpose in policy.purposes):
        why = "a paid purpose needs a price plan and a split agreement"
        for name, reference in (("price", policy.price), ("revenue", policy.revenue)):
            if reference is None:
                yield _missing((name,), why)


def _budget(policy: AccessPolicy) -> Iterator[Problem]:
    budget = policy.budget
    if budget.per_query_max > budget.lifetime_per_epoch:
        problem = "is above `lifetime_per_epoch`, so it could never be spent"
        yield _invalid(("budget", "per_query_max"), problem)
    if budget.accountant is Accountant.PURE_EPS and budget.delta_total:
        problem = "does not exist under pure_eps; remove it or choose approx_zcdp"
        yield _invalid(("budget", "delta_total"), problem)
    if budget.accountant is Accountant.APPROX_ZCDP and not budget.delta_total:
        yield _missing(("budget", "delta_total"), "approx_zcdp needs a delta")
    if budget.delta_per_query > budget.delta_total:
        problem = "is above `delta_total`, so it could never be spent"
        yield _invalid(("budget", "delta_per_query"), problem)
    if policy.query.private_keys and budget.accountant is Accountant.PURE_EPS:
        yield _invalid(("query", "private_keys"), "needs a delta, which pure_eps does not have")
    at = ("budget", "allowances")
    codes = {purpose.code for purpose in policy.purposes}
    for index, allowance in enumerate(budget.allowances):
        if allowance.purpose not in codes:
            yield _invalid((*at, str(index), "purpose"), "is not one of the purposes above")
    granted = {allowance.purpose for allowance in budget.allowances}
    for code in sorted(codes - granted):
        yield _missing(at, f"the purpose `{code}` has no allowance, so it could not spend anything")
    windows = [f"{allowance.purpose} per {allowance.window}" for allowance in budget.allowances]
    yield from _repeated(at, windows)


def _tests(policy: AccessPolicy) -> Iterator[Problem]:
    yield from _repeated(("tests",), [test.name for test in policy.tests])
    for index, test in enumerate(policy.tests):
        for code in test.expect:
            if code not in MESSAGES:
                at = ("tests", str(index), "expect")
                yield _invalid(at, f"names `{code}`, which is not a code of refusal")


def _columns(policy: AccessPolicy, table: TableGrant) -> Iterator[Problem]:
    seen: set[str] = set()
    for column in table.columns:
        at = ("tables", table.name, "columns", column.name)
        if fault := name_fault(column.name):
            yield _invalid(at, fault)
        if column.name.casefold() in seen:
            yield _invalid(at, "repeats a name; upper and lower case are not told apart")
        seen.add(column.name.casefold())
        yield from _column(policy, table, column, at)


def _column(
    policy: AccessPolicy, table: TableGrant, column: ColumnGrant, at: tuple[str, ...]
) -> Iterator[Problem]:
    if ColumnUse.AGGREGATE in column.uses and column.bounds is None:
        params = (("table", table.name), ("column", column.name))
        yield Problem("document_bounds_missing", at, params)
    if column.bin is not None and (column.bounds is None or isinstance(column.domain, ListDomain)):
        yield _invalid((*at, "bin"), "needs `bounds`, and no list of values beside it")
    if isinstance(column.domain, RefDomain):
        target = policy.table(column.domain.table)
        if target is not None and not target.public:
            # The values of a private table are what must not be told.
            yield _invalid((*at, "domain", "ref"), f"leads to the private table `{target.name}`")


def _join(
    policy: AccessPolicy, table: TableGrant, join: JoinGrant, at: tuple[str, ...]
) -> Iterator[Problem]:
    """Refuse a grant that can never be used: a signed line without effect misleads its signer."""
    for own, theirs in join.using:
        yield from _join_key(table, own, at)
        other = policy.table(join.to)
        if other is not None:
            yield from _join_key(other, theirs, at)


def _join_key(table: TableGrant, name: str, at: tuple[str, ...]) -> Iterator[Problem]:
    column = table.column(name)
    if column is None or ColumnUse.JOIN_KEY not in column.uses:
        problem = f"joins on `{table.name}.{name}`, which is not granted as join_key"
        yield _invalid((*at, "using"), problem)


def _repeated(pointer: tuple[str, ...], names: list[str]) -> Iterator[Problem]:
    for name, times in Counter(names).items():
        if times > 1:
            yield _invalid(pointer, f"holds `{name}` more than once")


def _invalid(pointer: tuple[str, ...], problem: str) -> Problem:
    params = (("field", ".".join(pointer)), ("problem", problem))
    return Problem("document_field_invalid", pointer, params)


def _missing(pointer: tuple[str, ...], why: str) -> Problem:
    return Problem("document_field_missing", pointer, (("field", ".".join(pointer)), ("why", why)))

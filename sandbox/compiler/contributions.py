"""How many rows, rows per group and groups one unit has in a relation, from the bounds its policy declares.

These choose the clips, they do not prove anything: sensitivity follows from the clips alone (bounded_aggregation.md). A bound
that is too small costs accuracy, one that is too large costs noise.
"""

from policies.access.model import AccessPolicy
from policies.refusals import Refused, Stage
from policies.terms import ContributionBound
from sandbox.algebra import (
    Branch,
    Call,
    Column,
    Expr,
    Filter,
    Group,
    Join,
    Literal,
    Op,
    Project,
    Relation,
    Scan,
    SetKind,
    SetOperation,
    WindowFunction,
    columns_of,
)
from sandbox.compiler.conjunction import split_and
from sandbox.compiler.lineage import Definitions, origins
from sandbox.compiler.rows import ScopedTable
from sandbox.compiler.uses import unit_keys_of

CONTRIBUTION_MAX = 2**20  # of joined tables together; beyond it the noise drowns everything
_ONE = ContributionBound(1, 1, 1)


class Contributions:
    """Reads the declared bounds of a policy."""

    def __init__(
        self, policy: AccessPolicy, tables: tuple[ScopedTable, ...], known: Definitions
    ) -> None:
        self._policy = policy
        self._tables = tables
        self._known = known
        self._unit_keys = unit_keys_of(tables)

    def of(self, relation: Relation) -> ContributionBound:
        """Return the bounds of a relation; public rows weigh 1, for they only meet the rows of a unit.

        Refuses: a private table that the policy grants without a privacy unit.
        """
        if isinstance(relation, Scan):
            return self._scan(self._tables[relation.index])
        if isinstance(relation, Filter):
            return self._filtered(relation)
        if isinstance(relation, Join):
            return _product(self.of(relation.left), self.of(relation.right))
        if isinstance(relation, Project):
            return self.of(relation.input)
        if isinstance(relation, Group):
            return self._grouped(relation)
        if isinstance(relation, SetOperation):
            return self._combined(relation)
        return _ONE

    def _scan(self, table: ScopedTable) -> ContributionBound:
        if not table.table.private:
            return _ONE
        grant = self._policy.table(table.table.name)
        if grant is None or grant.unit is None:
            raise Refused(
                "table_not_granted",
                Stage.BOUND,
                at=table.at,
                table=table.table.name,
                purpose="a privacy unit",
                owner=self._policy.holder.id,
            )
        return grant.unit.bound

    def _grouped(self, group: Group) -> ContributionBound:
        below = self.of(group.input)
        if all(self._is_one_per_unit(key) for key in group.keys):
            return _ONE
        return below

    def _filtered(self, relation: Filter) -> ContributionBound:
        """Return the bounds behind a filter: `row_number() OVER (PARTITION BY unit …) <= k` keeps k rows."""
        below = self.of(relation.input)
        kept = [
            k
            for c in split_and(relation.predicate)
            if (k := self._rank_limit(c, relation.input)) > 0
        ]
        return _at_most(below, min(kept)) if kept else below

    def _combined(self, relation: SetOperation) -> ContributionBound:
        left = self._branch(relation.left)
        if relation.kind not in (SetKind.UNION_ALL, SetKind.UNION):
            return left
        right = self._branch(relation.right)
        return ContributionBound(
            _capped(left.rows_per_unit_max + right.rows_per_unit_max),
            _capped(left.rows_per_group_max + right.rows_per_group_max),
            _capped(left.groups_per_unit_max + right.groups_per_unit_max),
        )

    def _branch(self, branch: Branch) -> ContributionBound:
        return self.of(branch.input)

    def _is_one_per_unit(self, expr: Expr) -> bool:
        """Tell whether a unit has one value of an expression: its own key, or what stands in the one row it has in a table."""
        columns = columns_of(expr)
        found = [origins(column, self._known) for column in columns]
        tables = {column.scan for each in found for column in each}
        one_row = all(self._scan(self._tables[scan]).rows_per_unit_max == 1 for scan in tables)
        private = all(self._tables[scan].table.private for scan in tables)
        return self._is_unit_key(expr) or (all(found) and one_row and private)

    def _is_unit_key(self, expr: Expr) -> bool:
        found = origins(expr, self._known)
        return bool(found) and found <= self._unit_keys

    def _rank_limit(self, condition: Expr, relation: Relation) -> int:
        """Return k of a conjunct `row_number() OVER (PARTITION BY unit ORDER BY …) <= k`, 0 for any other."""
        if not (isinstance(condition, Call) and isinstance(relation, Project)):
            return 0
        left, right = (*condition.args, condition, condition)[:2]
        if not (isinstance(left, Column) and left.scan == relation.id and left.name[:1] == "w"):
            return 0
        window = relation.windows[int(left.name[1:])]
        value = right.value if isinstance(right, Literal) else None
        alone = all(self._is_unit_key(part) for part in window.partition)
        if window.function is not WindowFunction.ROW_NUMBER or type(value) is not int or not alone:
            return 0
        return {Op.LE: value, Op.EQ: 1, Op.LT: value - 1}.get(condition.op, 0)


def _product(left: ContributionBound, right: ContributionBound) -> ContributionBound:
    """Multiply the bounds of joined relations: a joined row exists once for each combination."""
    return ContributionBound(
        _capped(left.rows_per_unit_max * right.rows_per_unit_max),
        _capped(left.rows_per_group_max * right.rows_per_group_max),
        _capped(left.groups_per_unit_max * right.groups_per_unit_max),
    )


def _at_most(bound: ContributionBound, rows: int) -> ContributionBound:
    return ContributionBound(
        min(bound.rows_per_unit_max, rows),
        min(bound.rows_per_group_max, rows),
        min(bound.groups_per_unit_max, rows),
    )


def _capped(value: int) -> int:
    return min(value, CONTRIBUTION_MAX)

"""Give equal questions equal plans: one order for what has no order of its own.

Statement   The canonical plan has the same rows, keys, cells and columns as the plan; only rows that ORDER BY leaves
            equal, and the numbering of scans, may come in another order.
Reason      AND, OR, `=` and IN do not depend on the order or the repetition of their arguments, under NULL as well; inner
            joins commute; group keys are the combinations of their values (docs/proofs/reasking.md, lemma 2).
"""

from dataclasses import replace
from typing import Any

from sandbox.algebra import Call, Expr, KeyRef, Literal, Op
from sandbox.boundary import GroupKey, Measurement, Plan, PostProcess, PrivateKey, SortTerm
from sandbox.compiler.canonical_joins import in_order
from sandbox.compiler.rewrite import rewritten

_NESTED = frozenset({Op.AND, Op.OR})
_TURNED = frozenset({Op.EQ, Op.NE, Op.IS_DISTINCT, Op.ADD, Op.MUL})
_MIRRORED = {Op.GT: Op.LT, Op.GE: Op.LE, Op.LT: Op.GT, Op.LE: Op.GE}


def canonical(plan: Plan) -> Plan:
    """Return the plan that every spelling of its question comes to."""
    # Twice: the order of conditions reads the numbers of scans, and the order of scans the conditions one by one.
    measured = rewritten(in_order(rewritten(plan.measurement, _settled)), _settled)
    measured = replace(measured, keys=tuple(_key(key) for key in measured.keys))
    return _keys_in_order(replace(plan, measurement=measured))


def _settled(node: Any) -> Any:
    """Put the arguments of an operator in order where their order says nothing."""
    if not isinstance(node, Call):
        return node
    if node.op in _TURNED or node.op in _MIRRORED:
        args = tuple(sorted(node.args, key=_place))
        return node if args == node.args else replace(node, op=_turned(node.op), args=args)
    if node.op is Op.IN:
        return replace(node, args=(node.args[0], *_distinct(node.args[1:])))
    if node.op in _NESTED:
        return _joined(node)
    return node


def _place(arg: Expr) -> tuple[bool, str]:
    # Constants stand on the right, as people write them.
    return isinstance(arg, Literal), repr(arg)


def _turned(op: Op) -> Op:
    return _MIRRORED.get(op, op)


def _joined(node: Call) -> Expr:
    flat: list[Expr] = []
    for arg in node.args:
        nested = isinstance(arg, Call) and arg.op is node.op
        flat.extend(arg.args if nested and isinstance(arg, Call) else (arg,))
    parts = _distinct(tuple(flat))
    return parts[0] if len(parts) == 1 else replace(node, args=parts)


def _distinct(args: tuple[Expr, ...]) -> tuple[Expr, ...]:
    # Two records are one if they print alike: 1 and TRUE are equal to Python and not to us.
    return tuple(found for _, found in sorted({repr(arg): arg for arg in args}.items()))


def _key(key: GroupKey | PrivateKey) -> GroupKey | PrivateKey:
    if isinstance(key, PrivateKey):
        return key
    return replace(
        key,
        outcomes=tuple(sorted(key.outcomes, key=repr)),
        sources=tuple(sorted(key.sources, key=repr)),
    )


def _keys_in_order(plan: Plan) -> Plan:
    measured: Measurement = plan.measurement
    order = sorted(range(len(measured.keys)), key=lambda old: repr(measured.keys[old].expr))
    # Grouping sets name their keys by number, and their order is that of the question.
    if measured.sets or plan.post.sets or order == sorted(order):
        return plan
    numbers = {old: new for new, old in enumerate(order)}

    def renumbered(node: Any) -> Any:
        return replace(node, index=numbers[node.index]) if isinstance(node, KeyRef) else node

    post: PostProcess = rewritten(plan.post, renumbered)
    # Rows that are equal to ORDER BY come as they would have: by the keys in the order they were written.
    written = tuple(
        SortTerm(KeyRef(numbers[old], key.expr.type), descending=False, nulls_first=False)
        for old, key in enumerate(measured.keys)
    )
    return replace(
        plan,
        measurement=replace(measured, keys=tuple(measured.keys[old] for old in order)),
        # Layers have an order of their own, and no name for a key.
        post=post if post.relation else replace(post, order=(*post.order, *written)),
    )

"""Prove that removing one privacy unit from the raw input removes exactly its rows from the relation, or refuse.

Statement   R(D) is the disjoint union over units u of R(D_u, Public), and no row has a NULL unit; every key and value is
            a function of the row, of its own unit's rows and of public tables.
Reason      docs/proofs/relations.md, one lemma for each operator. Private is what the snapshot stores a unit in, whatever
            the plan says; nothing that the compiler concluded is taken over.
"""

from sandbox.boundary import Measurement
from sandbox.worker.proven import NotPrivate, Private, check_unit
from sandbox.worker.relation_flow import Prover
from sandbox.worker.visible import check_expr

__all__ = ["NotPrivate", "check_unit_flow"]


def check_unit_flow(measurement: Measurement) -> None:
    """Check the relation and the expressions over it, or raise NotPrivate."""
    prover = Prover(measurement.scans)
    shown = prover.prove(measurement.relation)
    if not isinstance(shown.flow, Private):
        raise NotPrivate("a release measures private rows")
    check_unit((measurement.unit,), shown.flow)
    scope = prover.scope(shown)
    for key in measurement.keys:
        check_expr(key.expr, scope)
    for moment in measurement.moments:
        check_expr(moment.value, scope)
    if not prover.numbers.issuperset(range(len(measurement.scans))):
        raise NotPrivate("each table of the plan is read")

"""Group keys without declared values: allowed under rho and delta, where the policy says so.

One private key makes the whole combination of keys private: which combinations people are in is then a secret, whatever is
declared of the single columns. What is declared still says which values count.
"""

from policies.refusals import Refused, Stage
from policies.terms import Accountant, ContributionBound
from sandbox.boundary import GroupKey, PrivateKey
from sandbox.compiler.check import PermittedQuery
from sandbox.compiler.facts import DeclaredFacts
from sandbox.compiler.keyed import ResolvedKey
from sandbox.compiler.keys import declare_key, groups_at_most

Keys = tuple[GroupKey | PrivateKey, ...]


def group_keys(permitted: PermittedQuery, facts: DeclaredFacts) -> Keys:
    """Return the keys, each with its declared values or as a private one.

    Refuses: a private key under pure epsilon, and where the policy does not allow private keys.
    """
    return tuple(
        declare_key(key, facts) or _private(key, permitted) for key in permitted.query.keys
    )


def _private(key: ResolvedKey, permitted: PermittedQuery) -> PrivateKey:
    family = permitted.catalogue.dataset.family
    if family.accountant is not Accountant.APPROX_ZCDP:
        raise Refused("key_domain_missing", Stage.BOUND, at=key.at, what=key.words)
    if not permitted.policy.query.private_keys:
        owner = permitted.policy.holder.id
        raise Refused(
            "private_keys_not_granted", Stage.BOUND, at=key.at, what=key.words, owner=owner
        )
    return PrivateKey(key.expr)


def has_private(keys: Keys) -> bool:
    """Tell whether the groups are chosen privately."""
    return any(isinstance(key, PrivateKey) for key in keys)


def groups_per_unit(keys: Keys, contribution: ContributionBound) -> int:
    """Return in how many groups one unit counts: no more than are declared, if all of them are."""
    if has_private(keys):
        return contribution.groups_per_unit_max
    return min(contribution.groups_per_unit_max, groups_at_most(declared(keys)))


def declared(keys: Keys) -> tuple[GroupKey, ...]:
    """Return the keys with declared values."""
    return tuple(key for key in keys if isinstance(key, GroupKey))

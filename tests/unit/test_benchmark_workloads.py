"""The nine questions of the utility benchmark compile against its own policies; only undeclared groups need rho."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.ours import planned
from benchmarks.tpch import Snapshot, Tpch, dataset
from benchmarks.workloads import WORKLOADS
from policies.catalogue import FORMAT_VERSION, Catalogue
from policies.epochs import declared_epochs
from policies.refusals import Refused
from policies.terms import NANO, Accountant, PrivacyLoss, Scalar

NATIONS: Mapping[str, tuple[Scalar, ...]] = {
    "nation.n_name": ("ALGERIA", "CHINA"),
    "nation.n_nationkey": (0, 18),
}
LOSSES = {
    Accountant.PURE_EPS: PrivacyLoss(Accountant.PURE_EPS, NANO, 0),
    Accountant.APPROX_ZCDP: PrivacyLoss(Accountant.APPROX_ZCDP, NANO // 100, 0),
}


def _declared_only(accountant: Accountant) -> Tpch:
    declared = dataset("0.1", accountant)
    catalogue = Catalogue(FORMAT_VERSION, declared, "0" * 64, NATIONS, declared_epochs(declared))
    return Tpch(Path(), {accountant: Snapshot(Path(), catalogue, None)})


@pytest.mark.parametrize("accountant", Accountant)
@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda each: each.name)
def test_each_workload_compiles_under_its_declared_bounds(workload, accountant) -> None:
    data = _declared_only(accountant)
    if workload.private_keys and accountant is Accountant.PURE_EPS:
        with pytest.raises(Refused) as refused:
            planned(data, workload, LOSSES[accountant])
        assert refused.value.code == "key_domain_missing"
        return
    measurement = planned(data, workload, LOSSES[accountant]).measurement
    assert (measurement.selection is not None) == workload.private_keys
    assert 1 <= measurement.groups_per_unit_max <= workload.groups
    assert len(measurement.keys) == workload.keys

"""SELECTs over a release: what they read, that it is measured once, and what may not be read there."""

from dataclasses import replace

import pytest

from policies.access.model import AccessPolicy
from policies.refusals import Refused
from policies.terms import NANO, Accountant
from sandbox.algebra import Cells, Project, Scan, relations
from sandbox.boundary import Diagnosis, DiagnosisCode, Plan
from sandbox.client import judge
from sandbox.worker.accept import check_claims
from tests.unit.compiler_world import compiled, policy
from tests.unit.test_worker_layers import rehearsed

BY_REGION = "SELECT region, count(*) AS n FROM persons GROUP BY region"
BY_MONTH = "SELECT month(day) AS m, sum(amount) AS s FROM claims GROUP BY 1"


def planned(sql: str) -> Plan:
    return compiled(sql, Accountant.PURE_EPS, NANO).plan


def refused(sql: str) -> Refused:
    with pytest.raises(Refused) as found:
        planned(sql)
    return found.value


FLAT = [
    (
        f"SELECT region, n FROM ({BY_REGION}) t WHERE n > 100 ORDER BY n DESC",
        "SELECT region, count(*) AS n FROM persons GROUP BY region HAVING count(*) > 100 ORDER BY n DESC",
    ),
    (
        f"WITH t AS ({BY_REGION}), u AS (SELECT region AS r, n + 1 AS more FROM t) SELECT more, r FROM u",
        "SELECT count(*) + 1, region FROM persons GROUP BY region",
    ),
    (
        f"SELECT * FROM ({BY_REGION} HAVING count(*) > 5) LIMIT 3",
        "SELECT region, count(*) FROM persons GROUP BY region HAVING count(*) > 5 LIMIT 3",
    ),
    (
        "SELECT region, count(*) AS n, n * 2 AS twice FROM persons GROUP BY region",
        "SELECT region, count(*), count(*) * 2 FROM persons GROUP BY region",
    ),
    (
        "SELECT region, count(*) FROM persons GROUP BY region ORDER BY ALL DESC",
        "SELECT region, count(*) FROM persons GROUP BY region ORDER BY 1 DESC, 2 DESC",
    ),
]


@pytest.mark.parametrize(("nested", "flat"), FLAT)
def test_layers_that_only_name_and_filter_make_the_flat_plan(nested, flat):
    assert planned(nested) == planned(flat)
    assert planned(nested).post.relation is None


LAYERED = [
    f"SELECT max(n) - min(n) AS spread FROM ({BY_REGION}) t",
    "SELECT region, count(*) AS n, rank() OVER (ORDER BY count(*) DESC) AS rk FROM persons GROUP BY region",
    "SELECT region, count(*) / sum(count(*)) OVER () AS share FROM persons GROUP BY region ORDER BY share",
    "SELECT region, sum(count(*)) OVER w FROM persons GROUP BY ALL WINDOW w AS (ORDER BY region)",
    "SELECT region, count(*) AS n FROM persons GROUP BY ALL QUALIFY row_number() OVER (ORDER BY n DESC) <= 3",
    "SELECT region FROM persons GROUP BY region ORDER BY rank() OVER (ORDER BY count(*)) NULLS FIRST, 1",
    "SELECT DISTINCT count(*) > 100 AS large FROM persons GROUP BY region ORDER BY large",
    f"SELECT avg(n) FROM ({BY_REGION} ORDER BY n DESC LIMIT 3 OFFSET 1) t",
    f"SELECT n // 100 AS b, count(*), median(n), stddev(n) FROM ({BY_REGION}) GROUP BY ALL HAVING count(*) > 1",
    f"SELECT count(*) FILTER (WHERE n > 10), bool_or(n > 5), arg_max(region, n), mode(region) FROM ({BY_REGION})",
    f"WITH c AS ({BY_MONTH}) SELECT a.m, a.s - b.s AS more FROM c a LEFT JOIN c b ON a.m = b.m + 1",
    f"WITH c AS ({BY_MONTH}) SELECT m, s - lag(s) OVER (ORDER BY m) AS more, first_value(s) OVER (ORDER BY m),"
    " avg(s) OVER (ORDER BY m ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM c",
    f"SELECT t.region, t.n / v.pop FROM ({BY_REGION}) t JOIN (VALUES ('a', 1), ('b', 2)) v(region, pop) USING (region)",
    f"WITH c AS ({BY_REGION}) SELECT region, n / (SELECT sum(n) FROM c) FROM c WHERE n > (SELECT avg(n) FROM c)",
    f"WITH c AS ({BY_REGION}) SELECT region FROM c WHERE region NOT IN (SELECT region FROM c WHERE n > 10)",
    f"WITH c AS ({BY_REGION}) SELECT region FROM c WHERE EXISTS (SELECT 1 FROM c d WHERE d.n > c.n)",
    f"WITH c AS ({BY_REGION}) SELECT * FROM (SELECT * FROM c UNION ALL SELECT 'all', sum(n) FROM c) ORDER BY ALL",
    f"WITH c AS ({BY_REGION}) SELECT * FROM (SELECT region FROM c EXCEPT SELECT region FROM c WHERE n > 10)",
    f"WITH c AS ({BY_REGION}) SELECT coalesce(a.n, 0) + b.n FROM c a FULL JOIN c b ON a.n = b.n",
    f"SELECT * FROM (SELECT DISTINCT n FROM ({BY_REGION})) ORDER BY n LIMIT 2",
]  # fmt: skip


WITH_TOTALS = (
    "SELECT region, grouping(region) AS whole, count(*) AS n FROM persons GROUP BY ROLLUP (region)"
)


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT region, n FROM ({WITH_TOTALS}) WHERE whole = 0 AND n > 5 ORDER BY n",
        f"SELECT a.region, a.n / b.n AS share FROM ({WITH_TOTALS}) a JOIN ({WITH_TOTALS}) b ON b.whole = 1",
        "SELECT region, rank() OVER (PARTITION BY grouping(region) ORDER BY count(*)) FROM persons"
        " GROUP BY ROLLUP (region)",
    ],
)
def test_layers_stand_over_grouping_sets_too(sql):
    plan = planned(sql)
    assert len(plan.measurement.sets) == 2
    check_claims(plan)
    assert rehearsed(plan).code is DiagnosisCode.READY


@pytest.mark.parametrize("sql", LAYERED)
def test_a_layer_is_measured_once_accepted_and_ready(sql):
    plan = planned(sql)
    assert plan.post.relation is not None
    assert len(plan.measurement.moments) == 1
    check_claims(plan)
    above = relations(plan.post.relation)
    assert any(isinstance(part, Cells) for part in above)
    assert not any(isinstance(part, Scan) for part in above)
    assert rehearsed(plan).code is DiagnosisCode.READY


def test_other_aggregates_of_the_same_groups_are_one_release():
    plan = planned(
        f"SELECT a.region, a.n, b.m FROM ({BY_REGION}) a JOIN"
        " (SELECT region, avg(income) AS m, count(*) AS again FROM persons GROUP BY region) b USING (region)"
    )
    together = planned("SELECT region, count(*), avg(income) FROM persons GROUP BY region")
    assert plan.measurement == together.measurement
    assert len(plan.aggregates) == 2


def test_fractions_of_one_order_statistic_stay_apart():
    """Two aggregates over the same value are not one because their arguments are."""
    plan = planned(
        "SELECT a.q - b.q FROM (SELECT quantile_cont(income, 0.25) AS q FROM persons) a,"
        " (SELECT quantile_cont(income, 0.75) AS q FROM persons) b"
    )
    assert len(plan.aggregates) == 2


def test_what_no_layer_reads_is_not_in_the_plan():
    plain = planned(f"SELECT max(n) FROM ({BY_REGION})")
    more = planned(
        f"SELECT max(n) FROM (SELECT *, n + 1 AS m, rank() OVER (ORDER BY n) FROM ({BY_REGION}))"
    )
    assert isinstance(plain.post.relation, object) and more.measurement == plain.measurement
    assert sum(isinstance(p, Project) for p in relations(more.post.relation)) <= 2  # type: ignore[arg-type]


REFUSED = [
    ("SELECT a.n, b.n FROM (SELECT count(*) AS n FROM persons) a, (SELECT count(*) AS n FROM claims) b",
     "two different releases"),
    (f"SELECT a.n FROM ({BY_REGION}) a JOIN ({BY_REGION.replace('FROM persons', 'FROM persons WHERE income > 5')}) b"
     " USING (region)", "two different releases"),
    (f"SELECT count(*) FROM persons JOIN ({BY_REGION}) t USING (region)", "a release below another one"),
    (f"SELECT count(*) FROM persons WHERE income > (SELECT max(n) FROM ({BY_REGION}))", "a release below another one"),
    (f"SELECT count(*) FROM persons WHERE region IN (SELECT region FROM ({BY_REGION}) WHERE n > 5)",
     "a release below another one"),
    (f"SELECT count(*) FILTER (WHERE region IN (SELECT region FROM ({BY_REGION}))) FROM persons",
     "a release below another one"),
    (f"SELECT t.n, w.rain_mm FROM ({BY_REGION}) t JOIN weather w USING (region)", "weather above the release"),
    (f"SELECT n, (SELECT max(rain_mm) FROM weather) FROM ({BY_REGION})", "weather above the release"),
    (f"SELECT region, sum(n) FROM ({BY_REGION}) GROUP BY ROLLUP (region)", "GROUPING SETS beside the release"),
    (f"SELECT DISTINCT region FROM ({BY_REGION}) ORDER BY n", "ORDER BY beside DISTINCT"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "what"), REFUSED)
def test_what_would_need_a_second_answer_or_the_data_is_refused(sql, what):
    found = refused(sql)
    assert found.code == "sql_feature_refused"
    assert what in found.message("en")


def test_a_row_of_a_person_never_stands_beside_released_rows():
    sql = f"SELECT p.income, t.n FROM persons p JOIN ({BY_REGION}) t USING (region)"
    assert refused(sql).code in ("not_aggregated", "sql_feature_refused", "no_aggregate")
    sql = f"SELECT n, (SELECT max(income) FROM persons) FROM ({BY_REGION})"
    assert refused(sql).code in ("unit_join_missing", "sql_feature_refused")
    sql = f"SELECT n FROM ({BY_REGION}) t WHERE EXISTS (SELECT 1 FROM persons p WHERE p.region = t.region)"
    assert refused(sql).code in ("unit_join_missing", "sql_feature_refused")


def test_an_answer_counts_the_rows_that_joins_above_can_make():
    plan = planned(f"WITH c AS ({BY_REGION}) SELECT a.n FROM c a JOIN c b ON a.n < b.n")
    ready = Diagnosis(DiagnosisCode.READY, 5)
    judge(ready, plan, with_rows_max(25))
    judge(ready, replace(plan, post=replace(plan.post, limit=3)), with_rows_max(3))
    with pytest.raises(Refused) as found:
        judge(ready, plan, with_rows_max(24))
    assert found.value.code == "too_many_rows"


def with_rows_max(rows: int) -> AccessPolicy:
    granted = policy()
    return replace(granted, output=replace(granted.output, max_rows=rows))

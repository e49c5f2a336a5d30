"""What the gateway's door to the sandbox refuses after a rehearsal."""

from dataclasses import replace

import pytest

from policies.refusals import Refused
from sandbox.boundary import Diagnosis, DiagnosisCode
from sandbox.client import judge
from tests.unit.compiler_world import compiled, policy

GRANTED = policy()
LIMITED = replace(GRANTED, output=replace(GRANTED.output, max_rows=3))
BY_REGION = "SELECT region, count(*) FROM persons GROUP BY region"


def test_an_answer_may_not_have_more_rows_than_the_policy_allows() -> None:
    ready = Diagnosis(DiagnosisCode.READY, 4)
    judge(ready, compiled(BY_REGION).plan, GRANTED)
    judge(ready, compiled(f"{BY_REGION} LIMIT 3").plan, LIMITED)
    with pytest.raises(Refused) as caught:
        judge(ready, compiled(BY_REGION).plan, LIMITED)
    assert caught.value.code == "too_many_rows"


@pytest.mark.parametrize(
    ("diagnosis", "code"),
    [
        (Diagnosis(DiagnosisCode.READY, 5001), "too_many_groups"),
        (Diagnosis(DiagnosisCode.TOO_MANY_KEYS, 1), "too_many_groups"),
        (Diagnosis(DiagnosisCode.RAISES, 1), "query_does_not_prepare"),
    ],
)
def test_what_the_twin_found_is_refused(diagnosis: Diagnosis, code: str) -> None:
    with pytest.raises(Refused) as caught:
        judge(diagnosis, compiled(BY_REGION).plan, GRANTED)
    assert caught.value.code == code

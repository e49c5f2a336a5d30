"""Bounds, losses and scales: exact where they are exact, rounded against the spender where they are not.

The traps of OpenDP 0.16 that our code steps around are kept here as facts: when one closes or a new version moves it, a test
says so.
"""

import math
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.terms import NANO, Accountant, PrivacyLoss
from sandbox.boundary import STEPS_MAX, TOTAL_MAX, Mechanism, MomentKind
from sandbox.privacy import composition, contribution, measurements, opendp_library
from sandbox.privacy.measurements import SCALE_MAX, NotProved

PURE, ZCDP = Accountant.PURE_EPS, Accountant.APPROX_ZCDP
LOSS = {accountant: PrivacyLoss(accountant, NANO // 2, 0) for accountant in Accountant}

losses = st.integers(1_000, 50 * NANO)
norms = st.integers(1, 10_000).flatmap(
    lambda groups: st.integers(1, 2**40).map(lambda reach: (groups * reach, groups * reach**2))
)


@pytest.mark.parametrize(
    ("kind", "rows", "per_group", "partial"),
    [
        (MomentKind.SUM, (0, 5), 3, (0, 15)),
        (MomentKind.SUM, (-2, 5), 3, (-6, 15)),
        (MomentKind.SUM, (-7, -2), 3, (-21, 0)),
        (MomentKind.SUM, (3, 5), 2, (0, 10)),  # a unit without rows is at 0, not at 6
        (MomentKind.SUM, (0, 0), 9, (0, 0)),
        (MomentKind.PRESENCE, (0, 1), 50, (0, 1)),
    ],
)
def test_partials_hold_zero_and_every_declared_row(kind, rows, per_group, partial):
    assert contribution.bound_partials(kind, rows[0], rows[1], per_group) == partial


@pytest.mark.parametrize(
    ("rows", "per_group"),
    [
        ((5, 3), 1),
        ((0, STEPS_MAX + 1), 1),
        ((-STEPS_MAX - 1, 0), 1),
        ((0, 1), 0),
        ((0, STEPS_MAX), 2**23),
    ],
)
def test_impossible_row_bounds_are_refused(rows, per_group):
    with pytest.raises(ValueError):
        contribution.bound_partials(MomentKind.SUM, rows[0], rows[1], per_group)


def test_sensitivity_is_the_partial_clip_times_the_groups():
    found = contribution.sensitivity(-3, 8, 4)
    assert (found.l1, found.l2_squared) == (32, 256)
    assert contribution.sensitivity(-9, 8, 1).l1 == 9
    assert contribution.sensitivity(0, 0, 5).l1 == 5  # never noise of scale 0
    for wrong in ((1, 8, 1), (-8, -1, 1), (0, 1, 0), (0, TOTAL_MAX, 2)):
        with pytest.raises(ValueError):
            contribution.sensitivity(*wrong)


@given(losses, st.integers(1, 1_000))
def test_shares_never_exceed_the_whole(primary, parts):
    loss = PrivacyLoss(ZCDP, primary, 977)
    shares = composition.split(loss, parts)
    spent = composition.total(shares)
    assert len(shares) == parts
    assert spent.primary <= primary < spent.primary + parts and spent.delta <= 977


def test_losses_of_two_accountants_do_not_add():
    with pytest.raises(ValueError):
        composition.total(tuple(LOSS.values()))
    with pytest.raises(ValueError):
        composition.total(())
    with pytest.raises(ValueError):
        composition.split(PrivacyLoss(PURE, 3, 0), 4)
    with pytest.raises(ValueError):
        composition.split(LOSS[PURE], 0)


def _true_loss(accountant: Accountant, norm: tuple[int, int], scale: Fraction) -> Fraction:
    """Return the loss of the mechanism in exact arithmetic, from the two theorems, without OpenDP."""
    if accountant is PURE:
        return norm[0] / scale
    return norm[1] / (2 * scale**2)


@given(st.sampled_from(Accountant), norms, losses)
def test_the_calibrated_scale_is_enough_and_barely_so(accountant, norm, primary):
    loss = PrivacyLoss(accountant, primary, 0)
    try:
        text = measurements.calibrate(accountant, norm[0], norm[1], loss)
    except ValueError:
        assert float(_true_loss(accountant, norm, Fraction(SCALE_MAX))) > 0.99 * primary / NANO
        return
    scale = Fraction(float.fromhex(text))
    asked = Fraction(primary, NANO)
    assert _true_loss(accountant, norm, scale) <= asked
    # one part in 10**7 less noise would be too little: nothing is wasted
    assert _true_loss(accountant, norm, scale * (1 - Fraction(1, 10**7))) > asked
    measurements.prove(accountant, norm[0], norm[1], text, loss)
    with pytest.raises(NotProved):
        measurements.prove(
            accountant, norm[0], norm[1], float(scale * Fraction(999, 1000)).hex(), loss
        )


@pytest.mark.parametrize("accountant", Accountant)
@pytest.mark.parametrize(
    "scale",
    [
        "0x0.0p+0",
        "-0x1.0000000000000p+3",
        "nan",
        "inf",
        "8.0",
        "0x8.0p+0",
        "0X1P+3",
        " 0x1p3",
        "x",
        "",
        (SCALE_MAX * 2).hex(),
        "0x1.0p+99999",
    ],
)
def test_a_scale_that_is_no_scale_is_refused(accountant, scale):
    with pytest.raises(NotProved):
        measurements.prove(accountant, 1, 1, scale, LOSS[accountant])
    with pytest.raises(NotProved):
        measurements.draw(accountant, scale, (1, 2, 3))


@pytest.mark.parametrize("accountant", Accountant)
@pytest.mark.parametrize("norm", [(0, 0), (0, 1), (1, 0), (-1, 1), (1, 2), (TOTAL_MAX + 1, 5)])
def test_an_impossible_sensitivity_is_refused(accountant, norm):
    with pytest.raises(NotProved):
        measurements.prove(accountant, norm[0], norm[1], float(8).hex(), LOSS[accountant])
    with pytest.raises(NotProved):
        measurements.calibrate(accountant, norm[0], norm[1], LOSS[accountant])


def test_a_loss_of_another_accountant_proves_nothing():
    with pytest.raises(NotProved):
        measurements.prove(PURE, 1, 1, float(8).hex(), LOSS[ZCDP])


@pytest.mark.parametrize("accountant", Accountant)
@pytest.mark.parametrize("values", [(TOTAL_MAX + 1,), (-TOTAL_MAX - 1,), (1.0,), (True,), (None,)])
def test_only_whole_totals_within_bounds_are_drawn_for(accountant, values):
    with pytest.raises(NotProved):
        measurements.draw(accountant, float(8).hex(), values)


def test_totals_at_the_bounds_keep_their_noise():
    found = measurements.draw(PURE, SCALE_MAX.hex(), (TOTAL_MAX, -TOTAL_MAX) * 50)
    assert len(set(found)) == 100 and max(map(abs, found)) < 2**63 - 1
    assert measurements.draw(PURE, float(1).hex(), ()) == ()


def test_each_accountant_has_its_law():
    assert measurements.mechanism(PURE) is Mechanism.DISCRETE_LAPLACE
    assert measurements.mechanism(ZCDP) is Mechanism.DISCRETE_GAUSSIAN


@given(st.integers(1, 10**12))
def test_a_float_loss_is_never_above_the_exact_one(primary):
    rounded = measurements._loss_down(PrivacyLoss(PURE, primary, 0))
    assert (
        Fraction(rounded) <= Fraction(primary, NANO) < Fraction(math.nextafter(rounded, math.inf))
    )


@given(st.integers(1, 2**125))
def test_a_float_distance_is_never_below_the_exact_one(square):
    rounded = measurements._root_up(square)
    assert Fraction(rounded) ** 2 >= square
    assert Fraction(math.nextafter(math.nextafter(rounded, 0.0), 0.0)) ** 2 < square


# ---- facts about OpenDP that the code above relies on, or is written against


@pytest.mark.parametrize("make", [opendp_library.laplace, opendp_library.gaussian])
def test_opendp_accepts_a_scale_of_zero_and_adds_nothing(make):
    measurement = make(0.0)
    assert (
        opendp_library.privacy_map(measurement, 1 if make is opendp_library.laplace else 1.0)
        == math.inf
    )
    assert opendp_library.draw(measurement, (1, -7, 40)) == (1, -7, 40)


def test_opendp_reads_int_as_32_bits():
    narrow = subprocess.run(
        [
            sys.executable,
            "-c",
            "import opendp.prelude as dp; dp.enable_features('contrib');"
            "d = dp.vector_domain(dp.atom_domain(T=int)); print(d);"
            "m = dp.m.make_laplace(d, dp.l1_distance(T=int), scale=1.0);"
            "print(max(m([2**31 - 1] * 200)))",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert "i32" in narrow and narrow.split()[-1] == str(2**31 - 1)  # saturated, not noisy
    ours = opendp_library.draw(opendp_library.laplace(1.0), (2**31 - 1,) * 200)
    assert max(ours) > 2**31 - 1


def test_opendp_output_saturates_where_our_totals_cannot_reach():
    found = opendp_library.draw(opendp_library.laplace(2.0**70), (0,) * 64)
    assert set(map(abs, found)) >= {2**63 - 1} or min(found) == -(2**63)


def test_opendp_rounds_its_map_against_us():
    """The map may claim more than the truth, never less, also where i64 distances leave the exact floats."""
    for norm in (2**53 + 1, 2**61 + 12345, TOTAL_MAX - 1):
        for scale in (3.0, 1e17, 2.0**55 + 8):
            proved = opendp_library.privacy_map(opendp_library.laplace(scale), norm)
            assert Fraction(proved) >= norm / Fraction(scale)


def test_no_number_library_is_loaded_by_import_or_use():
    """They start threads; this environment has numpy, so the test has power."""
    script = (
        "import sys; from policies.terms import *; from sandbox.privacy import measurements as m;"
        "l = PrivacyLoss(Accountant.PURE_EPS, 10**9, 0); s = m.calibrate(l.accountant, 1, 1, l);"
        "m.draw(l.accountant, s, (1, 2)); import os;"
        "print([n for n in ('numpy', 'polars', 'pandas') if n in sys.modules],"
        " len(os.listdir('/proc/self/task'))); import numpy; print(numpy.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split("\n")[:2] == ["[] 1", "numpy"]


def test_the_noise_is_fresh_each_time():
    draws = {measurements.draw(PURE, float(2**40).hex(), (0, 0, 0)) for _ in range(50)}
    assert len(draws) == 50


def test_a_loss_too_small_for_the_number_range_is_refused():
    tiny = replace(LOSS[PURE], primary=1)
    with pytest.raises(ValueError):
        measurements.calibrate(PURE, 2**40, 2**80, tiny)

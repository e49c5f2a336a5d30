"""The one door to OpenDP: two vector measurements over whole numbers, and no number library beside them.

Importing or calling OpenDP pulls in numpy and polars wherever they are installed; both start threads, and a process
that starts workers by forking must have one thread (a lock held by another thread stays locked in the child for ever).
So both are hidden while OpenDP imports or runs. What is already loaded stays loaded.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_HIDDEN = ("numpy", "polars", "pandas", "pyarrow", "sklearn", "scipy", "randomgen")


# What is hidden is hidden for the whole process: of two threads, the first to leave would uncover it for the other.
_ONE_AT_A_TIME = threading.Lock()


@contextmanager
def _number_libraries_hidden() -> Iterator[None]:
    with _ONE_AT_A_TIME:
        hidden = [name for name in _HIDDEN if name not in sys.modules]
        for name in hidden:
            sys.modules[name] = None  # type: ignore[assignment]
        try:
            yield
        finally:
            for name in hidden:
                if sys.modules.get(name, ...) is None:
                    del sys.modules[name]


with _number_libraries_hidden():
    # OpenDP imports this one on first use; a confined worker has no file to import from by then.
    import opendp._data  # noqa: F401
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_gaussian, make_laplace, make_noisy_max
    from opendp.measures import max_divergence, zero_concentrated_divergence
    from opendp.metrics import l1_distance, l2_distance, linf_distance
    from opendp.mod import Measurement, OpenDPException, enable_features

    enable_features("contrib")

__all__ = [
    "Measurement",
    "OpenDPException",
    "choose",
    "draw",
    "gaussian",
    "laplace",
    "least_scored",
    "privacy_map",
]


# T="i64" is written out: OpenDP reads `int` as i32, where totals saturate at 2**31 - 1.
def laplace(scale: float) -> Measurement:
    """Return discrete Laplace noise on a vector of i64, measured in L1, with its map to pure epsilon."""
    with _number_libraries_hidden():
        space = vector_domain(atom_domain(T="i64")), l1_distance(T="i64")
        return make_laplace(*space, scale=scale)


def gaussian(scale: float) -> Measurement:
    """Return discrete Gaussian noise on a vector of i64, measured in L2 (a real number), with its map to rho."""
    with _number_libraries_hidden():
        space = vector_domain(atom_domain(T="i64")), l2_distance(T="f64")
        return make_gaussian(*space, scale=scale)


def least_scored(scale: float, pure: bool) -> Measurement:
    """Return the choice of the least scored of many candidates (u64 scores, the largest move of any of them), with its
    map to pure epsilon or to rho."""
    with _number_libraries_hidden():
        space = vector_domain(atom_domain(T="u64")), linf_distance(T="u64")
        measure = max_divergence() if pure else zero_concentrated_divergence()
        return make_noisy_max(*space, measure, scale=scale, negate=True)


def choose(measurement: Measurement, scores: tuple[int, ...]) -> int:
    """Return the index of the chosen candidate."""
    with _number_libraries_hidden():
        return int(measurement(list(scores)))


def privacy_map(measurement: Measurement, distance: int | float) -> float:
    """Return OpenDP's own bound on the loss of inputs at most `distance` apart."""
    with _number_libraries_hidden():
        return float(measurement.map(distance))


def draw(measurement: Measurement, values: tuple[int, ...]) -> tuple[int, ...]:
    """Return the values with fresh noise. A tuple becomes a list: OpenDP reads a tuple as one compound value."""
    with _number_libraries_hidden():
        noisy: Any = measurement(list(values))
    return tuple(int(value) for value in noisy)

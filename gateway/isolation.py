"""Choose how workers are started: the runtime of the settings, or, by an explicit word, none."""

import warnings

from gateway.node import INSECURE, Isolation
from gateway.settings import SettingsRefused
from sandbox.runtimes.list import RUNTIMES


def choose_isolation(runtime: str, *, insecure: bool, synthetic_only: bool) -> Isolation:
    """Return the isolation of a node.

    Refuses  `insecure_dev` in the settings: it takes the word `--insecure-dev-runtime` at every start, so that no node
             forgets it is open.
    """
    if runtime == INSECURE or runtime not in RUNTIMES:
        names = ", ".join(name for name in RUNTIMES if name != INSECURE)
        raise SettingsRefused(f"`runtime` is `{runtime}`; choose one of {names}")
    with warnings.catch_warnings():
        # The runtime warns whoever makes it; here the word was given, and every answer carries the warning.
        warnings.simplefilter("ignore", RuntimeWarning)
        made = RUNTIMES[INSECURE if insecure else runtime]()
    return Isolation(made, synthetic_only)

"""Every runtime, one line each. A new one is a file with its claims and a line here; the tests find it by this."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from sandbox.runtimes.base import Runtime
from sandbox.runtimes.insecure_dev import insecure_dev
from sandbox.runtimes.namespace import namespace

RUNTIMES: Mapping[str, Callable[[], Runtime]] = MappingProxyType(
    {
        "namespace": namespace,
        "insecure_dev": insecure_dev,
    }
)

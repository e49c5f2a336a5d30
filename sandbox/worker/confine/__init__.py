"""Shut this process in before it sees a row: no network, no file but the mounted one, no program, no way back.

A worker calls, in this order: `keep_out_threads`, its imports, `enter`, and only then reads its request or opens a
file.
"""

from sandbox.worker.confine.confinement import enter
from sandbox.worker.confine.inside import Inside
from sandbox.worker.confine.threads import keep_out_threads

__all__ = ["Inside", "enter", "keep_out_threads"]

"""The lab: the sandbox's own functions in one process, with the noise left out where a gate needs exact numbers.

Never shipped. What the shipped code cannot do by design, the lab does by calling the worker's functions itself and by
widening the bounds of a compiled plan with its own hands. Its raw data are generated or the tester's own.
"""

"""How a worker is started and ended: one file for each way, with its claims, and one line for each in `list.py`."""

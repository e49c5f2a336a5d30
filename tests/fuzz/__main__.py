"""Print how much of each production of the grammar is accepted: `python -m tests.fuzz [questions]`."""

import sys

from tests.fuzz.test_never_raises import shares

if __name__ == "__main__":
    questions = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    for name, (asked, accepted) in shares(questions).items():
        print(f"{name:24}{asked:7}{accepted / asked:8.0%}")

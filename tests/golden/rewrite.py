"""Rewrite every golden file: `make golden`, then read the diff."""

from tests.golden.cases import golden_files, read_cases, write_cases
from tests.golden.follow import followed

if __name__ == "__main__":
    for file in golden_files():
        write_cases(file, tuple(followed(case) for case in read_cases(file)))

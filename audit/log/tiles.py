"""The static layout of a log: which file holds which hashes and entries. Pure; nothing here touches a disk.

Source      c2sp.org/tlog-tiles: tiles of 256 hashes (height 8), partial tiles `.p/W`, entry bundles with 16-bit
            lengths.
"""

from collections.abc import Iterator, Sequence

from audit.log import tree

WIDTH = 256
_HEIGHT = 8
_LENGTH_BYTES = 2


class BundleRefused(ValueError):
    """An entry bundle is cut off or longer than it says."""


def path(level: int | str, number: int, width: int) -> str:
    """Return the path of a tile, or of a bundle where `level` is `entries`."""
    digits = f"{number:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return f"tile/{level}/{name}" + ("" if width == WIDTH else f".p/{width}")


def widths(count: int) -> Iterator[tuple[int, int]]:
    """Yield (number, width) of the tiles over `count` items: full ones, then a partial one."""
    for number in range(count // WIDTH):
        yield number, WIDTH
    if count % WIDTH:
        yield count // WIDTH, count % WIDTH


def hash_tiles(size: int, node: tree.Node) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content) of each hash tile of a tree."""
    level = 0
    while count := size >> (_HEIGHT * level):
        for number, width in widths(count):
            first = number * WIDTH
            hashes = (node(_HEIGHT * level, position) for position in range(first, first + width))
            yield path(level, number, width), b"".join(hashes)
        level += 1


def bundles(leaves: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content) of each entry bundle."""
    for number, width in widths(len(leaves)):
        part = leaves[number * WIDTH : number * WIDTH + width]
        content = b"".join(len(leaf).to_bytes(_LENGTH_BYTES, "big") + leaf for leaf in part)
        yield path("entries", number, width), content


def unbundle(content: bytes, width: int) -> tuple[bytes, ...]:
    """Read the `width` entries of a bundle."""
    leaves: list[bytes] = []
    at = 0
    for _ in range(width):
        end = at + _LENGTH_BYTES + int.from_bytes(content[at : at + _LENGTH_BYTES], "big")
        if at + _LENGTH_BYTES > len(content) or end > len(content):
            raise BundleRefused("bundle ends inside an entry")
        leaves.append(content[at + _LENGTH_BYTES : end])
        at = end
    if at != len(content):
        raise BundleRefused("bundle holds more than its entries")
    return tuple(leaves)

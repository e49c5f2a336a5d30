"""Make the folder of a new node: settings to be read and changed, keys, an empty register of clients."""

from pathlib import Path

from audit.log.commitment import load_shape_key
from audit.log.signer import create_key
from gateway.home import Home
from gateway.identity.clients import write_clients
from gateway.identity.tokens import create_token_key
from gateway.settings import FORMAT, IngestLimits, Settings, SizeClass, TwinLimits, write_settings

_MIB = 1 << 20


def proposed_settings(name: str, runtime: str) -> Settings:
    """Return settings for a small machine (2 cores, 4 GiB), to be written into a file and changed there.

    They are a proposal that stands in the file, not a default that a missing field would fall back to.
    """
    return Settings(
        format=FORMAT,
        name=name,
        runtime=runtime,
        calendar_offset_minutes=480,
        size_classes={
            "S": SizeClass(release_s=4.0, memory_bytes=768 * _MIB, cpu_s=8),
            "M": SizeClass(release_s=15.0, memory_bytes=1024 * _MIB, cpu_s=30),
            "L": SizeClass(release_s=60.0, memory_bytes=2048 * _MIB, cpu_s=120),
        },
        settle_s=0.5,
        workers_max=2,
        waiting_max=32,
        answer_bytes_max=64 * _MIB,
        twin=TwinLimits(deadline_s=20.0, memory_bytes=512 * _MIB, cpu_s=20),
        ingest=IngestLimits(
            deadline_s=3600.0, memory_bytes=1536 * _MIB, cpu_s=7200, file_bytes_max=64 << 30
        ),
    )


def new_node(folder: Path, settings: Settings) -> Home:
    """Write the folder of a node.

    Refuses  a folder that holds a node already: new keys over an old log would make it look forged.
    """
    home = Home(folder)
    if home.settings.exists():
        raise FileExistsError(f"`{folder}` holds a node already")
    home.create()
    create_key(home.keys / "log.key", settings.name)
    create_token_key(home.keys / "token.jwk")
    load_shape_key(home.keys / "shape.key")
    write_clients(home.clients, ())
    # Last, because a folder with settings counts as a node: a crash before this line leaves nothing to start from.
    write_settings(home.settings, settings)
    return home

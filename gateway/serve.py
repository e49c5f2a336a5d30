"""Serve a node over HTTP until it is told to stop."""

import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import uvicorn

from gateway.app import make_app
from gateway.home import Home
from gateway.node import Start, open_node

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on just now."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as found:
        found.bind((LOOPBACK, 0))
        return int(found.getsockname()[1])


def serve(folder: Path, chosen: Start, address: tuple[str, int]) -> None:
    """Open the node, take requests, and close it when asked to stop (SIGINT, SIGTERM)."""
    with errors_logged_to(Home(folder).errors), closing(open_node(folder, chosen)) as node:
        host, port = address
        app = make_app(node)
        # No access log: a line for each question would show its length and its time beside the data.
        config = uvicorn.Config(
            app, host=host, port=port, log_level="warning", access_log=False, server_header=False
        )
        _outlive_stop_signals()
        uvicorn.Server(config).run()
        app.state.threads.shutdown(wait=True)


def _outlive_stop_signals() -> None:
    """Let the server finish what it is answering, and us close the ledger: it passes the signal on once it is done."""
    for wanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wanted, lambda number, frame: None)


@contextmanager
def errors_logged_to(path: Path) -> Iterator[None]:
    """Write the details of our own errors to a file of the domain, and nowhere else."""
    log = logging.getLogger("keyong.errors")
    path.touch(mode=0o600)
    writer = logging.FileHandler(path, encoding="utf-8")
    writer.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(writer)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(writer)
        writer.close()

"""Serve a node on a free loopback port in a thread of this process: for the demonstration and for tests."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import uvicorn

from gateway.app import make_app
from gateway.home import Home
from gateway.node import Start, open_node
from gateway.serve import LOOPBACK, errors_logged_to, free_port

_START_S = 30.0
_LOOK_EVERY_S = 0.02


class NotServing(Exception):
    """The server did not come up."""


@contextmanager
def served(folder: Path, chosen: Start) -> Iterator[str]:
    """Open the node, serve it while the block runs, and give its address; then close it whatever happened."""
    with errors_logged_to(Home(folder).errors), closing(open_node(folder, chosen)) as node:
        port = free_port()
        app = make_app(node)
        config = uvicorn.Config(
            app,
            host=LOOPBACK,
            port=port,
            log_level="warning",
            access_log=False,
            server_header=False,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, name="door")
        thread.start()
        try:
            _wait(server, thread)
            yield f"http://{LOOPBACK}:{port}"
        finally:
            server.should_exit = True
            thread.join()
            app.state.threads.shutdown(wait=True)


def _wait(server: uvicorn.Server, thread: threading.Thread) -> None:
    until = time.monotonic() + _START_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > until:
            raise NotServing("the server did not start; is the port taken")
        time.sleep(_LOOK_EVERY_S)

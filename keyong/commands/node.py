"""`keyong node`, `keyong ingest`, `keyong serve`: the commands that run inside the domain, on the node itself."""

import argparse
from pathlib import Path
from typing import Any

from keyong.commands.exits import Exit, Stop

ROLES = ("operator", "holder", "finance", "auditor", "admin")


def add(commands: Any) -> None:
    """Say how the commands are called."""
    node = commands.add_parser("node", help="make a node and let clients in")
    acts = node.add_subparsers(dest="act", required=True, metavar="ACT")
    init = acts.add_parser("init", help="make a node's folder: settings to review, keys")
    init.add_argument("--home", type=Path, required=True, metavar="FOLDER")
    init.add_argument(
        "--name", required=True, help="the node's name, for ever; the log is signed with it"
    )
    init.set_defaults(run=run_init)
    client = acts.add_parser("client", help="register a client and print its secret, once")
    client.add_argument("--home", type=Path, required=True, metavar="FOLDER")
    client.add_argument("--id", required=True, help="who logs in")
    client.add_argument("--party", required=True, help="the operator or holder it acts for")
    client.add_argument("--role", required=True, action="append", choices=ROLES)
    client.add_argument("--credit-yuan", type=int, default=0, help="how much an operator may owe")
    client.add_argument("--remove", action="store_true", help="take the client out instead")
    client.set_defaults(run=run_client)
    _add_ingest(commands)
    _add_serve(commands)


def _add_ingest(commands: Any) -> None:
    ingest = commands.add_parser(
        "ingest", help="bring a holder's files in, through a confined worker"
    )
    ingest.add_argument("--home", type=Path, required=True, metavar="FOLDER")
    ingest.add_argument(
        "--dataset", type=Path, required=True, metavar="FILE", help="the declaration"
    )
    ingest.add_argument("--sources", type=Path, required=True, metavar="FOLDER", help="the files")
    _add_insecure(ingest)
    ingest.set_defaults(run=run_ingest)


def _add_serve(commands: Any) -> None:
    serve = commands.add_parser("serve", help="open a node's door until interrupted")
    serve.add_argument("--home", type=Path, required=True, metavar="FOLDER")
    serve.add_argument("--host", default="127.0.0.1", help="put TLS before any other address")
    serve.add_argument("--port", type=_port, default=8470)
    serve.add_argument(
        "--demo", action="store_true", help="make the demo domain there if it is new"
    )
    _add_insecure(serve)
    serve.set_defaults(run=run_serve)


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 65536:
        raise argparse.ArgumentTypeError("a port is 1 to 65535")
    return port


def _add_insecure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--insecure-dev-runtime",
        action="store_true",
        help="NO ISOLATION, for writing code; refused for classified data",
    )


def run_init(arguments: argparse.Namespace) -> Exit:
    """Make the folder."""
    from gateway.new_node import new_node, proposed_settings

    try:
        home = new_node(arguments.home, proposed_settings(arguments.name, "namespace"))
    except FileExistsError as error:
        raise Stop(Exit.USAGE, str(error)) from None
    except ValueError as error:
        raise Stop(Exit.USAGE, f"`{arguments.name}` cannot name a node: {error}") from None
    except OSError as error:
        raise Stop(Exit.USAGE, f"`{arguments.home}`: {error.strerror}") from None
    print(
        f"made {home.folder}; review {home.settings}, then register clients with `keyong node client`"
    )
    return Exit.OK


def run_client(arguments: argparse.Namespace) -> Exit:
    """Register a client, or take one out."""
    from gateway.home import Home
    from gateway.identity.clients import (
        ClientsRefused,
        Role,
        load_clients,
        new_client,
        write_clients,
    )

    register = Home(arguments.home).clients
    try:
        others = tuple(c for c in load_clients(register) if c.id != arguments.id)
        if arguments.remove:
            write_clients(register, others)
            print(f"{arguments.id} is out")
            return Exit.OK
        roles = tuple(Role(role) for role in dict.fromkeys(arguments.role))
        credit_uy = arguments.credit_yuan * 10**6
        made, secret = new_client(arguments.id, arguments.party, roles, credit_uy)
    except ClientsRefused as error:
        raise Stop(Exit.USAGE, str(error)) from None
    write_clients(register, (*others, made))
    print(f"KEYONG_CLIENT_ID={made.id}")
    print(f"KEYONG_CLIENT_SECRET={secret}")
    return Exit.OK


def run_ingest(arguments: argparse.Namespace) -> Exit:
    """Ingest and register."""
    from gateway.bring_in import bring_in
    from gateway.settings import load_settings

    if not arguments.sources.is_dir():
        raise Stop(Exit.USAGE, f"`{arguments.sources}` is not a folder")
    chosen = _chosen(arguments, load_settings(arguments.home / "node.json").runtime)
    made = bring_in(arguments.home, chosen, arguments.dataset, arguments.sources)
    print(f"registered {made.catalogue.dataset.id} version {made.catalogue.dataset.version}")
    print(f"snapshot {made.commitment}, entry {made.index} of the log")
    print(f"what was dropped and why: {made.report} (for the holder alone)")
    return Exit.OK


def run_serve(arguments: argparse.Namespace) -> Exit:
    """Serve until interrupted."""
    from gateway.serve import serve
    from gateway.settings import load_settings

    if arguments.demo:
        from keyong.demo.serve import serve_demo

        return serve_demo(
            arguments.home,
            (arguments.host, arguments.port),
            arguments.insecure_dev_runtime,
            arguments.lang,
        )
    chosen = _chosen(arguments, load_settings(arguments.home / "node.json").runtime)
    print(
        f"serving {arguments.home} on http://{arguments.host}:{arguments.port}; stop with Ctrl-C",
        flush=True,
    )
    serve(arguments.home, chosen, (arguments.host, arguments.port))
    return Exit.OK


def _chosen(arguments: argparse.Namespace, runtime: str) -> Any:
    from gateway.isolation import choose_isolation
    from gateway.node import start

    return start(
        choose_isolation(runtime, insecure=arguments.insecure_dev_runtime, synthetic_only=False)
    )

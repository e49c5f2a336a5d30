"""`keyong serve --demo`: make the demo domain if it is new, and leave its door open."""

import shlex
from pathlib import Path

from gateway.serve import serve
from keyong.commands.exits import Exit, Stop
from keyong.demo import domain as demo
from keyong.demo.story import FREE_QUESTION
from keyong.demo.words import say


def serve_demo(folder: Path, address: tuple[str, int], insecure: bool, lang: str) -> Exit:
    """Serve until interrupted."""
    if folder.exists() and not demo.is_made(folder) and any(folder.iterdir()):
        raise Stop(
            Exit.USAGE, f"`{folder}` holds something else than a demo domain; name a new folder"
        )
    if not demo.is_made(folder):
        if folder.exists():
            folder.rmdir()
        print(f"making the demo domain in {folder} (half a minute)", flush=True)
        demo.make(folder, insecure=insecure)
    opened = demo.reopen(folder, insecure=insecure)
    if opened.lacking:
        print(say("insecure", lang, why=opened.lacking), flush=True)
    host, port = address
    demo.write_credentials(opened, f"http://{host}:{port}")
    print(invitation(folder, f"http://{host}:{port}", lang), flush=True)
    serve(folder, opened.start, address)
    return Exit.OK


def invitation(folder: Path, url: str, lang: str) -> str:
    """Return the commands a visitor may type."""
    operator = f"--credentials {folder}/credentials/{demo.OPERATOR}.json"
    auditor = f"--credentials {folder}/credentials/{demo.AUDITOR}.json"
    return "\n".join(
        [
            f"{url}  (Ctrl-C)",
            f"# {say('try_ask', lang)}",
            f"keyong datasets {demo.DATASET} {operator}",
            f"keyong query {demo.DATASET} {shlex.quote(FREE_QUESTION)} --purpose public_health "
            f"--epsilon 0.5 {operator} --receipt-to receipt.json",
            f"keyong budget {operator}",
            f"keyong audit fetch --to export {auditor}",
            "keyong audit verify --log export/log --key export/log/log.vkey --held receipt.json",
        ]
    )

"""The story of one question, told aloud while it really happens: a real node, real HTTP, a real confined worker."""

import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.verify import Held, verify_log, verify_release
from gateway.background import served
from keyong.client import Client
from keyong.commands.account import shown_usage
from keyong.commands.audit import unpack
from keyong.commands.exits import Exit
from keyong.demo import domain as demo
from keyong.demo.words import say
from keyong.gauge import gauge
from keyong.refused import Refused
from keyong.table import grid, number, table

PURPOSE, EPSILON = "insurance_pricing", "1"
QUESTION = """SELECT p.region, date_trunc('month', c.day) AS month, count(*) AS claims,
       count(*) FILTER (WHERE w.rain_mm > 10) AS on_rainy_days,
       sum(least(c.amount, 3000)) FILTER (WHERE c.amount IS NOT NULL) AS cost_yuan
FROM claims c
JOIN persons p ON p.person_id = c.person_id
JOIN weather w ON w.region = p.region AND w.day = c.day
GROUP BY p.region, date_trunc('month', c.day)
ORDER BY cost_yuan DESC LIMIT 10"""
# Another spelling, other names: the canonical question is the same.
AGAIN = """select people.region as place, date_trunc('month', bills.day) as season, count(*) as visits,
  count(*) filter (where rain.rain_mm > 10) as wet,
  sum(least(bills.amount, 3000)) filter (where bills.amount is not null) as spent
from claims as bills join persons as people on people.person_id = bills.person_id
join weather as rain on rain.region = people.region and rain.day = bills.day
group by people.region, date_trunc('month', bills.day) order by spent desc limit 10"""
FREE_QUESTION = (
    "SELECT region, count(*) AS people, avg(income) AS income FROM persons GROUP BY region"
)
REFUSED = (
    ("row_level", "SELECT name, id_card FROM persons LIMIT 5", PURPOSE, EPSILON),
    (
        "single_out",
        "SELECT person_id, sum(amount) FROM claims GROUP BY person_id",
        PURPOSE,
        EPSILON,
    ),
    ("costly", "SELECT count(*) FROM persons", PURPOSE, "1.5"),
    ("file", "SELECT count(*) FROM read_csv('/etc/passwd')", PURPOSE, EPSILON),
    ("purpose", "SELECT count(*) FROM persons", "advertising", EPSILON),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """Where the story is told."""

    people: Mapping[str, Client]
    lang: str
    folder: Path

    def tell(self, sentence: str, /, **fields: object) -> None:
        """Say one line of the story."""
        print(f"▸ {say(sentence, self.lang, **fields)}", flush=True)


def tell_story(lang: str, insecure: bool) -> Exit:
    """Tell the whole story in a folder that is gone afterwards."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="keyong-demo-"))
    try:
        print(say("title", lang), flush=True)
        domain = demo.found(folder / "node", insecure=insecure)
        before = Scene({}, lang, folder)
        if domain.lacking:
            before.tell("insecure", why=domain.lacking)
        else:
            before.tell("isolated", standing=domain.start.isolation.runtime.name)
        _bring_in(before, domain)
        with served(domain.folder, domain.start) as url, ExitStack() as stack:
            people = {
                name: stack.enter_context(Client(url, name, secret, language=lang))
                for name, secret in domain.secrets.items()
            }
            _acts(Scene(people, lang, folder))
        before.tell("done", seconds=round(time.monotonic() - began), **_memory())
        _invite(before)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Exit.OK


def _acts(scene: Scene) -> None:
    acts: tuple[Callable[[Scene], None], ...] = (_publish, _question, _refusals, _finance, _audit)
    for act in acts:
        act(scene)


def _bring_in(scene: Scene, domain: demo.Domain) -> None:
    raw = scene.folder / "raw"
    demo.generate(raw, demo.PERSONS)
    claims = (raw / "claims.csv").read_bytes().count(b"\n") - 1
    scene.tell("raw", persons=f"{demo.PERSONS:,}", claims=f"{claims:,}")
    scene.tell("ingest")
    made = demo.bring_in_health(domain, raw)
    shutil.rmtree(raw)
    print(f"    {made.commitment}")
    declared = made.catalogue.dataset.table("claims")
    if declared is not None and declared.contribution is not None:
        scene.tell("capped", rows=declared.contribution.rows_per_unit_max)


def _publish(scene: Scene) -> None:
    author, approver = scene.people[demo.AUTHOR], scene.people[demo.APPROVER]
    for name in demo.DOCUMENTS:
        made = author.send("POST", "/v1/policies", {"text": demo.document(name)})
        scene.tell("submitted", author=demo.AUTHOR, name=f"{made['id']}@{made['version']}")
        path, body = f"/v1/policies/{made['id']}:approve", {"digest": made["digest"]}
        if name == demo.DOCUMENTS[-1]:
            try:
                author.send("POST", path, body)
            except Refused as refused:
                scene.tell("own_eyes", author=demo.AUTHOR, why=refused.message)
        approver.send("POST", path, body)
        scene.tell("approved", approver=demo.APPROVER, name=made["id"])


def _question(scene: Scene) -> None:
    operator = scene.people[demo.OPERATOR]
    scene.tell("question", operator=demo.OPERATOR)
    print(_indented(QUESTION))
    scene.tell("check")
    verdict = operator.check(demo.DATASET, QUESTION, purpose=PURPOSE, epsilon=EPSILON)
    scene.tell(
        "verdict",
        loss=verdict.loss,
        price=verdict.price.yuan,
        groups=verdict.groups,
        more=verdict.about_more_like_this,
    )
    errors = ", ".join(f"{name} ±{number(half)}" for name, half in verdict.half_widths if half)
    scene.tell("expected", errors=errors)
    gauges = _gauges(operator)
    scene.tell("ask", seconds=verdict.body["answer_after_s"])
    answer = operator.query(demo.DATASET, QUESTION, purpose=PURPOSE, epsilon=EPSILON)
    print(_indented(table(answer)))
    scene.tell("shown", rows=len(answer), groups=verdict.groups)
    scene.tell("receipt", index=answer.receipt.index, operation=answer.operation)
    again = operator.query(demo.DATASET, AGAIN, purpose=PURPOSE, epsilon=EPSILON)
    if again.rows != answer.rows:
        raise AssertionError("the same question was answered with other noise")
    scene.tell("again", loss=again.loss)
    scene.tell("budget")
    for account, part in _gauges(operator).items():
        print(f"    {account}")
        print(f"      {say('before', scene.lang)} {gauge(gauges[account])}")
        print(f"      {say('after', scene.lang)}  {gauge(part)}")


def _refusals(scene: Scene) -> None:
    operator = scene.people[demo.OPERATOR]
    spent = _gauges(operator)
    scene.tell("refused")
    for name, sql, purpose, epsilon in REFUSED:
        try:
            operator.query(demo.DATASET, sql, purpose=purpose, epsilon=epsilon)
        except Refused as refused:
            print(f"    {say(name, scene.lang)}: {sql}")
            place = f" {refused.at}" if refused.at else ""
            print(f"      {refused.code}{place}: {refused.message}")
            grants = ", ".join(f"{g.table}.{g.column} ({g.use})" for g in refused.needed_grants)
            if grants:
                print(f"      {say('needs', scene.lang, grants=grants)}")
        else:
            raise AssertionError("a question that must be refused was answered")
    if _gauges(operator) != spent:
        raise AssertionError("a refusal has cost something")


def _finance(scene: Scene) -> None:
    finance = scene.people[demo.FINANCE]
    preview = finance.send("POST", "/v1/settlements:preview", {"index_from": 0})
    scene.tell("finance")
    print(_indented(shown_usage(finance.usage())))
    print()
    rows = [
        [
            preview["names"][share["party"]],
            share["stage"],
            f"{int(share['amount_fen']) / 100:.2f}",
            share["channel"],
        ]
        for line in preview["lines"]
        for share in line["shares"]
    ]
    zh = scene.lang == "zh"
    head = ["收款方", "环节", "元", "渠道"] if zh else ["payee", "stage", "yuan", "channel"]
    print(_indented(grid(head, rows, [False, False, True, False])))
    shared = sum(int(s["amount_fen"]) for line in preview["lines"] for s in line["shares"])
    if shared != int(preview["total_fen"]):
        raise AssertionError("the shares are not the invoice")
    scene.tell("total", total=f"{shared / 100:.2f}")


def _audit(scene: Scene) -> None:
    scene.tell("audit")
    target = scene.folder / "audit"
    unpack(scene.people[demo.AUDITOR].fetch("/v1/audit/log/export"), target)
    log = target / "log"
    vkey = (log / "log.vkey").read_text(encoding="utf-8")
    receipt = _last_receipt(scene.people[demo.OPERATOR])
    report = verify_log(log, vkey, Held((), (str(receipt["proof"]),)))
    released = verify_release(
        str(receipt["proof"]),
        vkey,
        bytes.fromhex(str(receipt["salt"])),
        str(receipt["content"]).encode("utf-8"),
    )
    if not (report.ok and released.ok):
        raise AssertionError(f"the log does not verify: {report.findings + released.findings}")
    scene.tell("verified", entries=report.size)
    entries = next((log / "tile" / "entries").rglob("*.p/*"))
    content = bytearray(entries.read_bytes())
    content[len(content) // 2] ^= 1
    entries.write_bytes(content)
    changed = verify_log(log, vkey, Held((), ()))
    if changed.ok:
        raise AssertionError("a changed log verifies")
    scene.tell("tampered", why=changed.findings[0].code)


def _last_receipt(operator: Client) -> Mapping[str, Any]:
    return operator.receipt(str(operator.usage()[-1]["operation"]))


def _gauges(operator: Client) -> dict[str, float]:
    return {
        str(account["account"]): float(account["part_spent"])
        for account in operator.budgets()
        if account["unit"] == "eps_nano" and "public_health" not in account["account"]
    }


def _invite(scene: Scene) -> None:
    scene.tell("try")
    for name, command in (
        ("try_serve", "make serve"),
        ("try_ask", f"keyong query {demo.DATASET} '…' --purpose public_health --epsilon 0.5"),
        ("try_read", "docs/JOURNEY.md"),
    ):
        print(f"    {command:<76} # {say(name, scene.lang)}")


def _memory() -> dict[str, int]:
    here = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    below = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    return {"node": here, "worker": below}


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())

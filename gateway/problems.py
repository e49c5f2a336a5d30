"""Every no of the node as one JSON form, in the reader's language.

    Refused      expected: code, place, cure, missing grants; nothing was spent
    Unanswered   the run failed beside the data: a constant text, what was spent, and no reason
    anything     a bug: a constant text with a number; the details go to the domain's own file

Source  RFC 9457 (problem details), RFC 9110 section 12.5.4 (Accept-Language).
"""

import logging
import secrets
from typing import Any

from gateway.unanswered import Unanswered
from policies.findings import Finding
from policies.how_to_change import HOW
from policies.messages import MESSAGES
from policies.refusals import Refused, Stage

MEDIA_TYPE = "application/problem+json"
ENGLISH, CHINESE = "en", "zh-CN"
_FINDINGS_MAX = 100
_TYPE = "urn:keyong:problem:"
# The part of the request that a stage reads, as RFC 6901 names it.
_POINTERS = {
    Stage.PARSE: "/sql",
    Stage.RESOLVE: "/sql",
    Stage.CHECK: "/sql",
    Stage.BOUND: "/sql",
    Stage.DOCUMENT: "/text",
}
_TITLES = {
    Stage.DOCUMENT: ("the document cannot be accepted", "文档不能接受"),
    Stage.PARSE: ("the query is not understood", "无法理解查询"),
    Stage.RESOLVE: ("a name in the query is not known", "查询中的名称无法识别"),
    Stage.CHECK: ("the policy does not allow this", "策略不允许"),
    Stage.BOUND: ("one person could move the answer too far", "单个个体对结果的影响无法限定"),
    Stage.PLAN: ("the privacy loss cannot be used so", "隐私预算用法不当"),
    Stage.LEDGER: ("the budget does not allow this", "预算不足或已停用"),
    Stage.DOOR: ("the request cannot be taken", "请求不能受理"),
    Stage.RUN: ("there is no answer", "没有结果"),
}

log = logging.getLogger("keyong.errors")


def language(accept: str | None) -> str:
    """Return the language to answer in: the first of the header that is English or Chinese, else English."""
    for part in (accept or "").lower().split(","):
        word = part.split(";")[0].strip()
        if word.startswith("zh"):
            return CHINESE
        if word.startswith("en"):
            return ENGLISH
    return ENGLISH


def problem(refused: Refused, accept: str | None) -> dict[str, Any]:
    """Write a refusal. What it says depends on text, policy and ledger only."""
    spoken = language(accept)
    title_en, title_zh = _TITLES[refused.stage]
    body: dict[str, Any] = {
        "type": _TYPE + refused.code,
        "title": title_zh if spoken == CHINESE else title_en,
        "status": MESSAGES[refused.code].status,
        "code": refused.code,
        "lang": spoken,
        "detail": refused.message(spoken),
        "detail_en": refused.message(ENGLISH),
        "detail_zh": refused.message(CHINESE),
        "stage": refused.stage.value,
        "errors": _errors(refused),
        "needed_grants": [
            {"table": grant.table, "column": grant.column, "use": grant.use}
            for grant in refused.needed_grants
        ],
        "how": HOW[refused.code].says(spoken) if refused.code in HOW else None,
        "suggestion": None,
        "member": None,
        "charged": False,
        "loss_spent": "0",
    }
    if refused.member is not None:
        body["member"] = refused.member[1]
    if refused.suggestion is not None:
        body["suggestion"] = {
            "sql": refused.suggestion.sql,
            "changes": refused.suggestion.says(spoken),
        }
    return body


def problem_of_document(findings: tuple[Finding, ...], accept: str | None) -> dict[str, Any]:
    """Write what is wrong with a document: the first fault as the reason, all of them as errors."""
    body = problem(findings[0].refused(), accept)
    errors = [
        {
            "pointer": "/text",
            **({"line": found.at.line, "column": found.at.column} if found.at else {}),
            "code": found.code,
            "detail": found.message(body["lang"]),
        }
        for found in findings[:_FINDINGS_MAX]
    ]
    return body | {"errors": errors}


def problem_of_run(failed: Unanswered, accept: str | None) -> dict[str, Any]:
    """Write a failed run: what was spent, and nothing about why."""
    body = problem(failed.refused, accept)
    return body | {"loss_spent": failed.loss_spent, "instance": f"/v1/queries/{failed.operation}"}


def problem_of_bug(error: BaseException, accept: str | None) -> dict[str, Any]:
    """Write a bug: a number for the holder, who finds the place in the domain's own file.

    The file gets the kind of the error and the lines of our own code it passed, never its text: that may quote SQL.
    """
    operation = f"e_{secrets.token_hex(8)}"
    log.error("%s %s", operation, _trace(error))
    body = problem(Refused("internal_error", Stage.RUN, operation=operation), accept)
    return body | {"instance": operation}


def _trace(error: BaseException) -> str:
    lines = []
    step = error.__traceback__
    while step is not None:
        lines.append(f"{step.tb_frame.f_code.co_filename.rsplit('/', 2)[-2:]}:{step.tb_lineno}")
        step = step.tb_next
    return f"{type(error).__name__} at {' < '.join(reversed(lines[-12:]))}"


def _errors(refused: Refused) -> list[dict[str, Any]]:
    pointer = _POINTERS.get(refused.stage)
    if refused.code.startswith("parameter"):
        # A missing or mixed parameter stands in the text, a wrong value beside it.
        pointer = "/sql" if refused.at is not None else "/parameters"
    if refused.code.startswith("accuracy_"):
        pointer = "/expected" if refused.code == "accuracy_needs_expectation" else "/accuracy"
    if refused.code in ("request_invalid", "loss_missing", "loss_not_positive"):
        pointer = refused.params.get("pointer") or f"/{refused.params.get('field', '')}"
    if refused.at is None and pointer is None:
        return []
    within = "" if refused.member is None else f"/queries/{refused.member[0]}"
    place: dict[str, Any] = {"pointer": within + (pointer or "")}
    if refused.at is not None:
        place |= {"line": refused.at.line, "column": refused.at.column}
    return [place]

"""What the story says, in both languages. Code, names and numbers are filled in; nothing here is decided."""

from collections.abc import Mapping
from types import MappingProxyType

WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "title": (
            "Keyong: usable, not visible. One domain, end to end; nobody in the data exists.",
            "可用：数据可用不可见。一个数据域的完整旅程；数据中的人均为虚构。",
        ),
        "isolated": (
            "workers run {standing}: no network, no other file, no other program",
            "工作进程已隔离（{standing}）：无网络、无其他文件、无其他程序",
        ),
        "insecure": (
            "WARNING: NO ISOLATION here ({why}). The demo goes on because its data is invented; no other node would",
            "警告：此处没有隔离（{why}）。因数据均为虚构，演示继续；其他节点会拒绝启动",
        ),
        "raw": (
            "the holder's raw files: {persons} people, {claims} insurance claims, public weather",
            "持有单位的原始文件：{persons} 人、{claims} 条医保结算、公开天气",
        ),
        "ingest": (
            "the holder brings them in through a worker of their own; the log gets a commitment that tells nothing:",
            "持有单位通过专用进程接入数据；日志只记录不泄露内容的承诺：",
        ),
        "capped": (
            "at most {rows} claims of one person were kept, as declared; how many were dropped is in the holder's report only",
            "按声明每人最多保留 {rows} 条；剔除了多少只写在持有单位自己的报告里",
        ),
        "submitted": ("{author} submits {name}", "{author} 提交 {name}"),
        "own_eyes": (
            "{author} may not approve it: {why}",
            "{author} 不能自己批准：{why}",
        ),
        "approved": ("{approver} approves it: {name} is in force", "{approver} 批准：{name} 生效"),
        "question": ("the operator {operator} wants to know:", "运营单位 {operator} 想知道："),
        "check": (
            "check first: nothing is spent, no row is read",
            "先检查：不消耗预算，不读任何一行",
        ),
        "verdict": (
            "allowed; loss epsilon {loss}, price {price} yuan, {groups} groups; about {more} more like this this month",
            "允许；隐私损失 ε={loss}，价格 {price} 元，{groups} 个分组；本月约还可查询 {more} 次",
        ),
        "expected": ("expected at 95 %: {errors}", "预期误差（95%）：{errors}"),
        "ask": (
            "ask: the answer comes {seconds} s after it was accepted, whatever the rows hold",
            "提问：无论数据如何，结果都在受理后 {seconds} 秒发出",
        ),
        "shown": (
            "± is the 95 % interval of the noise; {rows} of {groups} groups, the largest first",
            "± 为噪声的 95% 区间；{groups} 组中最大的 {rows} 组",
        ),
        "receipt": (
            "receipt: entry {index} of the log, operation {operation}",
            "回执：日志第 {index} 条，操作号 {operation}",
        ),
        "again": (
            "the same question in other words and names: the same noisy values, loss {loss}; repetition averages nothing away",
            "换一种写法再问同一问题：噪声值相同，隐私损失 {loss}；反复提问无法平均掉噪声",
        ),
        "refused": (
            "what is refused, and why (nothing is spent):",
            "被拒绝的请求及原因（不消耗预算）：",
        ),
        "row_level": ("single rows", "查看明细"),
        "single_out": ("one group per person", "按个人分组"),
        "costly": ("too much loss at once", "单次预算过大"),
        "file": ("a file of the node", "读取节点文件"),
        "purpose": ("another purpose", "其他用途"),
        "needs": ("would need: {grants}", "需要授权：{grants}"),
        "budget": ("the budget moved:", "预算变化："),
        "before": ("before", "之前"),
        "after": ("after", "之后"),
        "finance": (
            "finance sees usage, fixed before any row was read, and the split to the fen:",
            "财政看到事先确定的用量，以及精确到分的分成：",
        ),
        "total": (
            "together {total} yuan, which is the invoice to the fen",
            "合计 {total} 元，与账单分毫不差",
        ),
        "audit": (
            "the auditor takes the log away and checks it offline with one public key:",
            "审计取走日志，仅凭一把公钥离线验证：",
        ),
        "verified": (
            "log verified: {entries} entries, every balance and every fen replayed; receipt and released bytes verified",
            "日志验证通过：{entries} 条，逐笔重放余额与金额；回执与发布内容验证通过",
        ),
        "tampered": (
            "the same log with one byte changed: NOT VERIFIED ({why})",
            "同一日志改动一个字节：验证失败（{why}）",
        ),
        "done": (
            "done in {seconds} s; memory {node} MiB here, at most {worker} MiB in a worker",
            "用时 {seconds} 秒；本进程内存 {node} MiB，工作进程最多 {worker} MiB",
        ),
        "try": ("try it yourself:", "自己试一试："),
        "try_serve": ("leave a node open on this machine", "在本机打开一个节点"),
        "try_ask": (
            "in another terminal: what may be asked, and ask",
            "在另一终端：查看可问内容并提问",
        ),
        "try_read": ("where each file of the journey is", "旅程中每个文件的位置"),
    }
)


def say(sentence: str, lang: str, /, **fields: object) -> str:
    """Return a sentence."""
    english, chinese = WORDS[sentence]
    return (chinese if lang == "zh" else english).format(**fields)

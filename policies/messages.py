"""Every message code with its English and its Chinese text, in one catalogue.

Wording: lower case, no full stop, the user's words in backticks, the cure after a semicolon. The catalogue is data; the
code is the contract with clients and never changes its meaning.
"""

from collections.abc import Mapping
from types import MappingProxyType

from policies.message import Message
from policies.messages_of_asking import ASKING
from policies.messages_of_documents import DOCUMENTS
from policies.messages_of_ingest import INGEST

__all__ = ["MESSAGES", "Message"]


_SQL = {
    "sql_too_long": Message(
        400,
        "the query is {size} bytes, the limit is {limit}; shorten it or move constants into parameters",
        "查询长度为 {size} 字节，上限 {limit}；请缩短查询或改用参数",
    ),
    "sql_too_complex": Message(
        400,
        "the query is nested or long beyond the limit ({what} above {limit}); split it",
        "查询嵌套或长度超限（{what} 超过 {limit}）；请拆分查询",
    ),
    "sql_not_text": Message(
        400,
        "the query is not plain UTF-8 text; remove control characters and byte-order marks",
        "查询不是纯 UTF-8 文本；请去掉控制字符和字节序标记",
    ),
    "sql_syntax": Message(
        400,
        "the query does not parse near `{near}`; check the syntax",
        "`{near}` 附近语法有误；请检查语法",
    ),
    "sql_not_a_select": Message(
        400,
        "only one SELECT statement may be sent, not `{what}`; nothing else can run here",
        "只能提交一条 SELECT 语句，不能是 `{what}`",
    ),
    "sql_feature_refused": Message(
        400,
        "`{what}` is not supported; {cure}",
        "不支持 `{what}`；{cure}",
    ),
    "sql_function_refused": Message(
        400,
        "the function `{name}` is not on the allow-list; {cure}",
        "函数 `{name}` 不在允许清单内；{cure}",
    ),
    "sql_argument_refused": Message(
        400,
        "`{name}` needs {need} here; {cure}",
        "`{name}` 此处需要 {need}；{cure}",
    ),
    "sql_type_mismatch": Message(
        400,
        "`{what}` cannot take {types}; add a cast that states the type you mean",
        "`{what}` 不能用于 {types}；请用 CAST 写明类型",
    ),
}

_NAMES = {
    "unknown_table": Message(
        404,
        "there is no table `{name}` for you here; ask for the list of datasets",
        "没有可用的表 `{name}`；请查询数据集列表",
    ),
    "unknown_column": Message(
        400,
        "no column `{name}` in {scope}; the columns are listed in the dataset's schema",
        "{scope} 中没有列 `{name}`；列名见数据集结构",
    ),
    "ambiguous_column": Message(
        400,
        "`{name}` could be {candidates}; write the table name before it",
        "`{name}` 可能是 {candidates}；请加上表名",
    ),
    "duplicate_alias": Message(
        400,
        "`{name}` names two tables; give one of them another alias",
        "`{name}` 指代了两个表；请改用不同别名",
    ),
}

_GRANTS = {
    "purpose_not_granted": Message(
        403,
        "the purpose `{purpose}` is not in the policy; granted purposes: {granted}",
        "用途 `{purpose}` 未获授权；已授权用途：{granted}",
    ),
    "policy_not_in_force": Message(
        403,
        "the policy `{policy}` is in force from {start} to {end}, not now; ask the holder to renew it",
        "策略 `{policy}` 的有效期为 {start} 至 {end}，当前无效；请联系数据持有单位续期",
    ),
    "operator_not_granted": Message(
        403,
        "the policy `{policy}` is made out to another operator; ask `{owner}` for one of your own",
        "策略 `{policy}` 的授权对象是其他运营主体；请向 `{owner}` 申请",
    ),
    "policies_incompatible": Message(
        403,
        "the policies {policies} cannot be used together: {why}; query their tables separately",
        "策略 {policies} 不能共同使用：{why}；请分别查询",
    ),
    "policy_suspended": Message(
        423,
        "`{policy}` is suspended by its holder; nothing was spent",
        "`{policy}` 已被持有单位暂停；未发生任何消耗",
    ),
    "table_not_granted": Message(
        403,
        "the table `{table}` is not granted to you for `{purpose}`; ask `{owner}`",
        "表 `{table}` 未授权用于 `{purpose}`；请向 `{owner}` 申请",
    ),
    "column_use_not_granted": Message(
        403,
        "`{table}.{column}` may not be used as {use}; granted: {granted}; ask `{owner}` for that use",
        "`{table}.{column}` 不可用作 {use}；已授权：{granted}；请向 `{owner}` 申请",
    ),
    "too_few_bins": Message(
        400,
        "`{what}` looks for a value in each of {groups} groups, and one release has time for {limit}; "
        "use fewer groups or fewer order statistics",
        "`{what}` 须在 {groups} 个分组中各自查找数值，而一次发布至多支持 {limit} 个；请减少分组或减少分位数",
    ),
    "aggregate_not_granted": Message(
        403,
        "the aggregate `{name}` is not granted; granted: {granted}",
        "聚合 `{name}` 未获授权；已授权：{granted}",
    ),
    "join_not_granted": Message(
        403,
        "joining `{left}` with `{right}` is not granted; ask `{owner}`",
        "未授权连接 `{left}` 与 `{right}`；请向 `{owner}` 申请",
    ),
    "not_aggregated": Message(
        403,
        "`{what}` would show single rows; aggregate it (count, sum, avg) or group by it",
        "`{what}` 会暴露单行数据；请使用聚合（count、sum、avg）或按其分组",
    ),
    "no_aggregate": Message(
        403,
        "the query has no aggregate, so its groups would show who is there; add count(*), sum or avg",
        "查询没有聚合，分组本身会暴露个体是否存在；请加入 count(*)、sum 或 avg",
    ),
    "too_many_groups": Message(
        422,
        "the query declares {groups} groups, the policy allows {limit}; use fewer or coarser keys",
        "查询声明了 {groups} 个分组，策略上限 {limit}；请减少或加粗分组键",
    ),
    "too_many_rows": Message(
        422,
        "the answer may have {rows} rows, the policy allows {limit}; add LIMIT {limit} or use coarser keys",
        "结果可能有 {rows} 行，策略上限 {limit} 行；请加 LIMIT {limit} 或加粗分组键",
    ),
    "too_many_literals": Message(
        422,
        "the query holds {literals} constants, the policy allows {limit}; use ranges instead of lists",
        "查询包含 {literals} 个常量，策略上限 {limit}；请用区间代替列表",
    ),
}

_BOUNDS = {
    "unit_join_missing": Message(
        422,
        "`{left}` and `{right}` hold the same people but are not joined on them; add `{condition}` as a top-level AND condition",
        "`{left}` 与 `{right}` 属于同一隐私单元族但未按单元连接；请在顶层 AND 条件中加入 `{condition}`",
    ),
    "family_mismatch": Message(
        422,
        "`{left}` and `{right}` protect different privacy units and cannot be joined; query them separately",
        "`{left}` 与 `{right}` 保护的隐私单元不同，不能连接；请分别查询",
    ),
    "no_private_table": Message(
        422,
        "the query touches no protected table; public tables are published elsewhere and need no privacy budget",
        "查询未涉及受保护的表；公开表另行发布，无需隐私预算",
    ),
    "bounds_missing": Message(
        422,
        "`{what}` has no declared bounds, so one person could move it without limit; write least(greatest({what}, low), high), with FILTER (WHERE {what} IS NOT NULL) if it may be NULL, or ask for bounds on {columns}",
        "`{what}` 没有声明取值范围，单个个体可无限影响结果；请改写为 least(greatest({what}, 下限), 上限)（可能为空时加 FILTER (WHERE {what} IS NOT NULL)），或申请为 {columns} 声明范围",
    ),
    "bounds_too_wide": Message(
        422,
        "`{what}` ranges up to {magnitude} steps, the limit is {limit}; narrow it with least and greatest",
        "`{what}` 的取值范围达 {magnitude} 步，上限 {limit}；请用 least、greatest 缩小",
    ),
    "key_domain_missing": Message(
        422,
        "`{what}` has no declared domain, so its values would be revealed by grouping; group by a column with a declared domain, or by CASE with constant results; without a domain only a dataset under rho can group by it",
        "`{what}` 没有声明值域，分组会暴露其取值；请按有值域的列分组，或使用结果为常量的 CASE；没有值域的分组只能用于按 rho 记账的数据集",
    ),
    "private_keys_not_granted": Message(
        422,
        "`{what}` has no declared domain, and the policy of `{owner}` allows only declared groups; group by a column with a declared domain, by CASE with constant results, or ask for `query.private_keys`",
        "`{what}` 没有声明值域，而 `{owner}` 的策略只允许声明过的分组；请按有值域的列分组，使用结果为常量的 CASE，或申请 `query.private_keys`",
    ),
    "key_too_fine": Message(
        422,
        "`{column}` may be grouped in steps of {bin} only; group by CAST(floor({column} / {bin}) AS INTEGER), or by CASE with `<` and `>=` at multiples of {bin}",
        "`{column}` 只能按步长 {bin} 分组；请按 CAST(floor({column} / {bin}) AS INTEGER) 分组，或使用以 {bin} 的倍数为界的 CASE（`<`、`>=`）",
    ),
    "expression_may_overflow": Message(
        422,
        "`{what}` may overflow its type, and an error would depend on data; cast an operand to DOUBLE",
        "`{what}` 可能溢出，报错会依赖数据；请将操作数转换为 DOUBLE",
    ),
}

_LOSS = {
    "loss_missing": Message(
        422,
        "state the privacy loss to spend: `{field}` is required for this dataset",
        "请写明要消耗的隐私预算：此数据集需要 `{field}`",
    ),
    "delta_missing": Message(
        422,
        "groups without a declared domain cost a delta besides rho: state it in `delta`, such as 0.000000001; the policy has no `budget.delta_per_query`",
        "没有声明值域的分组除 rho 外还要消耗 delta：请在 `delta` 中写明，例如 0.000000001；策略未声明 `budget.delta_per_query`",
    ),
    "loss_not_positive": Message(
        422,
        "`{field}` must be a decimal above 0, not `{value}`",
        "`{field}` 必须是大于 0 的小数，而不是 `{value}`",
    ),
    "loss_per_query_exceeded": Message(
        422,
        "{asked} is above the limit of {limit} per query; ask for less",
        "{asked} 超过单次查询上限 {limit}；请降低",
    ),
    "loss_too_small": Message(
        422,
        "{asked} split over {moments} measurements leaves nothing to spend on each; ask for more",
        "{asked} 分摊到 {moments} 个测量后不足；请提高",
    ),
    "budget_exhausted": Message(
        429,
        "`{account}` has {available} left, {asked} was asked; wait for a new window or ask the holder",
        "`{account}` 剩余 {available}，申请 {asked}；请等待新周期或联系持有单位",
    ),
    "query_does_not_prepare": Message(
        422,
        "the query does not run on an empty copy of the schema ({diagnosis}); check types and functions",
        "查询无法在空白同构表上运行（{diagnosis}）；请检查类型和函数",
    ),
    "operator_suspended": Message(
        423,
        "after {failures} failed runs on `{dataset}` the holder must review before you may ask again",
        "在 `{dataset}` 上已有 {failures} 次运行失败，须经持有单位复核后方可继续",
    ),
}

_DOOR = {
    "token_missing": Message(
        401,
        "send `Authorization: Bearer <token>`; get one from /oauth/token",
        "请携带 `Authorization: Bearer <token>`；可从 /oauth/token 获取",
    ),
    "token_invalid": Message(
        401,
        "the token is not valid ({why}); get a new one from /oauth/token",
        "令牌无效（{why}）；请从 /oauth/token 重新获取",
    ),
    "client_unknown": Message(
        401, "client id or secret is wrong; check both", "客户端标识或密钥有误；请核对"
    ),
    "role_not_allowed": Message(
        403,
        "this needs the role `{role}`, you have {roles}",
        "此操作需要角色 `{role}`，您的角色为 {roles}",
    ),
    "four_eyes_required": Message(
        403,
        "`{person}` may not {act} here: {why}; another person must",
        "`{person}` 不可在此{act}：{why}；须由他人办理",
    ),
    "approval_out_of_turn": Message(
        409,
        "`{document}` is {state}, so `{act}` is out of turn; allowed now: {allowed}",
        "`{document}` 处于 {state} 状态，不能 {act}；当前可执行：{allowed}",
    ),
    "signature_invalid": Message(
        422,
        "the signature over `{document}` does not verify under the key `{key}`; sign exactly this version again",
        "`{document}` 的签名无法用密钥 `{key}` 验证；请对该版本重新签名",
    ),
    "not_found": Message(
        404, "nothing here under that name that you may see", "没有您可见的同名资源"
    ),
    "request_invalid": Message(422, "`{pointer}` {problem}", "`{pointer}` {problem}"),
    "request_too_large": Message(
        413, "the request is larger than {limit} bytes; shorten it", "请求超过 {limit} 字节；请缩短"
    ),
    "request_not_json": Message(
        400,
        "the body is not UTF-8 JSON; send application/json",
        "请求体不是 UTF-8 JSON；请发送 application/json",
    ),
    "idempotency_key_missing": Message(
        400,
        "send an `Idempotency-Key` header of 1 to 128 visible characters",
        "请携带 1 至 128 个可见字符的 `Idempotency-Key` 头",
    ),
    "idempotency_conflict": Message(
        409,
        "this Idempotency-Key was used for another request; use a new one",
        "该 Idempotency-Key 已用于其他请求；请更换",
    ),
    "query_failed": Message(
        500,
        "the run failed beside the data; the reserved loss is {fate}; the reason stays inside the domain",
        "运行在数据侧失败；预留的隐私预算{fate}；原因不出域",
    ),
    "query_in_progress": Message(
        409,
        "this request is still running; ask again with the same Idempotency-Key",
        "该请求仍在运行；请用同一 Idempotency-Key 再次查询",
    ),
    "query_quarantined": Message(
        423,
        "a run of this very question has failed before, so it is kept back; write it another way or ask the holder",
        "此查询曾运行失败，已被隔离；请改写查询或联系数据持有单位",
    ),
    "node_busy": Message(
        503,
        "too many questions wait here; try again later with the same Idempotency-Key",
        "等待处理的查询过多；请稍后用同一 Idempotency-Key 重试",
    ),
    "isolation_unavailable": Message(
        503, "no isolation can be had here: {reason}; {cure}", "此处无法提供隔离：{reason}；{cure}"
    ),
    "insecure_runtime": Message(
        200,
        "WARNING: this node runs without isolation (insecure development runtime); never use it with real data",
        "警告：本节点未启用隔离（不安全的开发运行时）；切勿用于真实数据",
    ),
    "insecure_runtime_refused": Message(
        503,
        "`{policy}` is classified; the insecure development runtime may not serve it; start the node with isolation",
        "`{policy}` 含有分级数据，不可用不安全的开发运行时；请启用隔离后启动节点",
    ),
    "internal_error": Message(
        500,
        "something went wrong on our side; quote `{operation}` to the holder",
        "内部错误；请向持有单位提供编号 `{operation}`",
    ),
}

MESSAGES: Mapping[str, Message] = MappingProxyType(
    {**_SQL, **ASKING, **_NAMES, **_GRANTS, **_BOUNDS, **_LOSS, **_DOOR, **DOCUMENTS, **INGEST}
)

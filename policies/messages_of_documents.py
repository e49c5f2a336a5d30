"""What can be wrong with a document that a holder writes, in both languages."""

# A sentence stays on one line, as in the catalogue itself.
# ruff: noqa: E501

from policies.message import Message

DOCUMENTS = {
    "document_not_text": Message(
        400,
        "`{path}` is not UTF-8 text; save it as UTF-8",
        "`{path}` 不是 UTF-8 文本；请另存为 UTF-8",
    ),
    "document_syntax": Message(
        400, "`{path}` is not valid YAML: {problem}", "`{path}` 不是有效的 YAML：{problem}"
    ),
    "document_field_unknown": Message(
        422,
        "`{path}`: the field `{field}` is not known here; did you mean {suggestion}",
        "`{path}`：未知字段 `{field}`；是否为 {suggestion}",
    ),
    "document_field_missing": Message(
        422,
        "`{path}`: the field `{field}` is required; {why}",
        "`{path}`：缺少字段 `{field}`；{why}",
    ),
    "document_field_invalid": Message(
        422, "`{path}`: `{field}` {problem}", "`{path}`：`{field}` {problem}"
    ),
    "document_too_large": Message(
        413,
        "`{path}` is beyond the limit of {limit}; split it",
        "`{path}` 超过上限 {limit}；请拆分",
    ),
    "document_feature_refused": Message(
        422,
        "`{path}`: {what} is not accepted; write the value out in one plain document",
        "`{path}`：不接受 {what}；请在单个文档中直接写出取值",
    ),
    "document_field_repeated": Message(
        422,
        "`{path}`: the field `{field}` is written twice; keep one of them",
        "`{path}`：字段 `{field}` 重复；请只保留一个",
    ),
    "document_unit_missing": Message(
        422,
        "`{path}`: `{table}` names no privacy unit, so nobody's rows in it would be protected; {cure}",
        "`{path}`：`{table}` 未指明隐私单元，其中的个体将不受保护；{cure}",
    ),
    "document_unit_ambiguous": Message(
        422,
        "`{path}`: a row of `{table}` leads to the unit by {paths}, and only one can be protected; sign the choice with `protected_path: true` under `unit`",
        "`{path}`：`{table}` 的一行可经 {paths} 到达隐私单元，只能保护其中之一；请在 `unit` 下写明 `protected_path: true`",
    ),
    "document_provenance_missing": Message(
        422,
        "`{path}`: the public table `{table}` does not say where it comes from; state under `provenance` that it is not computed from the private tables",
        "`{path}`：公开表 `{table}` 未说明来源；请在 `provenance` 中声明其并非由私有表计算得出",
    ),
    "document_delta_too_large": Message(
        422,
        "`{path}`: `delta_total` must be below 1/(10 x {units} declared units); lower it",
        "`{path}`：`delta_total` 必须小于 1/(10 x {units} 个声明单元)；请调低",
    ),
    "document_bounds_missing": Message(
        422,
        "`{path}`: `{table}.{column}` may be aggregated but has no `bounds`, so one person could move a sum without limit; add `bounds: [low, high]` from public knowledge or remove the use `aggregate`",
        "`{path}`：`{table}.{column}` 可聚合但没有 `bounds`，单个个体可无限影响结果；请依据公开常识写明 `bounds: [下限, 上限]`，或去掉 `aggregate`",
    ),
    "document_classification_refused": Message(
        451,
        "`{path}`: {what} may not be operated at all; remove it from the policy",
        "`{path}`：{what} 不得授权运营；请从策略中移除",
    ),
    "document_fee_refused": Message(
        422,
        "`{path}`: the purpose `{purpose}` is of class {purpose_class} and must be free; set `fee: free` or state the class industry",
        "`{path}`：用途 `{purpose}` 属于 {purpose_class}，不得收费；请写 `fee: free` 或改为 industry 类",
    ),
    "document_exact_output": Message(
        422,
        "`{path}`: the output mode `{mode}` does not exist; only `dp` leaves the domain",
        "`{path}`：不存在输出方式 `{mode}`；只有 `dp` 结果可以出域",
    ),
    "document_not_found": Message(
        404, "`{path}` cannot be read; check the path", "无法读取 `{path}`；请检查路径"
    ),
}

"""What can be wrong with what is sent beside a question's text, in both languages: parameters and a wanted accuracy."""

# A sentence stays on one line, as in the catalogue itself.
# ruff: noqa: E501

from policies.message import Message

ASKING = {
    "parameter_missing": Message(
        422,
        "`{name}` has no value; send one in `parameters`",
        "`{name}` 没有取值；请在 `parameters` 中给出",
    ),
    "parameter_unused": Message(
        422,
        "`{name}` stands nowhere in the query; leave it out of `parameters`, or write it where it belongs",
        "`{name}` 未在查询中使用；请从 `parameters` 中去掉，或写入查询的相应位置",
    ),
    "parameters_mixed": Message(
        422,
        "`{one}` and `{other}` are two ways to write parameters; use one of them throughout",
        "`{one}` 与 `{other}` 是两种参数写法；请统一使用一种",
    ),
    "parameters_form": Message(
        422,
        "`{name}` takes its value from {need}; send `parameters` in that form",
        "`{name}` 的取值来自{need}；请按此形式提供 `parameters`",
    ),
    "parameter_misplaced": Message(
        422,
        "a parameter stands for a value and cannot name a table, a column or an alias; write the name out",
        "参数代表取值，不能用作表名、列名或别名；请直接写出名称",
    ),
    "parameter_invalid": Message(
        422,
        "the value of `{name}` {problem}",
        "`{name}` 的取值{problem}",
    ),
    "parameters_too_many": Message(
        422,
        "`parameters` hold more than {limit} {what}; use ranges instead of lists",
        "`parameters` 超过上限 {limit}（{what}）；请用区间代替列表",
    ),
    "accuracy_invalid": Message(
        422,
        "`{text}` is no accuracy; write `±100 at 95%`, `±5% of 10000 at 95%` or `±50 over 10000 rows at 95%`",
        "`{text}` 不是有效的精度；请写作 `±100 at 95%`、`±5% of 10000 at 95%` 或 `±50 over 10000 rows at 95%`",
    ),
    "accuracy_and_loss": Message(
        422,
        "the loss follows from `accuracy`; leave `{field}` out, or `accuracy`",
        "隐私预算由 `accuracy` 推出；请去掉 `{field}` 或 `accuracy`",
    ),
    "accuracy_column_unknown": Message(
        422,
        "the answer has no single noisy column `{column}`; its noisy columns are {columns}",
        "结果中没有唯一的含噪列 `{column}`；含噪列为 {columns}",
    ),
    "accuracy_needs_expectation": Message(
        422,
        "±{size}% of a value that nobody knows yet cannot be promised; send your own guess in `expected` for `{column}`, or write `±{size}% of 10000 at 95%`",
        "尚不知道真值，无法承诺其 ±{size}%；请在 `expected` 中给出 `{column}` 的预估值，或写作 `±{size}% of 10000 at 95%`",
    ),
    "accuracy_needs_rows": Message(
        422,
        "the error of `{column}` depends on how many rows it is over; write `±50 over 10000 rows at 95%`",
        "`{column}` 的误差取决于行数；请写作 `±50 over 10000 rows at 95%`",
    ),
    "accuracy_in_rows": Message(
        422,
        "how far `{column}` is off is known either in its own unit or, for a median, a quantile, min and max, in rows; write `±100 at 95%` for the first and `±200 rows at 95%` for the second",
        "`{column}` 的误差要么以其自身单位表示，要么（中位数、分位数、min、max）以行数表示；前者写作 `±100 at 95%`，后者写作 `±200 rows at 95%`",
    ),
    "accuracy_not_foretold": Message(
        422,
        "the error of `{column}` follows from noisy values and is known with the answer only; name the other columns in `accuracy`, or state a loss",
        "`{column}` 的误差由多个含噪值决定，随结果才能得知；请在 `accuracy` 中只写其他列，或直接给出隐私预算",
    ),
    "accuracy_out_of_reach": Message(
        422,
        "`{column}` within ±{wanted} is out of reach: {limit}, the most one query may spend, gives ±{reached}; ask for that, or for fewer columns",
        "`{column}` 无法达到 ±{wanted}：单次查询上限 {limit} 可达 ±{reached}；请放宽精度或减少列数",
    ),
}

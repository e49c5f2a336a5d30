"""What can be wrong with what is sent beside a question's text, in both languages: parameters."""

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
}

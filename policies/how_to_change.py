"""How to change a question that was refused, code by code: the rule behind the refusal, and what to write instead.

Longer than the refusal's own sentence and without its particulars; docs/REFUSALS.md shows it, and so does every problem.
"""

# A sentence stays on one line, as in the catalogue itself.
# ruff: noqa: E501

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class How:
    """The advice to one code in both languages."""

    en: str
    zh: str

    def says(self, language: str) -> str:
        """Return it in `en` or `zh-CN`."""
        return self.zh if language.startswith("zh") else self.en


_SQL = {
    "sql_too_long": How(
        "a query is one page of text, not a list of data: replace a long IN list by a range, or join a table that holds the values",
        "查询应为一页文本而不是数据清单：用区间代替过长的 IN 列表，或连接保存这些值的表",
    ),
    "sql_too_complex": How(
        "a query is read by recursion, so its depth is limited: chain conditions with AND and OR without brackets, or send two queries",
        "查询按递归读取，因此深度有限：条件用 AND、OR 连接而不加括号，或分两次查询",
    ),
    "sql_not_text": How(
        "text that reads differently in parser and engine is not read at all: type the query anew instead of pasting it from a document",
        "解析器与引擎读法不同的文本一律不读：请重新键入查询，不要从文档中粘贴",
    ),
    "sql_syntax": How(
        "the place named is where reading stopped; the slip is there or just before it: look for a missing comma, bracket or quotation mark",
        "给出的位置是读取停止之处；错误就在该处或其前：请检查缺少的逗号、括号或引号",
    ),
    "sql_not_a_select": How(
        "only questions run here, nothing that writes, loads or sets: send the SELECT alone, without EXPLAIN, without a second statement",
        "此处只运行查询，不写入、不加载、不设置：请单独提交 SELECT，不带 EXPLAIN，也不带第二条语句",
    ),
    "sql_feature_refused": How(
        "what has no proof of how far one person can move it is left out of the language: follow the cure in the refusal; docs/SQL.md lists what there is and what to write instead",
        "无法证明单个个体影响上限的语法不在语言之内：请按拒绝信息中的办法修改；docs/SQL.md 列出可用语法及替代写法",
    ),
    "sql_function_refused": How(
        "every function here has a value or NULL on every row and reads nothing but its arguments: take one from docs/SQL.md, as LIKE for a regular expression, date_trunc for strftime, a written day for today()",
        "此处的函数对每一行都有值或为 NULL，且只读取其参数：请从 docs/SQL.md 中选用，如用 LIKE 代替正则，用 date_trunc 代替 strftime，用写明的日期代替 today()",
    ),
    "sql_argument_refused": How(
        "some arguments must be the same for every row, or a row could make them fail: write a constant or a parameter of the kind that is named",
        "有些参数对每一行必须相同，否则某一行可能使其报错：请写所要求类型的常量或参数",
    ),
    "sql_type_mismatch": How(
        "no value is converted behind your back: write CAST(… AS …) around the side you mean; for the share of true values, avg(CAST(condition AS INTEGER))",
        "不会暗中转换类型：请在所指的一侧写 CAST(… AS …)；求真值占比时写 avg(CAST(条件 AS INTEGER))",
    ),
}

_BESIDE = {
    "parameter_missing": How(
        "every `?`, `$1` and `$name` in the text takes a value from `parameters`: send one, or write the constant into the text",
        "文本中的每个 `?`、`$1`、`$name` 都从 `parameters` 取值：请给出取值，或把常量写入文本",
    ),
    "parameter_unused": How(
        "a value that nothing asks for is most often a slip in a name: correct the name, or leave the value out",
        "没有用到的取值多半是名称有误：请更正名称或去掉该取值",
    ),
    "parameters_mixed": How(
        "one query keeps to one way of writing parameters: number or name all of them",
        "一条查询只用一种参数写法：请统一编号或统一命名",
    ),
    "parameters_form": How(
        "`?` and `$1` take their values from a list, `$name` from an object: send the other form, or write the others",
        "`?` 与 `$1` 从列表取值，`$name` 从对象取值：请换一种形式，或换一种写法",
    ),
    "parameter_misplaced": How(
        "a parameter is a value, never a piece of SQL: write names of tables and columns into the text",
        "参数是取值而不是 SQL 片段：表名和列名请直接写入文本",
    ),
    "parameter_invalid": How(
        'send text, a number, true, false or null, or {"type": "DATE", "value": "2024-01-01"}; numbers with a point are exact decimals',
        '请发送文本、数字、true、false 或 null，或 {"type": "DATE", "value": "2024-01-01"}；带小数点的数字按精确小数读取',
    ),
    "parameters_too_many": How(
        "parameters are constants of a question, not a table: use BETWEEN, or join a table that holds the values",
        "参数是查询的常量，不是数据表：请使用 BETWEEN，或连接保存这些值的表",
    ),
    "accuracy_invalid": How(
        "an accuracy is a half-width at 95 %, in the unit of the column, or a percentage of a value you name",
        "精度是 95 % 的半宽，以列的单位表示，或为所给数值的百分比",
    ),
    "accuracy_and_loss": How(
        "either the loss is given and the accuracy follows, or the other way round: leave one of them out",
        "或给出隐私预算由其得到精度，或反之：请去掉其一",
    ),
    "accuracy_column_unknown": How(
        "an accuracy is for a noisy column, by the name it has in the answer: give the column an alias with AS and use that",
        "精度针对含噪列，按其在结果中的名称指定：请用 AS 给列命名并使用该名称",
    ),
    "accuracy_needs_expectation": How(
        "the true value is not known before the answer, and looking it up would cost: name the value that the percentage is of",
        "真值在得到结果之前未知，查看它也要消耗预算：请给出百分比所依据的数值",
    ),
    "accuracy_needs_rows": How(
        "an average over few rows is noisier than one over many, and how many there are is not told: name the number of rows it should hold for",
        "行数越少平均值的噪声越大，而行数本身不会透露：请给出适用的行数",
    ),
    "accuracy_in_rows": How(
        "a median may be far off in value where rows are sparse and is only ever bounded in rows: write `±200 rows at 95%` for it",
        "数据稀疏处中位数在数值上可能相差很大，只能以行数限定：请写作 `±200 rows at 95%`",
    ),
    "accuracy_not_foretold": How(
        "the error of a ratio depends on its value: ask for its parts with an accuracy of their own, and divide them in the same query",
        "比值的误差取决于其本身：请对分子、分母分别指定精度，并在同一查询中相除",
    ),
    "accuracy_out_of_reach": How(
        "noise follows from what one person can add: ask for less accuracy, for fewer columns, or for a sum over narrower bounds",
        "噪声取决于单个个体的最大贡献：请放宽精度、减少列数，或对更窄的范围求和",
    ),
}

_NAMES = {
    "unknown_table": How(
        "only granted tables can be seen: `keyong datasets`, or GET /v1/datasets, lists them",
        "只能看到已授权的表：请用 `keyong datasets` 或 GET /v1/datasets 查看",
    ),
    "unknown_column": How(
        "names are those of the dataset's schema, whatever their case: `keyong datasets ID` lists them; put text in single quotation marks, names in double ones",
        "列名以数据集结构为准，不区分大小写：`keyong datasets ID` 可列出；文本用单引号，名称用双引号",
    ),
    "ambiguous_column": How(
        "two tables of the query have a column of that name: write table.column, or join them USING it",
        "查询中有两个表含该列：请写作 表.列，或用 USING 连接",
    ),
    "duplicate_alias": How(
        "each table of a query has a name of its own: give the second one an alias",
        "查询中每个表须有各自的名称：请为第二个表取别名",
    ),
}

_GRANTS = {
    "purpose_not_granted": How(
        "a policy grants purposes, not only columns: name one of those listed, or ask the holder for yours",
        "策略不仅授权列，也授权用途：请使用所列用途之一，或向持有单位申请",
    ),
    "policy_not_in_force": How(
        "no change of the question helps: the holder must renew the policy",
        "修改查询无济于事：须由持有单位续期",
    ),
    "operator_not_granted": How(
        "no change of the question helps: ask the holder for a policy of your own",
        "修改查询无济于事：请向持有单位申请自己的策略",
    ),
    "policies_incompatible": How(
        "tables under different policies meet in one query only where both allow it: query them separately",
        "不同策略下的表只有在双方都允许时才能同时查询：请分别查询",
    ),
    "policy_suspended": How(
        "no change of the question helps: the holder has stopped it for now",
        "修改查询无济于事：持有单位已暂停",
    ),
    "table_not_granted": How(
        "leave that table out, or send the needed grants in the refusal to its holder",
        "请去掉该表，或将拒绝信息中的所需授权发给其持有单位",
    ),
    "column_use_not_granted": How(
        "a column is granted for a use: what may be summed may not always be grouped or filtered by. Use it as granted, use another column, or send the needed grant to the holder",
        "列按用途授权：可求和的列不一定可用于分组或过滤。请按授权用途使用、改用其他列，或将所需授权发给持有单位",
    ),
    "too_few_bins": How(
        "an order statistic chooses among the steps in which a column may be seen, and needs enough of them: ask for an average, or for counts by bands",
        "次序统计量在列可见的步长之间选择，步长数须足够：请改求平均值，或按区段计数",
    ),
    "aggregate_not_granted": How(
        "take another aggregate: sum(x) / count(x) for avg(x), avg(x) * count(x) for sum(x)",
        "请改用其他聚合：用 sum(x) / count(x) 代替 avg(x)，用 avg(x) * count(x) 代替 sum(x)",
    ),
    "join_not_granted": How(
        "tables meet only on the columns that the policy lists for them: join on exactly those",
        "表只能按策略所列的列连接：请严格按这些列连接",
    ),
    "not_aggregated": How(
        "no row of a person is shown: aggregate the column, group by it, or leave it out",
        "不显示任何个体的数据行：请对该列聚合、按其分组，或去掉该列",
    ),
    "no_aggregate": How(
        "which groups exist would itself tell who is there: add count(*), and every declared group is shown with a noisy count",
        "分组是否存在本身会透露个体：请加入 count(*)，则每个已声明的分组都会给出含噪计数",
    ),
    "too_many_groups": How(
        "every declared group is in the answer, so the groups of all keys multiply: use fewer keys, or coarser ones as date_trunc('month', day)",
        "每个已声明的分组都在结果中，各键的分组数相乘：请减少分组键，或加粗，如 date_trunc('month', day)",
    ),
    "too_many_rows": How(
        "add a LIMIT with ORDER BY; both act on noisy values and cost nothing",
        "请用 ORDER BY 加 LIMIT；二者作用于含噪值，不消耗预算",
    ),
    "too_many_literals": How(
        "a long list of constants can pick out single people: use BETWEEN, a prefix with LIKE, or join a public table",
        "过长的常量列表可能挑出个体：请用 BETWEEN、LIKE 前缀，或连接公开表",
    ),
}

_BOUNDS = {
    "unit_join_missing": How(
        "two tables that hold the same people are joined person by person, or one person could touch everybody's rows: add the equality to ON or WHERE under AND, in a subquery to its own WHERE",
        "含有相同个体的两个表须逐人连接，否则一个人可能影响所有人的数据行：请在 ON 或 WHERE 的 AND 条件中加入该等式；子查询中则加入其自身的 WHERE",
    ),
    "family_mismatch": How(
        "nobody has bounded how far one unit of one kind can move the rows of the other: ask about each table, and combine the noisy answers",
        "无人限定一类单元对另一类数据行的影响：请分别查询各表，再合并含噪结果",
    ),
    "no_private_table": How(
        "privacy budget is for protected tables: add one, or read the public table where it is published",
        "隐私预算只用于受保护的表：请加入一张，或到公开处读取公开表",
    ),
    "bounds_missing": How(
        "noise covers the most that one value can be, so there must be a most: write least(greatest(x, low), high), and FILTER (WHERE x IS NOT NULL) where x may be NULL",
        "噪声须覆盖单个取值的最大可能，因此必须有上限：请写作 least(greatest(x, 下限), 上限)，可能为空时加 FILTER (WHERE x IS NOT NULL)",
    ),
    "bounds_too_wide": How(
        "exact sums stay within whole numbers of 62 bits: narrow the value with least and greatest, or sum it as DOUBLE",
        "精确求和限于 62 位整数：请用 least、greatest 缩小取值，或转换为 DOUBLE 求和",
    ),
    "key_domain_missing": How(
        "every declared group is shown and no other: group by a column with declared values, by steps as CAST(floor(x / 1000) AS INTEGER), by CASE with constants, or by a condition",
        "只显示已声明的分组：请按有值域的列、按步长如 CAST(floor(x / 1000) AS INTEGER)、按结果为常量的 CASE 或按条件分组",
    ),
    "private_keys_not_granted": How(
        "groups that nobody declared are shown only if many people are in them, and only where the policy allows it: group by declared values, or ask the holder for `query.private_keys`",
        "未声明的分组只有在人数足够且策略允许时才显示：请按已声明的值分组，或向持有单位申请 `query.private_keys`",
    ),
    "key_too_fine": How(
        "the holder lets the column be seen in steps of one width: group by CAST(floor(x / width) AS INTEGER), or compare with multiples of the width",
        "持有单位只允许按固定步长查看该列：请按 CAST(floor(x / 步长) AS INTEGER) 分组，或与步长的倍数比较",
    ),
    "expression_may_overflow": How(
        "no row may raise an error, so every type must hold every result: cast one operand to DOUBLE, or to a DECIMAL with fewer digits",
        "任何一行都不得报错，因此类型须容纳所有结果：请将一个操作数转换为 DOUBLE，或位数更少的 DECIMAL",
    ),
}

_LOSS = {
    "loss_missing": How(
        "say what the question may cost: `epsilon` or `rho` as the dataset's `loss_field` says, or an `accuracy` and the loss is found",
        "请写明查询可消耗的预算：按数据集的 `loss_field` 给出 `epsilon` 或 `rho`，或给出 `accuracy` 由系统求出",
    ),
    "delta_missing": How(
        "hiding small groups fails with a small probability, which is spent too: send `delta`, or group by declared values, which costs none",
        "隐藏小分组有极小的失败概率，这也要消耗：请给出 `delta`，或按已声明的值分组，则无需消耗",
    ),
    "loss_not_positive": How(
        'a loss is a decimal above 0 in a string, without an exponent: "0.5"',
        '预算为大于 0 的小数字符串，不带指数："0.5"',
    ),
    "loss_per_query_exceeded": How(
        "one query may spend so much and no more: ask for less, or ask for fewer aggregates, which share what is spent",
        "单次查询的消耗有上限：请降低，或减少聚合，因为它们分摊预算",
    ),
    "loss_too_small": How(
        "the loss is shared by all measurements of a query and each needs some: ask for more, or for fewer aggregates",
        "预算由查询的各个测量分摊，每个都需要一些：请提高预算或减少聚合",
    ),
    "budget_exhausted": How(
        "the account named bears no more: ask for less loss, wait for its next window, or ask a question that was answered before, which is free",
        "所示账户已无余量：请降低预算、等待下一周期，或提出此前已答复过的查询（免费）",
    ),
    "query_does_not_prepare": How(
        "the query was tried on a copy of the schema without data and did not run there: simplify it step by step, casts first; if it is on docs/SQL.md, tell the holder",
        "查询已在无数据的同构副本上试运行但未成功：请逐步简化，先检查类型转换；若该写法在 docs/SQL.md 中，请告知持有单位",
    ),
    "operator_suspended": How(
        "no change of the question helps: a failed run may have told one bit, so the holder looks first",
        "修改查询无济于事：失败的运行可能透露一位信息，须由持有单位先行复核",
    ),
}

HOW: Mapping[str, How] = MappingProxyType(
    {**_SQL, **_BESIDE, **_NAMES, **_GRANTS, **_BOUNDS, **_LOSS}
)

"""Phrases that fill a message's gaps, in Chinese: what a refusal needs and how to cure it, besides the user's own words.

A gap filled with a table's name or a piece of the user's SQL stays as it is; a phrase of ours is translated. Phrases that end
in a value of their own (`cast to one of …`) are known by how they begin.
"""

from collections.abc import Mapping
from types import MappingProxyType

WHOLE: Mapping[str, str] = MappingProxyType(
    {
        "docs/SQL.md lists the functions": "可用函数见 docs/SQL.md",
        "docs/SQL.md lists what may be asked": "可用语法见 docs/SQL.md",
        "leave that part out": "请去掉该部分",
        "rank the answer with ORDER BY and LIMIT": "请用 ORDER BY 和 LIMIT 对结果排序",
        "ask for it in one query for each grouping": "请为每种分组分别提交查询",
        "name expressions that stand in GROUP BY": "请写出 GROUP BY 中的表达式",
        "keys of GROUP BY": "GROUP BY 的键",
        "a key that reads a column": "读取列的键",
        "grouping sets": "分组集数",
        "keys of grouping sets": "分组集的键数",
        "add ORDER BY to its OVER clause": "请在 OVER 子句中加上 ORDER BY",
        "cast to a DECIMAL: sums of DOUBLE depend on the order of rows": "请转换为 DECIMAL：DOUBLE 的和取决于行的先后",
        "combine tables of the same people": "请合并同一批人的表",
        "constant ends and a positive constant step": "常量端点和正的常量步长",
        "count the distinct values of one expression": "请只对一个表达式去重计数",
        "docs/SQL.md lists the window functions": "可用窗口函数见 docs/SQL.md",
        "group its rows by the key of the privacy unit, or ask for it by itself": "请按隐私单元的键分组，或单独提交该查询",
        "group its rows by the unit, or ask for it first and write its answer": "请按隐私单元分组，或先单独查询再写入结果",
        "use them in the outermost SELECT": "请在最外层 SELECT 中使用",
        "leave ALL out": "请去掉 ALL",
        "limit the answer, or use QUALIFY row_number() inside each person": "请限制最终结果，或在每人之内用 QUALIFY row_number()",
        "move it to WHERE": "请移到 WHERE 中",
        "move it to WHERE, or join it": "请移到 WHERE 中，或改为连接",
        "select one column in the subquery": "子查询请只选一列",
        "select the unit's key at the same position of both, or use UNION ALL": "请在两侧相同位置选出单元键，或用 UNION ALL",
        "take one aggregate in it, without GROUP BY": "子查询请只取一个聚合值且不用 GROUP BY",
        "use QUALIFY row_number() OVER (…) = 1": "请使用 QUALIFY row_number() OVER (…) = 1",
        "use ROWS BETWEEN, with an aggregate, first_value or last_value": "请用 ROWS BETWEEN，配合聚合或 first_value",
        "use an inner or a left join": "请使用内连接或左连接",
        "use equalities `inner = outer` only, or EXISTS": "请只用等式 `内 = 外`，或使用 EXISTS",
        "write CROSS JOIN for the comma": "请把逗号写成 CROSS JOIN",
        "write ON": "请写明 ON",
        "write the ends and the step out": "请直接写出端点和步长",
        "write the values out": "请直接写出各值",
        "write the private table on the side that is preserved": "请把私有表写在被保留的一侧",
        "it depends on the order of rows; use min, max, arg_min or arg_max": "取决于行序；请用 min、max、arg_min",
        "name a registered table": "请使用已登记的表名",
        "count the columns of SELECT from 1": "列序号从 1 开始计数",
        "only count(DISTINCT privacy unit) is known": "仅支持 count(DISTINCT 隐私单元)",
        "put an aggregate before FILTER": "FILTER 前须为聚合函数",
        "count(DISTINCT …) is known for the column of the privacy unit only": "count(DISTINCT …) 仅支持隐私单元列",
        "write the number out": "请直接写出数值",
        "write the values out, or join a table": "请直接写出各值，或连接一张表",
        "write the text out; a pattern taken from a row could raise": "请直接写出文本；取自数据行的模式可能报错",
        "write substring(text, start, length)": "请写作 substring(文本, 起点, 长度)",
        "correct the constant, or cast the other side": "请更正该常量，或转换另一侧的类型",
        "it has no meaning at this place": "此处不能使用",
        "a constant pattern": "常量模式",
        "a constant start and length": "常量起点和长度",
        "a constant unit of time": "常量时间单位",
        "a list of constants": "常量列表",
        "a pattern with few wildcards": "通配符较少的模式",
        "a small whole-number constant": "较小的整数常量",
        "a constant": "常量",
        "a condition": "条件",
        "two types": "两种类型",
        "several tables of the join": "连接中的多个表",
        "one unit's contribution": "单个隐私单元的贡献",
        "uses of aliases": "别名使用次数",
        "tokens": "词元数",
        "depth": "嵌套深度",
        "nothing": "无",
        "several statements": "多条语句",
        "an unfinished string or comment": "未结束的字符串或注释",
        "a subquery": "子查询",
        "a nested SELECT": "嵌套 SELECT",
        "a window function": "窗口函数",
        "a session variable": "会话变量",
        "a parameter without a name": "没有名称的参数",
        "an object of values by name": "按名称给出取值的对象",
        "a list of values in order": "按顺序给出取值的列表",
        "values": "取值个数",
        "bytes": "字节数",
        "holds control characters; take them out": "含有控制字符；请去掉",
        "is no number; write digits, with a point for decimals": "不是数字；请写数字，小数用小数点",
        "is no DOUBLE; write digits, with a point for decimals": "不是 DOUBLE；请写数字，小数用小数点",
        "is looked at together with `accuracy` only; send both": "仅与 `accuracy` 一起使用；请同时提供",
        "is an object of numbers by column": "须为按列给出数字的对象",
        "holds one number other than 0 for each column": "须为每列给出一个非 0 的数字",
        "is neither a list nor an object; send one of them": "既不是列表也不是对象；请使用其中之一",
        "has a name that is no word; use letters, digits and `_`": "的名称不是单词；请使用字母、数字和 `_`",
        "is given twice; case makes no difference": "给出了两次；不区分大小写",
        "is not a text, a number, true, false or null, and given once": "须为文本、数字、true、false 或 null，且只给出一次",
        'is not of the form {"type": "DATE", "value": "2024-01-01"}': '须写作 {"type": "DATE", "value": "2024-01-01"}',
        "is of another type than it says; correct one of them": "与所写类型不符；请更正其一",
        "is no INTEGER; write whole digits, or say BIGINT": "不是 INTEGER；请写整数，或改用 BIGINT",
        'has too many digits; send {"type": "DOUBLE", "value": "1e300"}': '位数过多；请写作 {"type": "DOUBLE", "value": "1e300"}',
        "is not UTF-8 text; send whole letters": "不是 UTF-8 文本；请发送完整字符",
        "is no BIGINT; write whole digits": "不是 BIGINT；请写整数",
        "is no HUGEINT; write whole digits": "不是 HUGEINT；请写整数",
        "a nested field": "嵌套字段",
        "a list or a slice": "列表或切片",
        "a struct": "结构体",
        "a list": "列表",
        "does_not_bind": "无法绑定",
        "type_differs": "类型不一致",
        "raises": "会报错",
        "spent": "已消耗",
        "given back": "已退回",
    }
)
BEGINNINGS: Mapping[str, str] = MappingProxyType(
    {
        "add `": "请在其列中加入 ",
        "cast to one of ": "请转换为以下类型之一：",
        "use one of ": "请使用以下之一：",
        "use at most ": "上限为 ",
        "a column number from 1 to ": "1 至上限之间的列序号，上限为 ",
        "a whole number up to ": "整数，上限为 ",
        "a constant that reads as ": "可读作以下类型的常量：",
        "the types of ": "以下各项的类型：",
    }
)


def in_chinese(words: str) -> str:
    """Return our own phrase in Chinese, and anything else unchanged."""
    if words in WHOLE:
        return WHOLE[words]
    for beginning, chinese in BEGINNINGS.items():
        if words.startswith(beginning):
            return chinese + words.removeprefix(beginning)
    return words

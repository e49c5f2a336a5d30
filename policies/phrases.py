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
        "ask for the inner and the outer part in one flat SELECT with joins": "请改写为一条带连接的平铺 SELECT",
        "ask in one flat SELECT with joins": "请改写为一条带连接的平铺 SELECT",
        "rank the answer with ORDER BY and LIMIT": "请用 ORDER BY 和 LIMIT 对结果排序",
        "ask for it in one query for each grouping": "请为每种分组分别提交查询",
        "name expressions that stand in GROUP BY": "请写出 GROUP BY 中的表达式",
        "keys of GROUP BY": "GROUP BY 的键",
        "a key that reads a column": "读取列的键",
        "grouping sets": "分组集数",
        "keys of grouping sets": "分组集的键数",
        "use an inner join": "请使用内连接",
        "name a registered table": "请使用已登记的表名",
        "count the columns of SELECT from 1": "列序号从 1 开始计数",
        "of distinct values only a count is known": "对去重后的值仅支持计数",
        "put an aggregate before FILTER": "FILTER 前须为聚合函数",
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

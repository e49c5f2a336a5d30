"""The messages of ingest: what a holder is told when its files are not taken in.

They name files, columns and tables, which the holder declared; lines and counts stand in the holder's
report only.
"""

# A sentence stays on one line, as in the catalogue itself.
# ruff: noqa: E501

from collections.abc import Mapping

from policies.message import Message

INGEST: Mapping[str, Message] = {
    "ingest_request_invalid": Message(
        400,
        "the ingest request {problem}; send a canonical declaration and a secret of 64 hexadecimal digits",
        "入库请求无效（{problem}）；请发送规范的数据集声明和 64 位十六进制密钥",
    ),
    "ingest_declaration_unusable": Message(
        422,
        "the declaration cannot be used: `{field}` {problem}; mend the Dataset document",
        "数据集声明不可用：`{field}` {problem}；请修改数据集文档",
    ),
    "ingest_snapshot_exists": Message(
        409,
        "the output folder already holds a snapshot; a snapshot is never replaced, so name a new folder",
        "输出目录中已有快照；快照不可覆盖，请指定新的目录",
    ),
    "ingest_running": Message(
        409,
        "another ingest works in this output folder; wait for it or name another folder",
        "该输出目录中正有另一入库任务；请等待或指定其他目录",
    ),
    "ingest_source_missing": Message(
        422,
        "the source `{file}` is not a file inside the source folder; put it there or correct `source`",
        "源目录中没有文件 `{file}`；请放入该文件或修改 `source`",
    ),
    "ingest_source_unreadable": Message(
        422,
        "`{file}` cannot be read as what its name says; save it again (one file to an archive, one kind of line ending)",
        "无法按文件名所示格式读取 `{file}`；请重新保存（压缩包内仅一个文件，换行符一致）",
    ),
    "ingest_source_unfinished": Message(
        409,
        "a writer has not closed `{file}` (its .wal is still there); close it or run CHECKPOINT first",
        "`{file}` 仍被写入（存在 .wal 文件）；请先关闭写入方或执行 CHECKPOINT",
    ),
    "ingest_source_not_utf8": Message(
        422,
        "`{file}` is not UTF-8; save it as UTF-8 (the report names the line)",
        "`{file}` 不是 UTF-8 编码；请另存为 UTF-8（行号见报告）",
    ),
    "ingest_source_line_broken": Message(
        422,
        "a line of `{file}` has not the columns of its first line, or a quote that does not end; quote fields that hold commas (the report names the line)",
        "`{file}` 中有一行列数与表头不符或引号未闭合；含逗号的字段请加引号（行号见报告）",
    ),
    "ingest_column_missing": Message(
        422,
        "`{file}` has no column `{column}`; add it to the file or remove it from the declaration",
        "`{file}` 缺少列 `{column}`；请在文件中补充或从声明中删除",
    ),
    "ingest_column_not_declared": Message(
        422,
        "`{file}` has the column `{column}`, which is not declared; declare it or leave it out of the file",
        "`{file}` 含有未声明的列 `{column}`；请声明该列或从文件中去掉",
    ),
    "ingest_column_repeated": Message(
        422,
        "`{file}` has two columns `{column}` (upper and lower case are not told apart); rename one",
        "`{file}` 有重复的列 `{column}`（不区分大小写）；请改名",
    ),
    "ingest_type_unsupported": Message(
        422,
        "`{column}` of `{file}` is {found} and is declared {declared}; declare a type that holds it, or cast it before",
        "`{file}` 的列 `{column}` 为 {found}，声明为 {declared}；请改用可容纳的类型或事先转换",
    ),
    "ingest_public_row_wrong": Message(
        422,
        "the public table `{table}` has a row with a wrong value or without its key; mend it (the report names the places)",
        "公开表 `{table}` 有取值错误或缺少主键的行；请修正（位置见报告）",
    ),
    "ingest_public_key_repeated": Message(
        422,
        "the public table `{table}` repeats its primary key {columns}, so a join would multiply rows; make it unique",
        "公开表 `{table}` 的主键 {columns} 重复，连接会使行数增多；请保证唯一",
    ),
    "ingest_public_reference_broken": Message(
        422,
        "a row of the public table `{table}` refers to a row of `{references}` that is not there; add it or remove the foreign key",
        "公开表 `{table}` 有一行引用了 `{references}` 中不存在的行；请补充或删除该外键",
    ),
    "ingest_key_shared": Message(
        422,
        "two privacy units share a primary key ({columns}) of `{table}`; give each row its own key, or declare no primary key",
        "`{table}` 中两个隐私单元共用主键（{columns}）；请为每行设置唯一主键，或不声明主键",
    ),
    "ingest_units_above_declared": Message(
        422,
        "there are more privacy units than the {declared} declared; raise `units_declared_max`, and lower `delta_total` with it",
        "隐私单元数超过声明的 {declared}；请提高 `units_declared_max` 并相应降低 `delta_total`",
    ),
    "ingest_failed": Message(
        500,
        "ingest failed and published nothing; the report in the output folder names the kind of failure",
        "入库失败，未发布任何内容；输出目录中的报告说明了失败类型",
    ),
}

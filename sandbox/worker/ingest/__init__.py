"""Turn a holder's raw files into one immutable snapshot, beside the data and with no way out.

    open_source → load → settle → publish
    a file        typed rows   one unit's rows, capped   snapshot.duckdb, catalogue.json; report.json for the holder

Statement   What is dropped of one privacy unit is a function of that unit's own rows, the public tables and the
            declarations. So ingesting without a unit gives the same snapshot without that unit's rows.
Not promised  That ingest itself is private: it refuses, and takes its time, as the raw data make it. It runs for the
            holder, and its report goes to the holder's folder alone.
"""

"""The tables, in the words SQLite and PostgreSQL share (BLOB is BYTEA there; the triggers are written anew).

    head, entry, node, checkpoint      the log: dense index, perfect subtrees, signed heads
    account, hold, operation           projections of the log, changed only in the transaction that appends to it
    release, cell                      the bytes that were released and where a repeated question finds them
    noisy, vector                      the noisy totals behind a release, and the name of each of their vectors
    review                             up to which entry a holder has looked at an operator's failures

Reason      The index comes from the one row of `head`, never from a sequence: a sequence leaves a gap when a
            transaction rolls back, and a gap cannot be told from a deleted entry.
"""

_TABLES = """
CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), size BIGINT NOT NULL);
INSERT INTO head VALUES (1, 0);

CREATE TABLE entry (
  idx BIGINT PRIMARY KEY, source TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL,
  leaf BLOB NOT NULL, leaf_hash BLOB NOT NULL, UNIQUE (source, id));
CREATE INDEX entry_kind ON entry (kind, idx);

CREATE TABLE node (
  level INTEGER NOT NULL, position BIGINT NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, position));

CREATE TABLE checkpoint (size BIGINT PRIMARY KEY, note TEXT NOT NULL);

CREATE TABLE account (
  id TEXT PRIMARY KEY, unit TEXT NOT NULL, authority TEXT NOT NULL, cap BIGINT NOT NULL CHECK (cap >= 0),
  posted BIGINT NOT NULL CHECK (posted >= 0), held BIGINT NOT NULL CHECK (held >= 0));

CREATE TABLE operation (
  id TEXT PRIMARY KEY, client TEXT NOT NULL, idempotency_key TEXT NOT NULL, request_digest TEXT NOT NULL,
  source TEXT NOT NULL, fence TEXT NOT NULL, state TEXT NOT NULL, deadline TEXT NOT NULL,
  family TEXT NOT NULL, shape TEXT NOT NULL, accepted_idx BIGINT NOT NULL, ended_idx BIGINT,
  reason TEXT, touched INTEGER, release_of TEXT,
  UNIQUE (client, idempotency_key));
CREATE INDEX operation_open ON operation (state, source) WHERE ended_idx IS NULL;
CREATE INDEX operation_failed ON operation (family, client, ended_idx) WHERE touched = 1;

CREATE TABLE hold (
  operation TEXT NOT NULL REFERENCES operation (id), account TEXT NOT NULL REFERENCES account (id),
  unit TEXT NOT NULL, amount BIGINT NOT NULL CHECK (amount >= 0), PRIMARY KEY (operation, account));

CREATE TABLE release (
  operation TEXT PRIMARY KEY REFERENCES operation (id), accepted_idx BIGINT NOT NULL,
  idx BIGINT NOT NULL, bytes BLOB NOT NULL, salt BLOB NOT NULL, commitment TEXT NOT NULL);

CREATE TABLE cell (digest TEXT PRIMARY KEY, operation TEXT NOT NULL REFERENCES release (operation));

CREATE TABLE review (
  client TEXT NOT NULL, family TEXT NOT NULL, idx BIGINT NOT NULL, PRIMARY KEY (client, family));
"""

# What the second layout added. `together` is the first operation of those that were asked as one.
_SECOND = """
CREATE TABLE noisy (operation TEXT PRIMARY KEY REFERENCES release (operation), bytes BLOB NOT NULL);

CREATE TABLE vector (
  name TEXT NOT NULL, operation TEXT NOT NULL REFERENCES noisy (operation), position INTEGER NOT NULL,
  scale TEXT NOT NULL, loss BIGINT NOT NULL, delta BIGINT NOT NULL, PRIMARY KEY (name, operation, position));

ALTER TABLE operation ADD COLUMN together TEXT;
"""


def _guards(*tables: str) -> str:
    # Defence in depth against our own mistakes; the tree is the proof against everybody else.
    return "\n".join(
        f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;"
        for table in tables
        for verb in ("UPDATE", "DELETE")
    )


_FIRST = f"{_TABLES}\n{_guards('entry', 'node', 'checkpoint', 'release', 'cell')}"
# From each number to the next: an older database grows in one transaction at its first opening.
STEPS = (
    f"{_FIRST}\nPRAGMA user_version = 1;",
    f"{_SECOND}\n{_guards('noisy', 'vector')}\nPRAGMA user_version = 2;",
)
USER_VERSION = len(STEPS)

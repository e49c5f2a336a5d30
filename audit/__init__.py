"""What happened: one append-only log, and everything else a projection of it.

    charge      units of account, and what an ending does to a hold
    request     what the ledger is asked, what it answers
    ledger      reserve → start → post | fail; reuse; recover          settle    the one path by which an operation ends
    journal     entries, checkpoints, receipts, export                 close     statements over a range of the log
    fold        balances out of the log alone                          verify    for outsiders: a public key is enough
    log/        canonical leaves, Merkle tree, notes, receipts, signer, static export
    store/      one SQLite file: entries, and the rows that mirror them in the same transaction
    money/      metering → rating → split → statement → channel; whole numbers only

The life of a leaf: `reserve` appends it in the transaction that holds the charges; once that is synced the caller may go
on. A checkpoint over the log as it then is gets signed when somebody asks for a receipt, never smaller than or unlike one that
was signed before. The export writes it as static files, and `verify` reads them back knowing nothing but the key.
"""

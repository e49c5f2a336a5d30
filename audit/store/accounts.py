"""Accounts and holds as rows; every change happens in the transaction that appends the event it mirrors."""

import sqlite3

from audit.charge import Balance, Charge, Ending, Unit, is_spent


class UnknownAccount(LookupError):
    """A charge names an account that was never opened, or in another unit: a bug in the caller, not a lack of it."""


def open_row(
    tx: sqlite3.Connection, account_id: str, unit: Unit, cap: int, authority: str
) -> Balance | None:
    """Open an account or set its cap; return its balance as it was before, None if it is new."""
    before = find(tx, account_id)
    if before is None:
        tx.execute(
            "INSERT INTO account VALUES (?, ?, ?, ?, 0, 0)", (account_id, unit, authority, cap)
        )
    elif before.unit is not unit:
        raise UnknownAccount(f"account `{account_id}` counts {before.unit}, not {unit}")
    else:
        tx.execute(
            "UPDATE account SET cap = ?, authority = ? WHERE id = ?", (cap, authority, account_id)
        )
    return before


def find(tx: sqlite3.Connection, account_id: str) -> Balance | None:
    """Return one balance."""
    row = tx.execute(
        "SELECT id, unit, cap, posted, held FROM account WHERE id = ?", (account_id,)
    ).fetchone()
    return None if row is None else _balance(row)


def all_rows(tx: sqlite3.Connection) -> tuple[Balance, ...]:
    """Return every balance, by account id."""
    return tuple(
        _balance(row)
        for row in tx.execute("SELECT id, unit, cap, posted, held FROM account ORDER BY id")
    )


def first_short(
    tx: sqlite3.Connection, charges: tuple[Charge, ...]
) -> tuple[Charge, Balance] | None:
    """Return the first charge that its account cannot bear. A charge of nothing is always borne."""
    for charge in charges:
        balance = find(tx, charge.account_id)
        if balance is None or balance.unit is not charge.unit:
            raise UnknownAccount(
                f"no account `{charge.account_id}` counts {charge.unit}; open it first"
            )
        if charge.amount and balance.available < charge.amount:
            return charge, balance
    return None


def hold(tx: sqlite3.Connection, operation_id: str, charges: tuple[Charge, ...]) -> None:
    """Set the charges aside. The caller has checked them in this same transaction."""
    for charge in charges:
        tx.execute(
            "UPDATE account SET held = held + ? WHERE id = ?", (charge.amount, charge.account_id)
        )
        tx.execute(
            "INSERT INTO hold VALUES (?, ?, ?, ?)",
            (operation_id, charge.account_id, charge.unit, charge.amount),
        )


def settle(tx: sqlite3.Connection, operation_id: str, ending: Ending) -> None:
    """Turn the holds of an operation into what its ending makes of them."""
    rows = tx.execute(
        "SELECT account, unit, amount FROM hold WHERE operation = ?", (operation_id,)
    ).fetchall()
    for account_id, unit, amount in rows:
        spent = amount if is_spent(Unit(unit), ending) else 0
        tx.execute(
            "UPDATE account SET held = held - ?, posted = posted + ? WHERE id = ?",
            (amount, spent, account_id),
        )
    tx.execute("DELETE FROM hold WHERE operation = ?", (operation_id,))


def post_at_once(tx: sqlite3.Connection, charges: tuple[Charge, ...]) -> None:
    """Spend without a hold: for an answer that is already stored, nothing can go wrong in between."""
    for charge in charges:
        tx.execute(
            "UPDATE account SET posted = posted + ? WHERE id = ?",
            (charge.amount, charge.account_id),
        )


def _balance(row: tuple[str, str, int, int, int]) -> Balance:
    account_id, unit, cap, posted, held = row
    return Balance(account_id, Unit(unit), cap, posted, held)

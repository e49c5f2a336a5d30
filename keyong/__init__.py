"""Keyong 可用, the guest's side: ask a domain node, read its noisy answers, check its receipts.

import keyong
with keyong.Client(url, client_id, client_secret) as client:
    verdict = client.check("hn_health", sql, purpose="public_health", epsilon="0.5")
    answer = client.query("hn_health", sql, purpose="public_health", epsilon="0.5")
    print(keyong.table(answer))
"""

from keyong.answer import Answer, Check, Column
from keyong.batch import BatchAnswer, Member
from keyong.client import Client
from keyong.refused import NotReached, Refused, RunFailed
from keyong.table import table

__all__ = [
    "Answer",
    "BatchAnswer",
    "Check",
    "Client",
    "Column",
    "Member",
    "NotReached",
    "Refused",
    "RunFailed",
    "table",
]

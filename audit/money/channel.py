"""Through which channel a share reaches its payee: decided by the payee's legal kind and the rules of its place.

Not promised  Legal advice. A basis marked `draft` is a draft for comment: statements say so beside every share it
              decided, and a holder may have it reviewed before paying.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from policies.terms import PartyType


class Channel(StrEnum):
    """Where the money goes."""

    NONTAX_TREASURY = (
        "nontax_treasury"  # 政府非税收入，国库集中收缴: the platform never holds or nets it
    )
    LOCAL_FINANCE_RULE = "local_finance_rule"  # 按同级财政收入管理规定
    OWN_REVENUE = "own_revenue"  # 本单位收入


@dataclass(frozen=True, slots=True)
class Route:
    """A channel and what it rests on."""

    channel: Channel
    basis: str
    draft: bool


class UnknownJurisdiction(LookupError):
    """No pack says how payees of this place are paid."""


def _pack(basis: str, draft: bool, public_institution: Channel) -> Mapping[PartyType, Route]:
    own = Route(Channel.OWN_REVENUE, basis, draft)
    return MappingProxyType(
        {
            PartyType.ADMIN_UNIT: Route(Channel.NONTAX_TREASURY, basis, draft),
            PartyType.PUBLIC_INSTITUTION: Route(public_institution, basis, draft),
            PartyType.STATE_ENTERPRISE: own,
            PartyType.ENTERPRISE: own,
            PartyType.PLATFORM: own,
        }
    )


PACKS: Mapping[str, Mapping[PartyType, Route]] = MappingProxyType(
    {
        # 行政事业单位的收益作为政府非税收入，实行国库集中收缴.
        "CN-430000": _pack("湘政办发〔2024〕40号 第6项", False, Channel.NONTAX_TREASURY),
        # 三种收入渠道: 行政单位（含参公）非税; 事业单位按同级财政规定; 国有企业和其他归本单位.
        "CN-330100": _pack(
            "杭州市公共数据资产管理意见（征求意见稿）第七条", True, Channel.LOCAL_FINANCE_RULE
        ),
    }
)


def route(jurisdiction: str, kind: PartyType) -> Route:
    """Return the channel for a payee."""
    pack = PACKS.get(jurisdiction)
    if pack is None:
        raise UnknownJurisdiction(
            f"no channel pack for `{jurisdiction}`; known are {', '.join(PACKS)}"
        )
    return pack[kind]

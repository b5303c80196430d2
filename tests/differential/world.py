"""All models together under one clock, and everything the chain can be asked of them."""

from __future__ import annotations

from dataclasses import dataclass

from tests.differential.chain import MARKET_TERMS, MINTED, Chain
from tests.differential.consent_model import ConsentModel
from tests.differential.emergency_model import EmergencyModel
from tests.differential.key_model import KeyModel
from tests.differential.market_model import MarketModel
from tests.differential.market_terms import Terms
from tests.differential.member_model import MemberModel
from tests.differential.people import account_of
from tests.differential.record_model import RecordModel
from tests.differential.recovery_model import RecoveryModel


@dataclass
class World:
    members: MemberModel
    consents: ConsentModel
    recovery: RecoveryModel
    records: RecordModel
    emergencies: EmergencyModel
    market: MarketModel
    keys: KeyModel
    clock: Clock
    coins: tuple[str, str]  # the honest token, and the one with a fee


@dataclass
class Clock:
    now: int = 0

    def __call__(self) -> int:
        return self.now


def new_world(chain: Chain) -> World:
    """Nothing but what the chain was deployed with."""
    clock = Clock()
    members = MemberModel(account_of("operator"), clock)
    consents = ConsentModel(members, chain.cast.is_wallet, clock)
    recovery = RecoveryModel(consents)
    consents.is_recovery_pending = recovery.is_pending
    market = MarketModel(members, Terms(*MARKET_TERMS), chain.addresses["ResearchMarket"])
    market.balances |= dict.fromkeys(chain.funded, MINTED)
    records, emergencies = RecordModel(members), EmergencyModel(consents)
    coins = chain.addresses["Coin"], chain.addresses["FeeCoin"]
    keys = KeyModel(consents, recovery.is_pending)
    return World(members, consents, recovery, records, emergencies, market, keys, clock, coins)

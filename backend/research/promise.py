"""The custodian's promise about all answers to researchers, in words for patients."""

from __future__ import annotations

import math

from backend.research.policy import BudgetPolicy

DAY_SECONDS = 86_400
MILLION = 10**6


def promise_of(policy: BudgetPolicy) -> str:
    """What a patient may rely on, in plain English; the numbers are the policy's.

    The bound on a guess is Kairouz, Oh and Viswanath 2015, theorem 1 (equal prior chances): an adversary who
    knows everything else tells which of two records is mine with a probability of at most
    (e^epsilon + delta) / (1 + e^epsilon).
    """
    epsilon = policy.epsilon / MILLION
    delta = 10.0**-policy.delta_exponent
    guess = min(1.0, (math.exp(min(epsilon, 700.0)) + delta) / (1 + math.exp(min(epsilon, 700.0))))
    days = policy.period_seconds // DAY_SECONDS
    return (
        "Researchers get figures about groups, never your record, unless you and an ethics board allowed a "
        "table, a fixed list of exact figures, or your records themselves without what names you. Every "
        "figure is blurred by chance on purpose. All answers "
        f"to all researchers together may tell about you, in {days} days, no more than epsilon {epsilon:g} "
        f"at delta {delta:g} allows: somebody who knows everybody else's records and has every answer still "
        f"guesses which of two records is yours with at most {guess:.0%} certainty, where a coin gives 50%. "
        "When that is used up, further questions are refused until the next period. Over several periods "
        "it adds up, so your consent can name a limit of your own over your whole time here: when it is "
        "reached you are left out, and nobody is told. Three things lie outside of this promise: anonymized "
        "tables; exact figures of groups of 11 or more from a list that an ethics board fixed; and, only if "
        "your consent lets research take your data out of the system and a board permitted it for a study, "
        "your own records, de-identified."
    )

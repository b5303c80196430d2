"""Run by ``.venv-checkers``: Google's accountant over sequences of zCDP events. JSON in, JSON out."""

import json
import sys

from dp_accounting import GaussianDpEvent
from dp_accounting.rdp import RdpAccountant

epsilons = []
for asked in json.load(sys.stdin):
    accountant = RdpAccountant()
    for multiplier in asked["noise_multipliers"]:
        accountant.compose(GaussianDpEvent(multiplier))
    epsilons.append(accountant.get_epsilon(asked["delta"]))
json.dump(epsilons, sys.stdout)

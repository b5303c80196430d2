"""Run by the Python of ``.venv-checkers``: what pycanon finds in a CSV file, as JSON.

Arguments: the file, the quasi-identifiers with commas between, the sensitive column, what to compute.
"""

import json
import sys

import pandas
from pycanon import anonymity


def main() -> None:
    path, quasi_text, sensitive, wanted = sys.argv[1:]
    table, quasi = pandas.read_csv(path, dtype=str, keep_default_na=False), quasi_text.split(",")
    found: dict[str, float] = {"k": int(anonymity.k_anonymity(table, quasi))}
    if wanted == "distinct":
        found["l"] = int(anonymity.l_diversity(table, quasi, [sensitive]))
    if wanted == "entropy":
        found["l"] = int(anonymity.entropy_l_diversity(table, quasi, [sensitive]))
    if wanted == "recursive":
        found["c"], found["l"] = map(int, anonymity.recursive_c_l_diversity(table, quasi, [sensitive]))
    if wanted == "t":
        found["t"] = float(anonymity.t_closeness(table, quasi, [sensitive]))
    json.dump(found, sys.stdout)


main()

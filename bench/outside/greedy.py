"""Run by the Python of ``.venv-checkers``: anjana's k-anonymity of a CSV file, and how long it took.

Arguments: the file, where to write the result, k, the suppression limit in percent, and the hierarchies as a
JSON file: for each quasi-identifier its lines from a value to the root.
"""

import json
import sys
import time
from pathlib import Path

import pandas
from anjana.anonymity import k_anonymity


def main() -> None:
    path, output, k, limit, hierarchies = sys.argv[1:]
    table = pandas.read_csv(path, dtype=str, keep_default_na=False)
    lines = json.loads(Path(hierarchies).read_text())
    levels = {name: dict(enumerate(zip(*found, strict=True))) for name, found in lines.items()}
    levels = {
        name: {level: pandas.Series(values).to_numpy() for level, values in found.items()}
        for name, found in levels.items()
    }
    started = time.process_time()
    released = k_anonymity(table, [], list(levels), int(k), float(limit), levels)
    seconds = time.process_time() - started
    released[list(levels)].to_csv(output, index=False)
    json.dump({"seconds": seconds}, sys.stdout)


main()

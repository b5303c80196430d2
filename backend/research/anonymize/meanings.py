"""One plain sentence for each figure of a report, by its path; ``*`` stands for any name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MEANINGS: Final[Mapping[str, str]] = {
    "engine_version": "Releases made with the same version can be compared.",
    "release_sha256": (
        "The SHA-256 of the released file: whoever has the file can tell that this report is its."
    ),
    "privacy.k": (
        "Every combination of released quasi-identifiers is shared by at least this many patients."
    ),
    "privacy.k_reached": "The fewest patients that share a combination, counted on the released file.",
    "privacy.l": "How varied the sensitive values of each class must be, and by which definition.",
    "privacy.l.kind": (
        "Distinct counts different values, entropy and recursive also weigh how often each occurs."
    ),
    "privacy.l.l": "The l that was asked for.",
    "privacy.l.c": (
        "The c of recursive (c, l)-diversity: the most frequent value stays below c times the rarer ones."
    ),
    "privacy.t": (
        "How far the sensitive values of a class may be from those of the whole table: 0 equal, 1 disjoint."
    ),
    "privacy.ground_distance": ("Equal: any two sensitive values are equally far apart, whatever they say."),
    "privacy.mode": (
        "Strict classes share no possible person, max-utility classes may lie inside one another, "
        "full-domain generalises a column to one level for all rows."
    ),
    "privacy.suppression_limit": "The largest share of rows that may be left out.",
    "privacy.protected": "The sensitive columns that l and t hold for.",
    "privacy.pseudonyms": "Whether rows of one patient carry the same pseudonym.",
    "rows.before": "Rows of the input.",
    "rows.released": "Rows that leave.",
    "rows.suppressed": "Rows left out because they would have cost the others too much detail.",
    "rows.cells_suppressed": "Cells of quasi-identifiers in the rows left out.",
    "rows.cells_at_root": (
        "Released cells that say nothing any more, because they stand for the whole domain."
    ),
    "classes.count": "Different combinations of released quasi-identifiers.",
    "classes.least": "Patients in the smallest class.",
    "classes.mean": "Patients in a class on average.",
    "classes.quantiles.*": "This share of the classes has at most about so many patients.",
    "classes.most": "Patients in the largest class.",
    "classes.c_avg": (
        "How many times larger than k a class is on average: 1 would be the least possible (C_avg)."
    ),
    "classes.nested_share": (
        "The share of rows whose class has another class wholly inside it: for these an attacker "
        "who knows the method may infer more than k allows for (downcoding)."
    ),
    "sensitive.*.distinct_l": "Every class has at least this many different values of the column.",
    "sensitive.*.entropy_l": (
        "The values of every class are at least as uncertain as this many equally frequent ones."
    ),
    "sensitive.*.recursive_c": "Recursive diversity with the l asked for holds for every c above this.",
    "sensitive.*.t": (
        "The largest distance of a class's values from those of the whole input, equal ground distance."
    ),
    "loss.mean": "Mean of the columns' losses: 0 is the input itself, 1 says nothing.",
    "loss.entropy_mean": (
        "Mean of the columns' lost information, weighing frequent values less than rare ones."
    ),
    "loss.discernibility": (
        "For each row, how many rows look the same, added up; a row left out looks like all (DM)."
    ),
    "loss.columns.*.loss": (
        "How much of the domain a cell stands for on average: 0 one value, 1 all of them."
    ),
    "loss.columns.*.entropy": "The share of the column's information (bits) that generalisation took.",
    "loss.columns.*.levels": (
        "Released cells at each level of the hierarchy, from the value itself to its root."
    ),
    "shift.columns.*": (
        "How far the column's distribution moved: 0 not at all, 1 altogether (total variation)."
    ),
    "shift.correlation_mean": (
        "How much the strength of the relation of two columns changed, on average over pairs."
    ),
    "shift.correlations.columns": "The two columns.",
    "shift.correlations.before": (
        "Cramér's V of the two columns in the input: 0 independent, 1 one tells the other."
    ),
    "shift.correlations.after": "Cramér's V of the two columns in the release.",
    "risk.prosecutor.highest": (
        "The chance of picking the right row in the smallest class, the target being in the file."
    ),
    "risk.prosecutor.average": "The chance of picking the right row, averaged over all rows.",
    "risk.prosecutor.records_at_risk.*": (
        "The share of rows whose chance of being picked is above this threshold."
    ),
    "risk.journalist.highest": (
        "The same chance when the attacker does not know that the target is in the file."
    ),
    "risk.journalist.average": "That chance, averaged over all rows.",
    "risk.journalist.records_at_risk.*": "The share of rows whose chance is above this threshold.",
    "risk.journalist_from_population": (
        "Whether a population table was given; without one the journalist's risk is taken to be "
        "the prosecutor's."
    ),
    "risk.marketer": "The share of rows that somebody who matches all of them at random gets right.",
    "risk.unique_before": ("The share of the input's records that were alone with their quasi-identifiers."),
    "risk.unique_after": "The share of released records that are alone with theirs.",
    "risk.population_uniqueness": (
        "How much of the population is alone with its quasi-identifiers; needs its size."
    ),
    "risk.population_uniqueness.pitman": ("Estimated with Pitman's sampling formula, before anonymization."),
    "risk.population_uniqueness.zayatz": "Estimated with Zayatz' model, before anonymization.",
    "risk.population_uniqueness.dankar": "The estimate to rely on, chosen by Dankar's rule.",
    "risk.population_uniqueness.chosen": "The model that Dankar's rule chose.",
}

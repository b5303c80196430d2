"""What several releases over the same people say together.

Whoever knows that a person is in two releases looks for them in the intersection of the person's two classes
(Ganta, Kasiviswanathan and Smith 2008, Composition attacks and auxiliary information in data privacy).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ABSENT = -1
Classes = NDArray[np.int64]  # releases x people: the class of each person in each release, or ABSENT


def effective_k(classes: Classes) -> int:
    """The size of the smallest non-empty intersection of classes, over all sets of these releases.

    For each person that is the number of people who were in the same class in every release the person was
    in; more releases only narrow it. 0 where there is nobody.
    """
    sizes = [int(size.min()) for _, size in _groups(classes)]
    return min(sizes, default=0)


def keeps_promises(classes: Classes, promises: Sequence[int]) -> bool:
    """Whether everybody is still among as many as the largest k of the releases they were in promised."""
    asked = np.array(promises, dtype=np.int64)
    return all(int(size.min()) >= int(asked[present].max()) for present, size in _groups(classes))


def _groups(classes: Classes) -> list[tuple[NDArray[np.bool_], NDArray[np.int64]]]:
    """For each set of releases that is all that somebody was in: which ones, and how many people of all who
    were in them share each combination of classes. Who was in more stands in a narrower one there, too."""
    people = classes[:, (classes != ABSENT).any(axis=0)]
    if people.shape[1] == 0:
        return []
    patterns = np.unique(people != ABSENT, axis=1)
    found = []
    for present in patterns.T:
        among = people[present]
        whole = (among != ABSENT).all(axis=0)
        size = np.unique(among[:, whole], axis=1, return_counts=True)[1]
        found.append((present, size.astype(np.int64)))
    return found

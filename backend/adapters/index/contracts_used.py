"""Which contracts the index was last used with, so that an old deployment file is not taken for the newest.

A chain does not say of a contract that another one succeeded it. Restored from an old copy, the file would
bring the service back to contracts that nobody sends stops to any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pymongo.database import Database

from backend.adapters.index.failures import translated
from backend.adapters.ledger.deployment_file import Deployment
from backend.adapters.ledger.errors import DeploymentSucceeded

_KEY: Final[Mapping[str, str]] = {"_id": "contracts"}


def require_newest(database: Database[dict[str, Any]], deployment: Deployment) -> None:
    """Note the deployment's generation where it is newer than what is noted. Durable on return.

    Raises DeploymentSucceeded where it is older, or is another one of the same age; IndexUnavailable.
    """
    generation, registry = len(deployment.predecessors), deployment.address("ConsentRegistry")
    with translated():
        noted = database["schema"].find_one(_KEY) or {"generation": 0, "registry": None}
        if noted["generation"] > generation:
            raise DeploymentSucceeded(f"The registry of consents is {noted['registry']} by now.")
        if noted["generation"] < generation:
            database["schema"].update_one(
                _KEY, {"$set": {"generation": generation, "registry": registry}}, upsert=True
            )
        elif generation and noted["registry"] != registry:
            raise DeploymentSucceeded(f"The registry of consents is {noted['registry']}, not {registry}.")

"""Without a backup directory the routes say so; with one they are part of the drill."""

from __future__ import annotations

from backend.demo.actors import Api
from tests.integration.api.world import assert_problem, raw


def test_backup_without_a_directory_is_refused_with_the_remedy(operator: Api) -> None:
    for method in ("POST", "GET"):
        problem = assert_problem(raw(operator, method, "/v1/backups"), 409, "backup_not_configured")
        assert "ASSENT_BACKUP_INTERVAL_HOURS" in problem["remedy"]

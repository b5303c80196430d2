"""Our Dockerfile as it is followed on a bare Debian, without running a step."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.bare_debian import dockerfile
from scripts.bare_debian.dockerfile import DockerfileInvalid

ROOT = Path(__file__).resolve().parents[3]


def test_stages_and_their_steps_are_read_in_order() -> None:
    first, last = dockerfile.stages(
        "# how it is made\nFROM node:1.2.3 AS tools\nRUN one \\\n && two\n\n"
        "FROM python:3.4.5\nCOPY --from=tools /a b\n"
    )
    assert (first.image, first.name, last.name) == ("node:1.2.3", "tools", None)
    assert [(step.name, step.argument) for step in first.instructions] == [("RUN", "one && two")]
    assert dockerfile.copied(last.instructions[0].argument) == ("tools", ["/a"], "b")


def test_every_step_of_ours_is_one_that_is_followed() -> None:
    found = dockerfile.stages((ROOT / "deploy/Dockerfile").read_text())
    assert [stage.name for stage in found][-1] is None
    final = {step.name: step.argument for step in found[-1].instructions}
    assert dockerfile.command(final["CMD"])[0] == "assent"
    assert "/health/live" in dockerfile.command(final["HEALTHCHECK"])[-1]


@pytest.mark.parametrize("text", ["FROM a:1.0.0\nADD x y", "RUN one", "FROM a:1.0.0\nVOLUME /data"])
def test_step_that_is_not_followed_is_refused_and_not_passed_over(text: str) -> None:
    with pytest.raises(DockerfileInvalid):
        dockerfile.stages(text)


def test_variables_of_an_environment_are_replaced() -> None:
    assert dockerfile.assigned("A=/x PATH=/y:$PATH", {"PATH": "/bin"}) == {"A": "/x", "PATH": "/y:/bin"}


def test_build_sees_what_the_ignore_file_lets_through() -> None:
    files = [
        "README.md",
        "docs/a.json",
        ".env",
        "tests/docs/a",
        "backend/__pycache__/a.pyc",
        "web/dist/index.html",
    ]
    seen = dockerfile.seen((ROOT / ".dockerignore").read_text(), files)
    assert [str(path) for path in seen] == ["README.md", "docs/a.json"]

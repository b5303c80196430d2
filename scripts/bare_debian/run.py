"""Run the steps of the Dockerfile on a bare Debian, then what comes out.

``python -m scripts.bare_debian.run``. There is no container engine here. Each stage begins from a root file
system that debootstrap made; its
instructions are carried out in it, in order, by the Dockerfile's own words. The last one is started as the
image would be, on embedded defaults, until its own health check passes and the pages are served. Ends with 75
where the machine gives no root or no namespaces.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx

from backend.adapters.process import free_port
from scripts.bare_debian import base, dockerfile
from scripts.bare_debian.dockerfile import Stage

_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_STEP_SECONDS: Final = 1200.0
_START_SECONDS: Final = 180.0
_STOP_SECONDS: Final = 60.0
_CANNOT_RUN: Final = 75


class StepFailed(RuntimeError):
    """A step of the Dockerfile does not do what it says."""


class Built:
    """One stage carried out: its root file system, and what the image would carry."""

    def __init__(self, stage: Stage, earlier: dict[str, Built]) -> None:
        self.root = base.FOLDER / "stages" / (stage.name or "image")
        self.env = {"PATH": _PATH, "LANG": "C.UTF-8", "HOME": "/root", "PWD": "/"}
        self.user = "root"
        self.health: list[str] = []
        self.start: list[str] = []
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", str(base.make(stage.image)), str(self.root)], check=True)
        for step in stage.instructions:
            print(f"{step.name} {step.argument}"[:150], flush=True)
            self._do(step.name, step.argument, earlier)

    def command(self, words: list[str], **more: str) -> list[str]:
        return base.enter(self.root, words, env={**self.env, **more}, user=self.user)

    def _do(self, name: str, argument: str, earlier: dict[str, Built]) -> None:
        match name:
            case "WORKDIR":
                self.env["PWD"] = argument
                self._inside(argument).mkdir(parents=True, exist_ok=True)
            case "ENV":
                self.env |= dockerfile.assigned(argument, self.env)
            case "USER":
                self.user = argument
            case "COPY":
                self._copy(argument, earlier)
            case "RUN":
                words = self.command(["/bin/sh", "-c", argument], **base.registries())
                done = subprocess.run(
                    words, capture_output=True, text=True, timeout=_STEP_SECONDS, check=False
                )
                if done.returncode != 0:
                    raise StepFailed(f"RUN {argument}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
            case "HEALTHCHECK":
                self.health = dockerfile.command(argument)
            case "CMD":
                self.start = dockerfile.command(argument)

    def _copy(self, argument: str, earlier: dict[str, Built]) -> None:
        stage, sources, written = dockerfile.copied(argument)
        target = self._inside(written)
        into = written.endswith("/") or len(sources) > 1 or (target.is_dir() and written in (".", "./"))
        for source in sources:
            if stage is not None:
                found = earlier[stage]._inside(source)
                _take(found, target / found.name if into and not found.is_dir() else target)
                continue
            files = [each for each in _clone() if Path(source) in (each, *each.parents)]
            if not files:
                raise StepFailed(f"COPY {argument}: .dockerignore hides {source}, or it is not there.")
            whole = (base.ROOT / source).is_dir()
            for each in files:
                inside = each.relative_to(source) if whole else Path(each.name)
                _take(base.ROOT / each, target / inside if whole or into else target)

    def _inside(self, written: str) -> Path:
        return self.root / str(Path(self.env["PWD"]) / written).lstrip("/")


def _clone() -> list[Path]:
    """The files that a build would see in a clone of this folder."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=base.ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dockerfile.seen((base.ROOT / ".dockerignore").read_text(), listed.stdout.splitlines())


def _take(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir() and not target.exists():
        subprocess.run(["cp", "-a", str(source), str(target)], check=True)
    elif source.is_dir():
        subprocess.run(["cp", "-a", f"{source}/.", str(target)], check=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def try_out(image: Built) -> None:
    """Start it as an engine would, on embedded defaults. Raises StepFailed."""
    port = str(free_port())
    own = {"ASSENT_PORT": port, "ASSENT_HOST": "127.0.0.1", "ASSENT_PUBLIC_URL": f"http://localhost:{port}"}
    health = [word.replace(":8000/", f":{port}/") for word in image.health]
    log = base.FOLDER / "image.log"
    with log.open("wb") as output:
        running = subprocess.Popen(image.command(image.start, **own), stdout=output, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + _START_SECONDS
            while subprocess.run(image.command(health, **own), capture_output=True, check=False).returncode:
                if running.poll() is not None or time.monotonic() > deadline:
                    raise StepFailed(f"The image does not become healthy:\n{log.read_text()[-3000:]}")
                time.sleep(0.5)
            for path, has in (("/health/ready", b'"parts"'), ("/app/", b"<title>"), ("/docs", b"openapi")):
                if has not in httpx.get(f"http://127.0.0.1:{port}{path}", timeout=20).content:
                    raise StepFailed(f"{path} of the image does not serve what it should.")
        finally:
            _end(running)
    if running.returncode != 0:
        raise StepFailed(f"The image does not end as it should:\n{log.read_text()[-3000:]}")


def _end(running: subprocess.Popen[bytes]) -> None:
    """Ask the first process inside to end, as an engine does, and wait for it."""
    inside = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    for number in (signal.SIGTERM, signal.SIGKILL):
        for child in inside:
            os.kill(int(child), number)
        with suppress(subprocess.TimeoutExpired):
            running.wait(_STOP_SECONDS)
            return


def main() -> int:
    try:
        base.require_namespaces()
        earlier: dict[str, Built] = {}
        for stage in dockerfile.stages((base.ROOT / "deploy" / "Dockerfile").read_text()):
            image = Built(stage, earlier)
            earlier[stage.name or "image"] = image
        try_out(image)
    except base.CannotRun as reason:
        print(f"skipped: {reason}")
        return _CANNOT_RUN
    print("The steps of the Dockerfile gave an image that starts, is healthy and serves its pages.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``assent up``: the world and its HTTP server, with what a person at the terminal needs to know.

Two processes may be started on one data directory (``standby``). The kernel's lock lets one of them open it;
the other has everything loaded that needs no store, answers that it stands by, and opens the data when the
lock is free, which it is as soon as the first has ended, however it ended.
"""

from __future__ import annotations

import gc
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp

from backend import main
from backend.adapters.data_directory import DataDirectoryInUse
from backend.adapters.durable import write_file
from backend.api.app import create_app
from backend.api.metrics import publish_standby
from backend.api.standing_by import Turn, create_standby_app
from backend.audit.errors import LeaseHeld
from backend.bootstrap import World, open_world
from backend.errors import OperatorError
from backend.samples import SAMPLES_FILE, first_run
from backend.sandbox import Sandbox
from backend.settings import Settings
from backend.stores import REPOSITORY

RUN_FILE: Final = "run.json"
PAGES: Final = REPOSITORY / "web" / "dist"
LOOK_EVERY_SECONDS: Final = 0.1
LEASE_LOOK_EVERY_SECONDS: Final = 1.0


class LeaseTaken(OperatorError):
    """Another process took the audit log over from this one, which can therefore do nothing any more."""

    code = "audit_lease_taken"
    remedy = (
        "Another process serves this data now, with another data directory or on another machine. Find out "
        "which one shall; start the other as a standby."
    )


@dataclass(frozen=True, slots=True)
class _Opened:
    world: World
    app: ASGIApp
    accounts: str


def run(settings: Settings, *, samples: bool, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. Raises OperatorError subclasses with the remedy."""
    with closing(main.bind(settings.host, settings.port)) as listener, ExitStack() as stack:

        def open_data() -> _Opened:
            return stack.enter_context(_opened(settings, samples=samples, announce=announce))

        turn = Turn(
            create_standby_app(
                max_body_bytes=settings.max_body_bytes, max_attachment_bytes=settings.max_attachment_bytes
            )
        )

        def serve(opened: _Opened) -> None:
            turn.begin(opened.app, may=lambda: opened.world.services.audit.leased)

        if settings.standby:
            publish_standby(standing_by=True)
            server = main.Server(turn, ready=lambda: announce("standing by, or about to serve ..."))

            def attend(pause: Callable[[float], bool]) -> None:
                opened = _when_free(open_data, pause)
                if opened is not None:
                    serve(opened)
                    publish_standby(standing_by=False)
                    announce(_welcome(settings, opened))
                    _watch_lease(opened.world, pause)
        else:
            announce("starting the chain, the index and the block store ...")
            opened = open_data()
            serve(opened)
            server = main.Server(turn, ready=lambda: announce(_welcome(settings, opened)))

            def attend(pause: Callable[[float], bool]) -> None:
                _watch_lease(opened.world, pause)

        with _beside(server, attend):
            server.serve_on(listener)


@contextmanager
def _opened(settings: Settings, *, samples: bool, announce: Callable[[str], None]) -> Iterator[_Opened]:
    world = open_world(settings)
    sandbox: Sandbox | None = None
    try:
        accounts = first_run(world, load_samples=samples and settings.is_development)
        write_run_file(world, settings)
        if settings.is_development and (world.stores.directory.root / SAMPLES_FILE).exists():
            sandbox = Sandbox(world)
            sandbox.start()
        app = create_app(
            world.services,
            max_body_bytes=settings.max_body_bytes,
            max_attachment_bytes=settings.max_attachment_bytes,
            pages=PAGES,
        )
        # What a start has loaded stays. Looked at again by every full collection it halted all for 150 ms.
        gc.collect()
        gc.freeze()
        yield _Opened(world, app, accounts)
    finally:
        announce("anchoring the audit log and stopping ...")
        if sandbox is not None:
            sandbox.close()
        world.close()


def _when_free(open_data: Callable[[], _Opened], pause: Callable[[float], bool]) -> _Opened | None:
    """Open the data once no other process has it; None when this one is to end first."""
    wait = 0.0
    while not pause(wait):
        try:
            return open_data()
        except DataDirectoryInUse:
            wait = LOOK_EVERY_SECONDS
        except LeaseHeld:  # of another data directory, on this index
            wait = LEASE_LOOK_EVERY_SECONDS
    return None


def _watch_lease(world: World, pause: Callable[[float], bool]) -> None:
    """Return when this process is to end. Raises LeaseTaken when another one writes the log."""
    while not pause(LEASE_LOOK_EVERY_SECONDS):
        if not world.services.audit.writable:
            raise LeaseTaken


@contextmanager
def _beside(server: main.Server, attend: Callable[[Callable[[float], bool]], None]) -> Iterator[None]:
    """Run ``attend`` in a thread while the server serves; what it raises ends the server and is raised here.

    ``attend`` gets a way to wait so many seconds, which tells whether the server is ending.
    """
    ending = threading.Event()
    failures: list[BaseException] = []

    def attending() -> None:
        try:
            attend(ending.wait)
        except BaseException as failure:  # noqa: BLE001 - raised below, in the thread that waits for it
            failures.append(failure)
            server.end()

    thread = threading.Thread(target=attending, name="standby")
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
    if failures:
        raise failures[0]


def write_run_file(world: World, settings: Settings) -> None:
    """Say where this run's servers are, for the operator's own tools; readable by the owner only."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  # nosec B104
    found = {
        "pid": os.getpid(),
        "url": f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}",
        "index": world.stores.index_uri,
        "database": world.stores.database.name,
    }
    write_file(world.stores.directory.root / RUN_FILE, json.dumps(found).encode())


def _welcome(settings: Settings, opened: _Opened) -> str:
    world = opened.world
    base = settings.public_url.rstrip("/")
    domain = world.services.domain
    return f"""
Assent is ready.

  pages                       {_pages(base)}
  API and its documentation   {base}/docs
  health                      {base}/health/ready
  data                        {world.stores.directory.root}
  chain                       id {domain.chain_id}, ConsentRegistry {domain.verifying_contract}
  audit log key               {world.services.log_keys.verifier_keys[0]}
{opened.accounts}

Next: docs/integrate.md takes an engineer from here to a first read. Ctrl-C stops everything.
"""


def _pages(base: str) -> str:
    built = (PAGES / "index.html").exists()
    return f"{base}/app/" if built else "not built; run 'make pages'"

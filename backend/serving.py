"""``assent up``: the world and its HTTP server, with what a person at the terminal needs to know."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import closing
from typing import Final

from backend import main
from backend.adapters.durable import write_file
from backend.api.app import create_app
from backend.bootstrap import World, open_world
from backend.samples import SAMPLES_FILE, first_run
from backend.sandbox import Sandbox
from backend.settings import Settings
from backend.stores import REPOSITORY

RUN_FILE: Final = "run.json"
PAGES: Final = REPOSITORY / "web" / "dist"


def run(settings: Settings, *, samples: bool, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. Raises OperatorError subclasses with the remedy."""
    with closing(main.bind(settings.host, settings.port)) as listener:
        announce("starting the chain, the index and the block store ...")
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
            main.serve(app, listener, ready=lambda: announce(_welcome(settings, world, accounts)))
        finally:
            announce("anchoring the audit log and stopping ...")
            if sandbox is not None:
                sandbox.close()
            world.close()


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


def _welcome(settings: Settings, world: World, accounts: str) -> str:
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
{accounts}

Next: docs/integrate.md takes an engineer from here to a first read. Ctrl-C stops everything.
"""


def _pages(base: str) -> str:
    built = (PAGES / "index.html").exists()
    return f"{base}/app/" if built else "not built; run 'make pages'"

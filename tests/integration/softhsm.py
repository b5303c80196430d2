"""Tokens of SoftHSM2, made for one test each: real PKCS#11, no hardware.

The module reads its configuration when it is initialised, so one process has one directory of tokens.
"""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from backend.adapters.keys.hsm_session import HsmAccess, HsmSession
from scripts.softhsm import run as softhsm
from tests.support.components import require

PIN = "4711-user"
OFFICER_PIN = "0815-officer"
_numbers = itertools.count(1)


def require_softhsm() -> Path:
    """Return the module; skip where it is not there, and fail in CI."""
    module = softhsm.find()
    require(module, "no SoftHSM2 on this machine", "make softhsm")
    assert module is not None
    softhsm.preload()
    return module


@cache
def _directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="assent-softhsm-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    (directory / "tokens").mkdir()
    configuration = directory / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {directory / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    return directory


def new_token() -> HsmAccess:
    """Make a token with a fresh label; requires the module."""
    module, directory = require_softhsm(), _directory()
    program, environment = softhsm.utility()
    label = f"test-{os.getpid()}-{next(_numbers)}"
    subprocess.run(
        [
            *(program, "--module", str(module), "--init-token", "--free", "--label", label),
            *("--pin", PIN, "--so-pin", OFFICER_PIN),
        ],
        env={**os.environ, **environment, "SOFTHSM2_CONF": str(directory / "softhsm2.conf")},
        check=True,
        capture_output=True,
        timeout=60,
    )
    return HsmAccess(str(module), label, PIN)


@cache
def shared_token() -> HsmAccess:
    """Return one token for many tests: their stores do not know each other."""
    return new_token()


def epoch_objects(token: HsmAccess) -> list[bytes]:
    """Return the ids of all keys on the token: id of the store, then the epoch's number in 8 bytes."""
    session = HsmSession(token)
    try:
        return session.call(lambda opened: [key.id for key in opened.get_objects()])
    finally:
        session.close()


def objects_of(token: HsmAccess) -> list[Path]:
    """Return the files of the token's objects."""
    wanted = token.token_label.encode()
    places = [path.parent for path in _directory().rglob("token.object") if wanted in path.read_bytes()]
    return [path for place in places for path in place.glob("*.object") if path.name != "token.object"]


@contextmanager
def tokens_gone() -> Iterator[None]:
    """Take all tokens away, as if the HSM were unplugged."""
    tokens = _directory() / "tokens"
    away = tokens.rename(tokens.with_name("away"))
    tokens.mkdir()
    try:
        yield
    finally:
        shutil.rmtree(tokens)
        away.rename(tokens)

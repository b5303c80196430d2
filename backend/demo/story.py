"""Tells the story from the first registration to the last proof, and checks it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from rich.console import Console

from backend.adapters.storage.kubo_node import KuboNode
from backend.demo import care, cast, evidence, paying, privacy, study
from backend.demo.actors import Api
from backend.demo.bundles import read_bundles
from backend.demo.checks import Checks
from backend.demo.service import Service
from backend.stores import REPOSITORY


def tell(*, bundles: Path | None, storage: str, report: Path, console: Console) -> bool:
    """Run the whole story on a fresh data directory; return whether every check held."""
    checks = Checks(console)
    raw = read_bundles(bundles)
    console.print(f"{len(raw)} bundles, block store: {storage}\n", highlight=False)
    with (
        tempfile.TemporaryDirectory(prefix="assent-demo-") as directory,
        _block_store(storage, Path(directory)) as kubo_address,
    ):
        service = Service(Path(directory) / "data", storage=storage, kubo_address=kubo_address)
        try:
            with checks.step("the service starts"):
                service.start()
            _acts(service, checks, raw)
            with checks.step("the service stops as on Ctrl-C"):
                status = service.stop()
                checks.that("it ends in order", held=status == 0, detail=f"exit status {status}")
            with checks.step("9 nothing personal is on the chain"):
                privacy.check(service.data_directory, checks, raw)
        finally:
            service.stop()
    checks.show()
    checks.write(report)
    console.print(f"Report: {report}", highlight=False)
    return checks.all_held


def _acts(service: Service, checks: Checks, raw: list[bytes]) -> None:
    with httpx.Client(base_url=service.url, timeout=120) as http:
        operator = Api(http)
        operator.token = operator.post("/v1/auth/staff", service.operator())["access_token"]
        players = cast.Cast(http, checks, operator)
        with checks.step("1 a hospital, two clinics, a researcher, an ethics board"):
            cast.set_the_scene(players)
            study.register(players)
        with checks.step("2 patients enrol with fresh wallets"):
            cast.enrol(players, raw)
        with checks.step("2 the hospital stores their records"):
            cast.store_records(players)
        with checks.step("3 the clinic asks, the patients answer"):
            care.ask_and_answer(players)
        with checks.step("4 the clinic reads exactly what is covered"):
            care.read_what_is_covered(players)
        with checks.step("4 every other attempt is refused and logged"):
            care.be_refused(players)
        with checks.step("5 a patient revokes"):
            care.revoke(players)
        with checks.step("6 a parent speaks for a child, for a time"):
            care.speak_for_the_child(players)
        with checks.step("7 a study asks, and only those who consent at that moment take part"):
            study.conduct(players)
        with checks.step("7 the study pays the patients whose data it used"):
            paying.pay(players)
        with checks.step("8 tampering is found, refused and reported"):
            evidence.tamper(players, service.data_directory, service.restart)
        with checks.step("10 an outsider verifies the log offline"):
            evidence.verify_offline(players)


@contextmanager
def _block_store(storage: str, directory: Path) -> Iterator[str | None]:
    if storage != "kubo":
        yield None
        return
    node = KuboNode(REPOSITORY / ".build" / "kubo" / "ipfs", directory / "ipfs")
    node.start()
    try:
        yield node.address
    finally:
        node.stop()

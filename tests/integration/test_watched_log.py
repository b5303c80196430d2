"""A service whose log another member watches: witness, proofs, tiles, and a new key of the log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from backend.audit import merkle
from backend.audit.checkpoint import Checkpoint, cosigners, parse, sign
from backend.audit.verify import read, verify_bundle
from backend.cli import app
from backend.identity.roles import Role
from backend.settings import Settings
from tests.integration.api.world import Service, assert_problem, enrol, open_service, provider, staff

WITNESSES = ("clinic.example/witness", "board.example/witness")


def run(*arguments: str | Path, status: int = 0) -> Result:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == status, done.output
    return done


def make_witness(directory: Path, name: str) -> tuple[Path, list[str]]:
    file = directory / name.partition(".")[0]
    return file, run("witness-key", file, "--name", name).stdout.split()


def note_of(service: Service) -> str:
    answer = service.http.get("/v1/log/checkpoint", headers={"Accept": "text/plain"})
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    return answer.text


def log_keys(service: Service) -> list[str]:
    return service.http.get("/v1/log/key").text.split()


def watch(service: Service, directory: Path, key_file: Path, keys: list[str], status: int = 0) -> Result:
    trusted = [part for key in keys for part in ("--log-key", key)]
    where = ["--state", directory / f"{key_file.name}-state", "--key-file", key_file]
    return run("witness", "--log", service.url, *trusted, *where, "--once", status=status)


def tile_tree(service: Service) -> None:
    """Every tile and entry of the published checkpoint, fetched as a monitor does, gives its root."""
    checkpoint = parse(note_of(service))
    assert 0 < checkpoint.size < 65_536
    full, rest = divmod(checkpoint.size, 256)
    names = [f"{number:03d}" for number in range(full)] + ([f"{full:03d}.p/{rest}"] if rest else [])
    hashes, leaves = list[bytes](), list[bytes]()
    for name in names:
        answer = service.http.get(f"/v1/log/tile/0/{name}")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert "immutable" in answer.headers["cache-control"]
        hashes += [answer.content[i : i + 32] for i in range(0, len(answer.content), 32)]
        bundle = service.http.get(f"/v1/log/tile/entries/{name}").content
        while bundle:
            length = int.from_bytes(bundle[:2], "big")
            leaves.append(bundle[2 : 2 + length])
            bundle = bundle[2 + length :]
    assert merkle.root(hashes) == checkpoint.root
    assert [merkle.leaf_hash(leaf) for leaf in leaves] == hashes


def refuse_what_is_no_tile(service: Service) -> None:
    for path in ("0/999", "0/0", "0/000.p/0", "64/000", "entries/x001/000", "x/000", "0/../../key"):
        answer = service.http.get(httpx.URL(f"{service.url}/v1/log/tile/{path}"))
        assert answer.status_code in {404, 422} or path.endswith("key"), path
    assert_problem(service.http.get("/v1/log/tile/0/999"), 404, "audit_tile_unknown")


def refuse_what_no_witness_signed(service: Service) -> None:
    note = note_of(service)
    answer = service.http.post("/v1/log/cosignatures", json={"checkpoint": note})
    assert_problem(answer, 422, "audit_cosignature_refused")
    assert note_of(service) == note


def test_witnessed_log_over_its_life(tmp_path: Path) -> None:
    made = [make_witness(tmp_path, name) for name in WITNESSES]
    listed = tmp_path / "witnesses"
    listed.write_text("# who watches us\n" + "".join(key + "\n" for _, keys in made for key in keys))
    data = tmp_path / "data"
    with open_service(data, witness_keys=listed) as service:
        first_keys = log_keys(service)
        assert len(first_keys) == 2
        assert service.http.get("/v1/log/witnesses").text.split() == [k for _, keys in made for k in keys]
        operator = staff(service, "operator", Role.OPERATOR)
        desk = staff(service, "desk", Role.IDENTITY_DESK)
        hospital = provider(service, operator, "hospital system", "0x" + service.world.stores.tenant.hex())
        patient = enrol(service, desk, hospital, 1)
        service.world.services.anchorer.run_once()
        refuse_what_no_witness_signed(service)
        for file, _ in made:
            assert "cosigned" in watch(service, tmp_path, file, first_keys).stdout
        assert "nothing new" in watch(service, tmp_path, made[0][0], first_keys).stdout
        assert cosigners(note_of(service), service.world.stores.origin) == set(WITNESSES)
        tile_tree(service)
        refuse_what_is_no_tile(service)
        index = patient.accesses()[-1]["index"]
        proof = tmp_path / f"entry-{index}.tlog-proof"
        answer = patient.api.call(
            "GET",
            f"/v1/accesses/{index}/proof",
            params={"subject": patient.subject, "format": "tlog-proof"},
        )
        assert proof.name in answer.headers["content-disposition"]
        proof.write_text(answer.text)
        bundle = patient.api.get("/v1/accesses/proof", subject=patient.subject)
        anchored = patient.api.get(f"/v1/accesses/{index}/proof", subject=patient.subject)
        assert anchored["anchor"]["size"] == verify_bundle(anchored, first_keys)["size"]
    verify_proof(proof, first_keys, made)
    old_note = tmp_path / "old"
    old_note.write_text(anchored["checkpoint"])

    rotated: dict[str, Any] = json.loads(
        run("audit", "rotate-key", "--data-directory", data, "--json").stdout.splitlines()[-1]
    )
    assert rotated["epoch"] == 2
    assert json.loads(run("audit", "fsck", "--data-directory", data, "--json").stdout.splitlines()[-1])[
        "sound"
    ]
    write_tiles(data, tmp_path / "tiles")
    with open_service(data, witness_keys=listed) as service:
        both = log_keys(service)
        assert both == [rotated["ed25519"], rotated["ml_dsa_44"], *first_keys]
        shown = service.http.get("/v1/log/keys").json()
        assert [(key["epoch"], key["from_size"]) for key in shown] == [(1, 0), (2, rotated["from_size"])]
        service.world.services.anchorer.run_once()
        assert verify_bundle(bundle, first_keys)["complete"]
        assert verify_bundle(bundle, both)["complete"]
        alone = first_keys[1:]  # ML-DSA-44: its successor is not told by an Ed25519 signature
        assert "audit_note_invalid" in watch(service, tmp_path, made[0][0], alone, status=2).stderr
        assert "cosigned" in watch(service, tmp_path, made[0][0], first_keys).stdout
        assert "nothing new" in watch(service, tmp_path, made[0][0], both).stdout
        compare(service, tmp_path, old_note, both)
    audit_list(data)


def verify_proof(proof: Path, keys: list[str], made: list[tuple[Path, list[str]]]) -> None:
    policy = [part for _, of in made for key in of for part in ("--witness", key)]
    key = ["--key", "\n".join(keys)]
    shown = run("audit", "verify", proof, *key, *policy, "--quorum", "2").stdout
    assert "VERIFIED" in shown
    assert "board.example/witness, clinic.example/witness" in " ".join(shown.split())
    assert "quorum" in run("audit", "verify", proof, *key, *policy, "--quorum", "3", status=2).stderr
    stranger = ["--witness", keys[1]]  # a witness that is the log itself
    run("audit", "verify", proof, *key, *stranger, status=2)
    assert verify_bundle(read(proof.read_bytes()), keys[1:])["size"]  # with ML-DSA-44 alone


def write_tiles(data: Path, root: Path) -> None:
    for expected in (True, False):  # again, it finds all of it there
        done = run("audit", "tiles", root, "--data-directory", data, "--json")
        answer = json.loads(done.stdout.splitlines()[-1])
        assert bool(answer["written"]) is expected
    assert parse((root / "checkpoint").read_text()).size == answer["size"]
    full, rest = divmod(answer["size"], 256)
    last = (root / f"tile/0/{full:03d}.p/{rest}").read_bytes()
    assert len(last) == 32 * rest
    if full == 0:
        hashes = [last[i : i + 32] for i in range(0, len(last), 32)]
        assert merkle.root(hashes).hex() == answer["root"]


def compare(service: Service, tmp_path: Path, old: Path, keys: list[str]) -> None:
    new, forged = tmp_path / "new", tmp_path / "forged"
    new.write_text(note_of(service))
    trusted = ["--key", "\n".join(keys)]
    assert "one history" in run("audit", "compare", new, old, *trusted, "--log", service.url).stdout
    run("audit", "compare", old, old, *trusted)
    assert "tiles" in run("audit", "compare", new, old, *trusted, status=2).stderr
    # What a custodian who lies would do: sign another root at a size that was shown to somebody.
    signers = service.world.services.log_keys.signers
    of = parse(old.read_text())
    forged.write_text(sign(Checkpoint(of.origin, of.size, bytes(32)), signers))
    kept = tmp_path / "evidence.json"
    for other, where in ((old, []), (new, ["--log", service.url])):
        shown = run("audit", "compare", forged, other, *trusted, *where, "--save", kept, status=1)
        assert "SPLIT VIEW" in shown.stdout
        assert "SPLIT VIEW" in run("audit", "compare", kept, *trusted, status=1).stdout
    kept.write_text(kept.read_text().replace("assent-split-view/1", "other"))
    run("audit", "compare", kept, *trusted, status=2)


def audit_list(data: Path) -> None:
    lines = run("audit", "export", "--data-directory", data).stdout.splitlines()
    assert any("key.rotated" in line for line in lines)


def test_witness_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no file"):
        Settings(witness_keys=tmp_path / "none")

"""Checks audit logs, and proofs from them, offline. One file: standard library and ``cryptography`` only.

    python verify.py SOURCE ... --key KEY [--witness KEY ... --quorum K]
                                [--rpc URL --contract ADDRESS --log-id [ORIGIN=]HEX ...]

``SOURCE`` is a JSON bundle, a ``.tlog-proof`` (C2SP), the evidence of a split view, or a whole log: a
directory of tiles, or an address (``https://.../v1/log``). There may be several, also of several logs: give
the keys and the log ids of all, each id behind its log's origin and ``=``. ``KEY`` is a public
key as ``name+key id+base64`` (C2SP signed-note; Ed25519, or a cosignature's Ed25519 or ML-DSA-44); one of the
log's has the log's origin as its name. Any one of the log's keys that are given suffices: to rely on
ML-DSA-44 alone, give that one alone. With ``--witness``, at least K of the witnesses (default: all) must have
cosigned. Get keys, contract and log id from a source you trust, never from the bundle. Without ``--rpc`` the
report says what the bundle claims about the chain; with it, the contract is asked.
It shares no code with what made the proofs, on purpose.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import sys
import urllib.request
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

FORMAT = "assent-audit-proof/1"
SPLIT_VIEW = "assent-split-view/1"
TLOG_PROOF = "c2sp.org/tlog-proof@v1"
PLAIN, ED25519, ML_DSA_44 = 1, 4, 6  # bytes that name the kind of a key
TILE_WIDTH = 256  # entries in a bundle
KEY_BYTES = {PLAIN: 32, ED25519: 32, ML_DSA_44: 1312}
HEAD_OF = "0x65c7d79d"  # headOf(bytes32) of contract AuditAnchor
# topic of CheckpointAnchored(bytes32,bytes32,bytes32,uint64,bytes32)
CHECKPOINT_ANCHORED = "0xed21d8a5180a3fbcfdb16c16d5623be90e1c35bb2e7193a014e042a817d8689d"


class VerificationError(ValueError):
    """The bundle is not proof of what it says. The message tells the first thing found wrong."""


def read(content: bytes) -> dict[str, Any]:
    """Read a file of any of the three kinds, for ``verify_bundle``. Raises ValueError."""
    if not content.startswith(TLOG_PROOF.encode() + b"\n"):
        bundle: dict[str, Any] = json.loads(content)
        return bundle
    head, _, checkpoint = content.decode().partition("\n\n")
    _, *lines = head.split("\n")
    extra = lines.pop(0).removeprefix("extra ") if lines and lines[0].startswith("extra ") else ""
    word, _, index = lines.pop(0).partition(" ") if lines else ("", "", "")
    _refuse(word != "index" or str(int(index)) != index, "the proof names no index")
    opened = {name: base64.b64encode(value).decode() for name, value in decode_cbor(_bytes(extra)).items()}
    _refuse(not {"leaf"} <= set(opened) <= {"leaf", "record", "salt"}, "the proof holds no leaf of this log")
    entry = {**opened, "index": int(index), "proof": lines}
    return {
        "format": FORMAT,
        "origin": checkpoint.partition("\n")[0],
        "checkpoint": checkpoint,
        "anchor": None,
        "entries": [entry],
    }


def verify_bundle(
    bundle: Any, keys: list[str], *, witnesses: list[str] | None = None, quorum: int | None = None
) -> dict[str, Any]:
    """Check everything in a bundle (what ``read`` gives) and return a report; raise VerificationError.

    The report has ``origin``, ``size``, ``root``, ``anchor`` (or None), ``complete`` (a list that leaves out
    no entry before its last), ``witnesses`` (names, of those given, that cosigned) and ``entries``: each with
    ``index``, ``leaf_hash``, ``recorded_at_ms``, ``anchored`` and, where it was opened, ``event``.
    """
    try:
        return _verify(bundle, keys, witnesses or [], quorum)
    except VerificationError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise VerificationError("the bundle is malformed") from error
    except InvalidSignature as error:
        raise VerificationError("the checkpoint's signature is wrong") from error


def verify_split_view(evidence: Any, keys: list[str]) -> dict[str, Any]:
    """Check that a log signed two histories; return both heads. Raises VerificationError when it did not.

    ``proof`` leads from the smaller tree to the larger one as the larger one has it: it gives the larger
    root, and for the smaller size another root than was signed. It is empty for equal sizes.
    """
    try:
        _refuse(evidence["format"] != SPLIT_VIEW, "unknown format")
        (origin, old, old_root, _), (other, new, new_root, _) = (
            open_checkpoint(note, keys) for note in evidence["checkpoints"]
        )
        _refuse(origin != other, "the checkpoints are of two logs")
        _refuse(not 0 < old <= new, "the smaller checkpoint comes first")
        nodes = [_bytes(n, 32) for n in evidence["proof"]]
        if old < new:
            found, whole = prefix_roots(old, new, nodes)
            _refuse(whole != new_root, "the proof does not give the larger checkpoint's root")
        else:
            found = new_root
        _refuse(found == old_root, "the checkpoints are of one history")
    except VerificationError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise VerificationError("the evidence is malformed") from error
    except InvalidSignature as error:
        raise VerificationError("a checkpoint's signature is wrong") from error
    signed = [{"size": old, "root": old_root.hex()}, {"size": new, "root": new_root.hex()}]
    return {"origin": origin, "split_view": True, "signed": signed, "root_in_larger": found.hex()}


def verify_log(
    fetch: Callable[[str], bytes],
    keys: list[str],
    *,
    witnesses: list[str] | None = None,
    quorum: int | None = None,
    anchored: Callable[[str], tuple[int, str]] | None = None,
) -> dict[str, Any]:
    """Check a whole log (C2SP tlog-tiles): that its entries are those of its signed checkpoint, that each is
    linked to the one before it of the same pseudonym, and that the log goes on from what the chain holds.

    ``fetch`` returns the log's file of a path; ``anchored`` what the chain holds of the log with an origin,
    size and root (hex). Return ``origin``, ``size``, ``root``, ``witnesses``, ``pseudonyms`` (how many) and,
    where the chain was asked, ``anchored`` (entries). Raise VerificationError, and OSError where a file
    cannot be had.
    """
    try:
        return _verify_log(fetch, keys, witnesses or [], quorum, anchored)
    except VerificationError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise VerificationError("the log is malformed") from error
    except InvalidSignature as error:
        raise VerificationError("the checkpoint's signature is wrong") from error


def _verify_log(
    fetch: Callable[[str], bytes],
    keys: list[str],
    witnesses: list[str],
    quorum: int | None,
    anchored: Callable[[str], tuple[int, str]] | None,
) -> dict[str, Any]:
    def opened() -> tuple[str, int, bytes, list[str]]:
        text = fetch("checkpoint").decode()
        if text.startswith("{"):  # what a service answers: its newest one, and the newest for witnesses
            text = json.loads(text)["published" if witnesses else "checkpoint"]
        return open_checkpoint(text, keys, witnesses=witnesses, quorum=quorum)

    origin, size, root, cosigned = opened()
    held = None if anchored is None else anchored(origin)
    if held is not None and held[0] > size:  # anchored between the two questions, perhaps
        again, size, root, cosigned = opened()
        _refuse(again != origin, "the log changed its name")
        _refuse(held[0] > size, f"the chain holds {held[0]} entries, the log has {size}")
    tree, number = list[tuple[int, bytes]](), 0
    chains, time = dict[bytes, tuple[int, bytes]](), 0
    for first in range(0, size, TILE_WIDTH):
        for data in _bundle(fetch, first // TILE_WIDTH, min(TILE_WIDTH, size - first)):
            leaf, hashed = _leaf(data, number), hashlib.sha256(b"\x00" + data).digest()
            due = chains.get(leaf["p"], (0, bytes(32)))
            _refuse((leaf["s"], leaf["h"]) != due, f"entry {number}: something before it was left out")
            _refuse(leaf["t"] < time, f"entry {number}: it is older than the one before it")
            chains[leaf["p"]], time, number = (leaf["s"] + 1, hashed), leaf["t"], number + 1
            _push(tree, hashed)
            unlike = held is not None and number == held[0] and _root(tree).hex() != held[1]
            _refuse(unlike, f"the chain holds another history of the first {number} entries")
    _refuse(_root(tree) != root, "the entries are not those of the checkpoint")
    report = {"origin": origin, "size": size, "root": root.hex(), "witnesses": cosigned}
    report["pseudonyms"] = len(chains)
    return report if held is None else {**report, "anchored": held[0]}


def _bundle(fetch: Callable[[str], bytes], number: int, width: int) -> list[bytes]:
    """Return the leaves of a bundle of entries, each behind its length."""
    name, rest = f"{number % 1000:03d}", number // 1000
    while rest:
        name, rest = f"x{rest % 1000:03d}/{name}", rest // 1000
    content = fetch(f"tile/entries/{name}" + ("" if width == TILE_WIDTH else f".p/{width}"))
    leaves, at = list[bytes](), 0
    while at < len(content):
        end = at + 2 + int.from_bytes(content[at : at + 2], "big")
        _refuse(end > len(content), f"the bundle of entry {number * TILE_WIDTH} is cut off")
        leaves.append(content[at + 2 : end])
        at = end
    _refuse(len(leaves) != width, f"the bundle of entry {number * TILE_WIDTH} has another number of entries")
    return leaves


def _push(tree: list[tuple[int, bytes]], node: bytes) -> None:
    """Add a leaf to the roots of the full subtrees, the largest first, each with its height."""
    height = 0
    while tree and tree[-1][0] == height:
        node, height = _node(tree.pop()[1], node), height + 1
    tree.append((height, node))


def _root(tree: list[tuple[int, bytes]]) -> bytes:
    if not tree:
        return hashlib.sha256(b"").digest()
    *others, (_, root) = tree
    for _, left in reversed(others):
        root = _node(left, root)
    return root


def files_of(source: str) -> Callable[[str], bytes]:
    """Return what reads the files of a log: below an address, or in a directory."""
    if not source.startswith(("http://", "https://")):
        return lambda path: (Path(source) / path).read_bytes()

    def fetch(path: str) -> bytes:
        address = f"{source.rstrip('/')}/{path}"
        with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310  # nosec B310
            content: bytes = answer.read()
            return content

    return fetch


def is_log(source: str) -> bool:
    """Whether a source is a whole log and not a file."""
    return source.startswith(("http://", "https://")) or Path(source).is_dir()


def log_id_of(origin: str, given: list[str]) -> str:
    """Choose the log's id: one given as ``ORIGIN=HEX``, else the only one. Raises VerificationError."""
    named = dict(each.rsplit("=", 1) for each in given if "=" in each)
    bare = [each for each in given if "=" not in each]
    found = named.get(origin) or (bare[0] if len(given) == len(bare) == 1 else None)
    if found is None:
        raise VerificationError(f"no id is given of the log {origin}")
    return found


def anchored_head(rpc: str, contract: str, log_id: str) -> tuple[int, str]:
    """Return size and root (hex) of the last checkpoint that the contract holds; size 0 for none."""
    call = {"to": contract, "data": HEAD_OF + log_id.removeprefix("0x")}
    size, root = _size_and_root(_rpc(rpc, "eth_call", [call, "latest"]))
    return size, root


def _verify(
    bundle: dict[str, Any], keys: list[str], witnesses: list[str], quorum: int | None
) -> dict[str, Any]:
    _refuse(bundle["format"] != FORMAT, "unknown format")
    origin, size, root, cosigned = open_checkpoint(
        bundle["checkpoint"], keys, witnesses=witnesses, quorum=quorum
    )
    _refuse(bundle["origin"] != origin, "the checkpoint is of another log")
    anchor = bundle["anchor"]
    if anchor is not None:
        consistency = [_bytes(n, 32) for n in anchor["consistency"]]
        check_consistency(anchor["size"], size, consistency, _bytes(anchor["root"], 32), root)
    entries = [_entry(e, size, root, anchor) for e in bundle["entries"]]
    _refuse(len({e["index"] for e in entries}) != len(entries), "an entry is given twice")
    complete = "chains" in bundle and _check_chains(bundle["chains"], entries)
    entries = [{k: v for k, v in entry.items() if not k.startswith("_")} for entry in entries]
    report = {"origin": origin, "size": size, "root": root.hex(), "witnesses": cosigned, "anchor": anchor}
    return {**report, "complete": complete, "entries": entries}


def _entry(entry: dict[str, Any], size: int, root: bytes, anchor: dict[str, Any] | None) -> dict[str, Any]:
    data, index = _bytes(entry["leaf"]), entry["index"]
    leaf = _leaf(data, index)
    hashed = hashlib.sha256(b"\x00" + data).digest()
    check_inclusion(hashed, index, size, [_bytes(n, 32) for n in entry["proof"]], root)
    anchored = anchor is not None and index < anchor["size"]
    result = {"index": index, "recorded_at_ms": leaf["t"], "leaf_hash": hashed.hex(), "anchored": anchored}
    result |= {"_leaf": leaf, "_hash": hashed, "_before": None}
    if "record" in entry:
        record = _bytes(entry["record"])
        commitment = hmac.digest(_bytes(entry["salt"], 32), record, hashlib.sha256)
        _refuse(commitment != leaf["c"], f"entry {index}: the record does not match its commitment")
        fields = decode_cbor(record)
        _refuse(fields["v"] != 1 or not set(fields) <= set("abev"), f"entry {index}: bad record")
        result["_before"] = fields.get("b")
        result["event"] = _readable(decode_cbor(fields["e"]))
    return result


def _leaf(data: bytes, index: int) -> dict[str, Any]:
    leaf: dict[str, Any] = decode_cbor(data)
    unlike = set(leaf) != set("chpstv") or leaf["v"] != 1 or any(len(leaf[k]) != 32 for k in "chp")
    _refuse(unlike, f"entry {index}: the leaf is malformed")
    return leaf


def _check_chains(chains: list[dict[str, Any]], entries: list[dict[str, Any]]) -> bool:
    """Check that the entries are linked chains of one patient; tell if no earlier key epoch is missing."""
    by_chain: dict[bytes, list[dict[str, Any]]] = {}
    for entry in entries:
        by_chain.setdefault(entry["_leaf"]["p"], []).append(entry)
    named = [_bytes(chain["pseudonym"], 32) for chain in chains]
    _refuse(sorted(named) != sorted(by_chain), "the entries are not those of the named chains")
    subjects = {entry.get("event", {}).get("subject") for entry in entries}
    _refuse(len(subjects) > 1, "the entries are of several patients")
    ends, complete = dict[int, list[Any]](), True
    for chain, name in zip(chains, named, strict=True):
        members = sorted(by_chain[name], key=lambda e: int(e["_leaf"]["s"]))
        last, index = bytes(32), -1
        for number, entry in enumerate(members):
            follows = (entry["_leaf"]["s"], entry["_leaf"]["h"]) == (number, last) and entry["index"] > index
            _refuse(not follows, f"entry {entry['index']}: something before it was left out")
            last, index = entry["_hash"], entry["index"]
        _refuse(len(members) != chain["count"], "a chain is shorter than it says")
        epoch, *end = members[0]["_before"] or [-1, 0, bytes(32)]
        left_out = bool(ends) and (epoch < max(ends) or ends.get(epoch, end) != end)
        _refuse(left_out, f"entry {members[0]['index']}: entries of the key epoch before were left out")
        complete &= epoch in ends or end[0] == 0  # otherwise that epoch's key was erased, or it is withheld
        ends[chain["epoch"]] = [len(members), last]
    return complete


def open_checkpoint(
    note: str, keys: list[str], *, witnesses: list[str] | None = None, quorum: int | None = None
) -> tuple[str, int, bytes, list[str]]:
    """Return origin, size and root of a checkpoint that a key of its log signed, and who cosigned it.

    Every line of a known key must verify. At least ``quorum`` of the witnesses must have cosigned, each
    counted once however many keys it has.
    """
    text, separator, tail = note.rpartition("\n\n")
    text += "\n"
    origin, size, encoded_root, *_ = text.split("\n")
    _refuse(str(int(size)) != size or not 0 <= int(size) < 2**63, "the checkpoint's size is malformed")
    root = _bytes(encoded_root, 32)
    of_log, of_witnesses = _known(keys), _known(witnesses or [])
    names = {name for name, _ in of_witnesses}
    _refuse(origin in names, "a witness has the log's name")
    _refuse(len(set(of_witnesses.values())) != len(of_witnesses), "one key is given for two witnesses")
    needed = len(names) if quorum is None else quorum
    _refuse(not 0 <= needed <= len(names), "the quorum is larger than the number of witnesses")
    signed_by, known = set[str](), of_witnesses | of_log
    for line in tail.removesuffix("\n").split("\n"):
        dash, name, encoded = line.split(" ")
        blob = _bytes(encoded)
        _refuse(dash != "\N{EM DASH}" or len(blob) < 5, "the checkpoint has a malformed signature line")
        public = known.pop((name, blob[:4]), None)
        if public is not None:
            _check_line(public, blob[4:], text.encode(), name, (origin, int(size), root))
            signed_by.add(name)
    _refuse(not separator or origin not in signed_by, "the checkpoint is not signed by a key of its log")
    cosigned = sorted(names & signed_by)
    _refuse(len(cosigned) < needed, f"{len(cosigned)} of the witnesses cosigned, {needed} are needed")
    return origin, int(size), root, cosigned


def _known(keys: list[str]) -> dict[tuple[str, bytes], bytes]:
    """Return the public keys, kind first, by name and key id. One text may hold several, a line each."""
    known = {}
    for key in " ".join(keys).split():
        name, key_id, encoded = key.split("+", 2)
        public = _bytes(encoded)
        digest = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4]
        malformed = len(public) - 1 != KEY_BYTES.get(public[0]) or digest.hex() != key_id
        _refuse(malformed, "a verifier key is malformed")
        known[name, digest] = public
    return known


def _check_line(
    public: bytes, signature: bytes, text: bytes, name: str, tree: tuple[str, int, bytes]
) -> None:
    """Check one line (C2SP signed-note, tlog-cosignature). Raises InvalidSignature or VerificationError."""
    time, raw = int.from_bytes(signature[:8], "big"), signature[8:]
    _refuse(public[0] != PLAIN and time >= 2**63, "a cosignature's time is malformed")
    if public[0] == PLAIN:
        Ed25519PublicKey.from_public_bytes(public[1:]).verify(signature, text)
    elif public[0] == ED25519:
        header = f"cosignature/v1\ntime {time}\n".encode()
        Ed25519PublicKey.from_public_bytes(public[1:]).verify(raw, header + text)
    else:
        origin, size, root = tree
        of, by = (bytes([len(part.encode())]) + part.encode() for part in (origin, name))
        body = by + signature[:8] + of + bytes(8) + size.to_bytes(8, "big") + root
        MLDSA44PublicKey.from_public_bytes(public[1:]).verify(raw, b"subtree/v1\n\0" + body)


def check_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> None:
    """RFC 9162 section 2.1.3.2."""
    _refuse(type(index) is not int or not 0 <= index < size, "an index is outside the log")
    _refuse(_climb(index, size - 1, leaf, proof)[1] != root, f"entry {index}: the inclusion proof fails")


def check_consistency(old: int, new: int, proof: list[bytes], old_root: bytes, new_root: bytes) -> None:
    """RFC 9162 section 2.1.4.2."""
    _refuse(type(old) is not int or not 0 < old <= new, "the anchored size is outside the log")
    if old == new:
        _refuse(bool(proof) or old_root != new_root, "the anchored root is not the checkpoint's")
        return
    nodes = [old_root, *proof] if old & (old - 1) == 0 else proof
    extends = bool(nodes) and prefix_roots(old, new, nodes) == (old_root, new_root)
    _refuse(not extends, "the anchored checkpoint is not a prefix of this one")


def prefix_roots(old: int, new: int, nodes: list[bytes]) -> tuple[bytes, bytes]:
    """Return the roots at both sizes that a consistency proof gives, its first node always written out."""
    first, last = old - 1, new - 1
    while first % 2 == 1:
        first, last = first // 2, last // 2
    return _climb(first, last, nodes[0], nodes[1:])


def _climb(first: int, last: int, start: bytes, proof: list[bytes]) -> tuple[bytes, bytes]:
    """Return the roots of the tree that ends with the node ``first`` and of the whole tree."""
    left = right = start
    for node in proof:
        _refuse(last == 0, "a proof has spare nodes")
        if first % 2 == 1 or first == last:
            left, right = _node(node, left), _node(node, right)
            while first % 2 == 0 and first != 0:
                first, last = first // 2, last // 2
        else:
            right = _node(right, node)
        first, last = first // 2, last // 2
    _refuse(last != 0, "a proof is too short")
    return left, right


def check_chain(anchor: dict[str, Any] | None, *, rpc: str, contract: str, log_id: str) -> str:
    """Compare a verified bundle's anchor with the contract. Raises VerificationError, OSError, ValueError."""
    if anchor is None:
        raise VerificationError("the bundle names no anchor")
    size, root = anchor["size"], _bytes(anchor["root"], 32).hex()
    chain_id = int(_rpc(rpc, "eth_chainId", []), 16)
    _refuse(chain_id != int(anchor["chain_id"]), "the endpoint serves another chain")
    same = (anchor["contract"].lower(), anchor["log_id"].lower()) == (contract.lower(), log_id.lower())
    _refuse(not same, "the anchor names another contract or log")
    head_size, head_root = anchored_head(rpc, contract, log_id)
    other = head_size < size or (head_size == size and head_root != root)
    _refuse(other, "the contract holds another checkpoint")
    if head_size == size:
        return f"the contract's last checkpoint is this one, at {size} entries"
    block, query = hex(anchor["block"]), {"address": contract, "topics": [CHECKPOINT_ANCHORED, log_id]}
    events = _rpc(rpc, "eth_getLogs", [{**query, "fromBlock": block, "toBlock": block}])
    anchored = [_size_and_root(event["data"]) for event in events]
    _refuse((size, root) not in anchored, "the named block did not anchor this checkpoint")
    return f"block {anchor['block']} anchored it; the contract is at {head_size} entries"


def decode_cbor(data: bytes) -> Any:
    """Decode one deterministic CBOR value (RFC 8949 section 4.2.1), without floats and tags."""
    value, end = _item(data, 0)
    _refuse(end != len(data), "spare bytes after a CBOR value")
    return value


def _item(data: bytes, at: int) -> tuple[Any, int]:
    major, low = data[at] >> 5, data[at] & 31
    at += 1
    if major == 7:
        return {20: False, 21: True, 22: None}[low], at
    number = low
    if low >= 24:
        width = {24: 1, 25: 2, 26: 4, 27: 8}[low]
        number, at = int.from_bytes(data[at : at + width], "big"), at + width
        _refuse(number < (24 if width == 1 else 1 << (4 * width)), "a CBOR number is too long")
    if major <= 1:
        return (number if major == 0 else -1 - number), at
    if major in (2, 3):
        text, at = data[at : at + number], at + number
        _refuse(at > len(data), "a CBOR string is cut off")
        return (text if major == 2 else text.decode()), at
    _refuse(major == 6, "a CBOR value has a tag")
    values, keys = list[Any](), list[bytes]()
    for _ in range(number):
        if major == 5:
            start, (_, at) = at, _item(data, at)
            keys.append(data[start:at])
        value, at = _item(data, at)
        values.append(value)
    if major == 4:
        return values, at
    _refuse(any(a >= b for a, b in pairwise(keys)), "CBOR map keys are not in order")
    return {_item(key, 0)[0]: value for key, value in zip(keys, values, strict=True)}, at


def _readable(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _readable(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_readable(v) for v in value]
    return "0x" + value.hex() if isinstance(value, bytes) else value


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _bytes(text: str, length: int | None = None) -> bytes:
    data = base64.b64decode(text, validate=True)
    _refuse(
        base64.b64encode(data).decode() != text or length not in (None, len(data)),
        "a base64 value is malformed",
    )
    return data


def _size_and_root(data: str) -> tuple[int, str]:
    return int(data[2:66], 16), data[66:130]  # the first two words of an ABI encoding


def _rpc(url: str, method: str, params: list[Any]) -> Any:
    _refuse(not url.startswith(("http://", "https://")), "the endpoint is not an http(s) address")
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # nosec B310
        reply = json.load(answer)
    _refuse("result" not in reply, f"the endpoint refused {method}")
    return reply["result"]


def _refuse(wrong: bool, reason: str) -> None:
    if wrong:
        raise VerificationError(reason)


def verify_source(
    source: str,
    keys: list[str],
    *,
    witnesses: list[str] | None = None,
    quorum: int | None = None,
    rpc: str | None = None,
    contract: str = "",
    log_ids: list[str] | None = None,
) -> dict[str, Any]:
    """Check one source of any kind and return its report. Raises VerificationError, ValueError, OSError."""
    given = log_ids or []
    if is_log(source):
        asked = rpc and (lambda origin: anchored_head(rpc, contract, log_id_of(origin, given)))
        fetch = files_of(source)
        return verify_log(fetch, keys, witnesses=witnesses, quorum=quorum, anchored=asked or None)
    bundle = read(Path(source).read_bytes())
    if bundle.get("format") == SPLIT_VIEW:
        return verify_split_view(bundle, keys)
    report = verify_bundle(bundle, keys, witnesses=witnesses, quorum=quorum)
    if rpc:
        log_id = log_id_of(report["origin"], given)
        report["chain"] = check_chain(report["anchor"], rpc=rpc, contract=contract, log_id=log_id)
    return report


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check audit logs, and proof bundles of them.")
    parser.add_argument("source", nargs="+", help="a file, a directory of tiles, or the address of a log")
    parser.add_argument("--key", action="append", required=True, help="a log's verifier key; may repeat")
    parser.add_argument("--witness", action="append", default=[], help="a witness's key; may repeat")
    parser.add_argument("--quorum", type=int, help="how many of the witnesses must have cosigned")
    parser.add_argument("--rpc", help="JSON-RPC endpoint of the chain; with --contract and --log-id")
    parser.add_argument("--contract", default="", help="address of AuditAnchor")
    parser.add_argument(
        "--log-id", action="append", default=[], help="the log's id in the contract; ORIGIN=ID for several"
    )
    given = parser.parse_args(arguments)
    reports, status = list[Any](), 0
    for source in given.source:
        try:
            report = verify_source(
                source,
                given.key,
                witnesses=given.witness,
                quorum=given.quorum,
                rpc=given.rpc,
                contract=given.contract,
                log_ids=given.log_id,
            )
        except (ValueError, OSError, TypeError, KeyError, AttributeError) as error:
            of_which = f"{source}: " if len(given.source) > 1 else ""
            sys.stderr.write(f"NOT VERIFIED: {of_which}{error}\n")
            status = 1
        else:
            reports.append(report)
    if reports:
        sys.stdout.write(json.dumps(reports if len(given.source) > 1 else reports[0], indent=2) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())

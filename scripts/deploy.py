"""Deploy the contracts, or check that they are there and are ours. Prints the deployment as JSON.

Run it again at will: it goes on where it stopped and changes nothing that is done.

    python scripts/deploy.py --data .assent --key-file deployer.key
    python scripts/deploy.py --rpc http://127.0.0.1:8545 --file deployment.json --key-file deployer.key
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from backend.adapters.data_directory import DataDirectory
from backend.adapters.ledger.calls import Sender
from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.deployment import deploy_or_attach
from backend.adapters.ledger.deployment_file import MarketTerms
from backend.adapters.ledger.embedded import EmbeddedChain
from backend.adapters.ledger.network import NetworkChain
from backend.adapters.ledger.process import find_anvil
from backend.adapters.ledger.relayer import Relayer
from backend.errors import AssentError
from backend.types import Address

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    options = _options()
    try:
        key = bytes.fromhex(options.key_file.read_text().strip().removeprefix("0x"))
    except (OSError, ValueError) as error:
        print(f"The key file cannot be used: {error}", file=sys.stderr)
        return 2
    try:
        with _chain(options) as (chain, path):
            relayer = Relayer(chain=chain, keys={Sender.RELAYER: key})
            try:
                deployment = deploy_or_attach(
                    path=path,
                    chain=chain,
                    relayer=relayer,
                    operator=Address(options.operator or relayer.address(Sender.OPERATOR)),
                    admission_delay_seconds=options.admission_delay_seconds,
                    market_terms=MarketTerms(board_threshold=options.board_threshold),
                )
            finally:
                relayer.close()
    except AssentError as error:
        print(f"{error.code}: {error.detail}\n{error.remedy}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(deployment), indent=2, sort_keys=True))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--data", type=Path, metavar="DIR", help="data directory of an embedded chain")
    where.add_argument("--rpc", metavar="URL", help="node of a network")
    parser.add_argument("--file", type=Path, default=None, help="deployment file (default: in DIR, or here)")
    parser.add_argument(
        "--key-file", type=Path, required=True, help="hex private key of the deploying account"
    )
    parser.add_argument("--operator", help="account that admits members (default: the deploying one)")
    parser.add_argument("--admission-delay-seconds", type=int, default=0, help="wait before an admission")
    parser.add_argument(
        "--board-threshold", type=int, default=1, metavar="N", help="ethics-board members a decision takes"
    )
    parser.add_argument("--chain-id", type=int, default=None, help="refuse any other chain")
    parser.add_argument("--gas-price", type=int, default=0, metavar="WEI")
    parser.add_argument("--finality-depth", type=int, default=0, metavar="BLOCKS")
    return parser.parse_args()


@contextmanager
def _chain(options: argparse.Namespace) -> Iterator[tuple[Chain, Path]]:
    if options.rpc:
        network = NetworkChain(
            options.rpc,
            expected_chain_id=options.chain_id,
            finality_depth=options.finality_depth,
            gas_price=options.gas_price,
        )
        try:
            yield network, options.file or Path("deployment.json")
        finally:
            network.close()
        return
    data = DataDirectory(options.data)
    data.open()
    try:
        embedded = EmbeddedChain(directory=data.chain, binary=find_anvil(ROOT))
        try:
            yield embedded, options.file or data.chain / "deployment.json"
        finally:
            embedded.close()
    finally:
        data.close()


if __name__ == "__main__":
    sys.exit(main())

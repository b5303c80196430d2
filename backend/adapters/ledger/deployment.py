"""Puts the contracts on a chain once, and makes sure at every start that what is there is what we compiled.

The plan (deployer and first nonce) is durable before the first transaction, and a contract's address
follows from its creator and nonce (EIP-161), so that after a crash each contract is found where the
plan says or made there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.types import Nonce
from web3.utils.address import get_create_address

from backend.adapters.ledger.abi import artifact
from backend.adapters.ledger.calls import Sender
from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.consents import ConsentRegistry
from backend.adapters.ledger.deployment_file import (
    SUCCEEDED,
    DeployedContract,
    Deployment,
    Generation,
    MarketTerms,
    Place,
    read_deployment,
    write_deployment,
)
from backend.adapters.ledger.errors import (
    ContractCodeDiffers,
    DeploymentIncomplete,
    SuccessionUnderWay,
    WrongChain,
)
from backend.adapters.ledger.events import Reading
from backend.adapters.ledger.members import ParticipantRegistry
from backend.adapters.ledger.relayer import Relayer
from backend.adapters.ledger.rpc import RpcError
from backend.errors import LedgerUnavailable
from backend.types import Address

_log = logging.getLogger(__name__)
# In order of their nonces, each with the contracts whose addresses it takes. The first makes and configures
# its own AccessManager and takes the operator instead. The ConsentRegistry makes Recovery.
_CREATED: dict[str, tuple[str, ...]] = {
    "ParticipantRegistry": (),
    "ConsentRegistry": ("ParticipantRegistry",),
    "RecordRegistry": ("ParticipantRegistry",),
    "AuditAnchor": ("ParticipantRegistry",),
    "ResearchMarket": ("ParticipantRegistry",),
    "EmergencyAccess": ("ParticipantRegistry", "ConsentRegistry"),
    "WitnessPairs": (),
    "KeyRegistry": ("ConsentRegistry",),
}
_FIRST = "ParticipantRegistry"
# The same of a succession; each takes the contract of its name that it succeeds. The registry of consents
# makes a Recovery again.
_CREATED_BY_SUCCESSION: dict[str, tuple[str, ...]] = {
    "ConsentRegistry": (),
    "KeyRegistry": ("ConsentRegistry",),
    "EmergencyAccess": ("ConsentRegistry",),
}
_GAS = 16_000_000
_MADE_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.2
RECOVERY_DELAY_SECONDS: Final = 72 * 3600


def deploy_or_attach(
    *,
    path: Path,
    chain: Chain,
    relayer: Relayer,
    operator: Address,
    admission_delay_seconds: int,
    recovery_delay_seconds: int = RECOVERY_DELAY_SECONDS,
    market_terms: MarketTerms | None = None,
    succeeding: bool = False,
) -> Deployment:
    """Return the deployment that ``path`` names, checked against the chain; make it where there is none.

    ``admission_delay_seconds`` to ``market_terms`` count only when it is made; None are the defaults.
    ``succeeding``: also while other contracts are taking over.

    Raise WrongChain, DeploymentIncomplete, ContractCodeDiffers, DeploymentDamaged, ArtifactsMissing,
    SuccessionUnderWay or LedgerUnavailable.
    """
    if succession_file(path).exists() and not succeeding:
        raise SuccessionUnderWay
    deployment = read_deployment(path)
    if deployment is None:
        terms = market_terms or MarketTerms()
        fixed = _Fixed(operator, admission_delay_seconds, recovery_delay_seconds, terms)
        deployment = _plan(chain, relayer, fixed)
        write_deployment(path, deployment)
    if not deployment.complete:
        _check_chain(deployment, chain)
        deployment = _carry_out(path, deployment, chain, relayer)
    require_deployed(deployment, chain)
    return deployment


def succession_file(path: Path) -> Path:
    """Return where the successors of a deployment are planned until they count, beside its file."""
    return path.with_name("succession.json")


def deploy_successors(*, path: Path, current: Deployment, chain: Chain, relayer: Relayer) -> Deployment:
    """Put the contracts on the chain that are to succeed those of ``current``; the same again goes on.

    The plan is kept beside ``path``, not complete: nothing asks these contracts yet. Raise as
    ``deploy_or_attach`` does.
    """
    file = succession_file(path)
    plan = read_deployment(file)
    if plan is None:
        before = Generation({name: current.contracts[name] for name in SUCCEEDED}, until=0)
        deployer = relayer.address(Sender.OPERATOR)
        plan = replace(
            current,
            deployer=deployer,
            first_nonce=chain.next_nonce(deployer),
            compiler=artifact(_FIRST).compiler,
            contracts={name: item for name, item in current.contracts.items() if name not in SUCCEEDED},
            complete=False,
            predecessors=(*current.predecessors, before),
        )
        write_deployment(file, plan)
    return _carry_out(file, plan, chain, relayer)


def require_deployed(deployment: Deployment, chain: Chain) -> None:
    """Raise WrongChain, DeploymentIncomplete or ContractCodeDiffers unless it is on this chain, whole and
    with this release's code.
    """
    if not deployment.complete:
        raise DeploymentIncomplete("The deployment was not finished.")
    _check_chain(deployment, chain)
    _check_names(deployment)
    verify_code(deployment, chain)


def verify_node(deployment: Deployment, node: Reading) -> None:
    """Do the same with one node of two. Raise also LedgerUnavailable where it has not come so far yet."""
    made = max((deployment.made(place).block or 0 for place in deployment.places()), default=0)
    head = int(_ask(node, "eth_blockNumber"), 16)
    if head < made or (_ask(node, "eth_syncing") is not False):
        raise LedgerUnavailable("The node does not have the block with the contracts yet.")
    verify_code(deployment, node)


def verify_code(deployment: Deployment, chain: Reading) -> None:
    """Compare every contract's code on the chain with the compiled one and with what was recorded.

    The immutables, which the constructor fills in, are masked for the first comparison. Raise
    ContractCodeDiffers.
    """
    for place in deployment.places():
        if _hash(require_code(place, chain)) != deployment.made(place).code_hash:
            raise ContractCodeDiffers(
                f"The constants of {place.artifact} on the chain are not the deployed ones."
            )


def require_code(place: Place, chain: Reading) -> bytes:
    """Return the code at an address. Raise ContractCodeDiffers unless it is this release's contract, whatever
    its constants are."""
    code = _code(chain, place.address)
    expected = artifact(place.artifact)
    if not code:
        raise ContractCodeDiffers(
            f"There is no {place.artifact} at its address, as far as the node has blocks."
        )
    if expected.masked(code) != expected.runtime:
        raise ContractCodeDiffers(f"The code of {place.artifact} on the chain is not the compiled one.")
    return code


class _Fixed(NamedTuple):
    """What a deployment fixes for ever."""

    operator: Address
    admission_delay_seconds: int
    recovery_delay_seconds: int
    market_terms: MarketTerms


def _plan(chain: Chain, relayer: Relayer, fixed: _Fixed) -> Deployment:
    deployer = relayer.address(Sender.OPERATOR)
    nonce = chain.next_nonce(deployer)
    if nonce and _is_ours(chain, Place(_FIRST, _address_of(deployer, 0))):
        _log.warning("the deployment file is gone; taking over the contracts found on the chain")
        nonce = 0
    return Deployment(
        chain_id=chain.chain_id,
        genesis_hash=_genesis_hash(chain),
        deployer=deployer,
        first_nonce=nonce,
        compiler=artifact(_FIRST).compiler,
        contracts={},
        complete=False,
        **fixed._asdict(),
    )


def _carry_out(path: Path, plan: Deployment, chain: Chain, relayer: Relayer) -> Deployment:
    """Make what is missing of the plan, and what those contracts made themselves. Where the account was used
    otherwise in between, plan anew. Successors are not complete with that: others have to be asked yet.
    """
    generation = len(plan.predecessors)
    contracts = {} if generation == 0 else dict(plan.contracts)
    for position, name in enumerate(_created(plan)):
        place = Place(name, _address_of(plan.deployer, plan.first_nonce + position), generation)
        noted = plan.contracts.get(name)
        block, transaction = None, None
        if noted is not None and noted.address == place.address:
            block, transaction = noted.block, noted.transaction
        if not _is_ours(chain, place):
            if chain.next_nonce(plan.deployer) != plan.first_nonce + position:
                _log.warning("the deploying account was used in between; deploying anew")
                fresh = replace(plan, first_nonce=chain.next_nonce(plan.deployer))
                write_deployment(path, fresh)
                return _carry_out(path, fresh, chain, relayer)
            code = artifact(place.artifact).creation_code(*_arguments(name, plan, contracts))
            address, receipt = relayer.deploy(code, gas=_GAS, sender=Sender.OPERATOR)
            place = place._replace(address=address)
            block, transaction = receipt.block_number, "0x" + receipt.transaction_hash.hex()
        contracts[name] = DeployedContract(place.address, _hash(_made(place, chain)), block, transaction)
    if generation == 0:
        registry = ParticipantRegistry(contracts[_FIRST].address, chain)
        manager = Place("AccessManager", registry.authority(block=chain.view().head_number))
        contracts[manager.name] = DeployedContract(manager.address, _hash(_made(manager, chain)), None, None)
    consents = ConsentRegistry(contracts["ConsentRegistry"].address, chain)
    recovery = Place("Recovery", consents.recovery(block=chain.view().head_number), generation)
    contracts[recovery.name] = DeployedContract(recovery.address, _hash(_made(recovery, chain)), None, None)
    done = replace(plan, contracts=contracts, complete=generation == 0)
    write_deployment(path, done)
    return done


def _created(plan: Deployment) -> Mapping[str, tuple[str, ...]]:
    return _CREATED_BY_SUCCESSION if plan.predecessors else _CREATED


def _made(place: Place, chain: Chain) -> bytes:
    """Return the code of a contract, once it is there. Raise LedgerUnavailable.

    The block that it was made in may be replaced, and the chain is without it for a moment: the hash of no
    code would be refused at every start.
    """
    deadline = time.monotonic() + _MADE_SECONDS
    while True:
        try:
            return require_code(place, chain)
        except ContractCodeDiffers as failure:
            if time.monotonic() > deadline:
                raise LedgerUnavailable(
                    f"The block with {place.name} was replaced by one without it."
                ) from failure
        time.sleep(_POLL_SECONDS)


def _arguments(name: str, plan: Deployment, contracts: Mapping[str, DeployedContract]) -> tuple[Any, ...]:
    """Return what the contract's constructor takes."""
    addresses = tuple(contracts[each].address for each in _created(plan)[name])
    if plan.predecessors:
        return (plan.predecessors[-1].contracts[name].address, *addresses)
    match name:
        case "ParticipantRegistry":
            return (plan.operator, plan.admission_delay_seconds)
        case "ConsentRegistry":
            return (*addresses, plan.recovery_delay_seconds)
        case "ResearchMarket":
            return (*addresses, astuple(plan.market_terms))
        case _:
            return addresses


def _check_chain(deployment: Deployment, chain: Chain) -> None:
    if chain.chain_id != deployment.chain_id:
        raise WrongChain(f"This is chain {chain.chain_id}; the deployment is on {deployment.chain_id}.")
    if _genesis_hash(chain) != deployment.genesis_hash:
        raise WrongChain("This chain has the right id and another first block.")


def _check_names(deployment: Deployment) -> None:
    """Refuse a deployment of an earlier release.

    It is not completed silently: contracts are immutable, and what people signed names them by address, so
    the operator has to choose.
    """
    missing = [name for name in _CREATED if name not in deployment.contracts]
    if missing:
        raise DeploymentIncomplete(f"The deployment has no {', '.join(missing)}.")


def _is_ours(chain: Chain, place: Place) -> bool:
    compiled = artifact(place.artifact)
    return compiled.masked(_code(chain, place.address)) == compiled.runtime


def _address_of(deployer: Address, nonce: int) -> Address:
    return Address(get_create_address(to_checksum_address(deployer), Nonce(nonce)))


def _code(chain: Reading, address: Address) -> bytes:
    found = _ask(chain, "eth_getCode", address, "latest")
    return bytes.fromhex(found[2:])


def _genesis_hash(chain: Chain) -> str:
    return str(_ask(chain, "eth_getBlockByNumber", "0x0", False)["hash"])


def _ask(chain: Reading, method: str, *parameters: Any) -> Any:
    try:
        return chain.rpc().call(method, *parameters)
    except RpcError as error:
        raise LedgerUnavailable(f"The node refused {method} ({error.code}).") from error


def _hash(code: bytes) -> str:
    return Web3.keccak(code).to_0x_hex()

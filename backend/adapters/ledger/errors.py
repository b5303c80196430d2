"""What can go wrong between us and the chain. Nothing of web3 or HTTP leaves this package."""

from __future__ import annotations

from collections.abc import Sequence

from backend.errors import Conflict, IntegrityError, LedgerUnavailable, OperatorError


class LedgerRejected(Conflict):
    """A contract refused. ``name`` is the Solidity error, ``arguments`` its values in order.

    A call that already took effect is refused too: its caller knows the id and can look.
    """

    code = "ledger_rejected"
    remedy = "Read the current state of the consent or member on the chain and decide again."

    def __init__(self, name: str, arguments: Sequence[object] = ()) -> None:
        super().__init__(f"The contract refused: {name}.")
        self.name = name
        self.arguments = tuple(arguments)


class TransactionRefused(LedgerUnavailable):
    """The node would not take a transaction (nonce, gas, encoding). Nothing was recorded."""

    code = "ledger_transaction_refused"
    remedy = "Nothing was recorded. Try again; if it persists, the operator should check the relayer account."


class OutcomeUnknown(LedgerUnavailable):
    """The wait for a block ended first. The transaction may still take effect; asking again is harmless."""

    code = "ledger_outcome_unknown"
    remedy = "Try again: ids are idempotent, so what already took effect is recognised."


class StaleHead(LedgerUnavailable):
    """The newest block of the network is older than the limit: validators halted or the node is cut off."""

    code = "ledger_stale"
    remedy = "The chain has stopped or this node is cut off. Nothing was decided; try again shortly."


class NodeUnsound(LedgerUnavailable):
    """A node answers, and what it shows cannot be: it is behind what it showed before, or it lies."""

    code = "ledger_node_unsound"
    remedy = "Let the node follow the network again, or ask another one. Nothing is permitted until then."


class NodeSilent(LedgerUnavailable):
    """One of the two nodes that permission needs has not answered for longer than the staleness limit."""

    code = "ledger_node_silent"
    remedy = (
        "Start the node that /health/ready names. Nothing is permitted on the word of the other one alone; "
        "revocations and other restrictions are taken all the same."
    )


class NodesDisagree(LedgerUnavailable):
    """The two nodes answer a question about one block differently: they are on two branches, or one lies."""

    code = "ledger_nodes_disagree"
    remedy = (
        "Try again shortly: near the head two branches are usual and soon over. If it goes on, one of the "
        "nodes lies or is damaged; see the runbook, NodesDisagree."
    )


class BlockForgotten(LedgerUnavailable):
    """The node no longer holds the state of the block asked for. Take a new view."""

    code = "ledger_block_forgotten"
    remedy = "The chain moved on while deciding. Try again."


class JournalUnwritable(LedgerUnavailable):
    """The write-ahead journal could not be made durable, so no block was made."""

    code = "chain_journal_unwritable"
    remedy = "Free disk space or mend the data directory, then restart."


class JournalDamaged(OperatorError):
    """A record before the end of the journal does not match its checksum."""

    code = "chain_journal_damaged"
    remedy = "Restore the file 'chain/journal' from a backup or from another copy of the data directory."


class ReplayDiverged(OperatorError):
    """Replaying the journal does not give the blocks it recorded: another anvil version, or a changed
    journal.
    """

    code = "chain_replay_diverged"
    remedy = "Use the pinned anvil version ('npm ci') and an unchanged data directory."


class ChainBinaryMissing(OperatorError):
    code = "chain_binary_missing"
    remedy = "Run 'npm ci', or name the anvil program in the settings."


class ChainStartFailed(OperatorError):
    code = "chain_start_failed"
    remedy = "Read 'chain/anvil.log' in the data directory."


class WrongChain(OperatorError):
    """The node serves another chain than the one this deployment belongs to."""

    code = "wrong_chain"
    remedy = "Point the settings at the network this deployment was made on."


class SameNode(OperatorError):
    """Both nodes that the service is to ask are one."""

    code = "ledger_same_node"
    remedy = (
        "Name two nodes that different organisations run in ASSENT_LEDGER_URL and ASSENT_LEDGER_SECOND_URL."
    )


class FinalBlocksDamaged(OperatorError):
    """The file of the final blocks that permission rested on cannot be read."""

    code = "final_blocks_damaged"
    remedy = (
        "Restore 'chain/final-blocks.json' from a copy of the data directory; or remove it: blocks that were "
        "replaced before are then not noticed, and permission rests on what is final from now on."
    )


class ChainChanged(LedgerUnavailable):
    """A node that is asked serves another chain than at the start of the service, or other contracts."""

    code = "ledger_chain_changed"
    remedy = (
        "Find out what answers at ASSENT_LEDGER_URL and ASSENT_LEDGER_SECOND_URL. Nothing is permitted until "
        "it is the network again."
    )


class FinalityBroken(LedgerUnavailable):
    """A block that was final is gone from the chain. No permission is given until a person has looked."""

    code = "chain_finality_broken"
    remedy = (
        "Find out which validators signed two chains. 'assent audit finality' lists the permits that rested "
        "on the lost blocks; with --accept the service permits again. See the runbook, FinalityBroken."
    )


class ChainReorganised(LedgerUnavailable):
    """Blocks were replaced while they were read, so that what was read belongs to no one chain."""

    code = "ledger_reorganised"
    remedy = "Ask again, or name an older block."


class EventsContradict(IntegrityError):
    """An event of a contract cannot follow upon those before it: the node left some out, or made one up."""

    code = "ledger_events_contradict"
    remedy = "Ask another node of the same chain; do not rely on this one."


class ArtifactsMissing(OperatorError):
    code = "contract_artifacts_missing"
    remedy = "Run 'python scripts/compile.py'."


class ContractCodeDiffers(OperatorError):
    """The code on the chain is not the code this release was compiled to."""

    code = "contract_code_differs"
    remedy = "Install the release that made this deployment, or deploy anew with another data directory."


class DeploymentIncomplete(OperatorError):
    """The deployment was made by an earlier release and lacks a contract that this one needs."""

    code = "deployment_incomplete"
    remedy = (
        "Install the release that made this deployment; or, where its data may be given up (development), "
        "start with an empty data directory, so that all contracts are deployed anew."
    )


class SuccessionUnderWay(OperatorError):
    """Other contracts are taking over, and have not taken over whole: neither may be asked alone."""

    code = "succession_under_way"
    remedy = (
        "Run 'assent ledger succeed' again: it goes on where it was. 'assent ledger succeed --abandon' gives "
        "it up, and the contracts of before count on."
    )


class SuccessionHeld(OperatorError):
    """A recovery is pending for a subject, which cannot be taken over before it ends."""

    code = "succession_held"
    remedy = (
        "Start the service on its contracts again and wait until the recoveries are completed or vetoed. "
        "Nothing was taken over yet."
    )


class SuccessionSpoiled(OperatorError):
    """What stands in the successors is not what stands in the contracts before them."""

    code = "succession_spoiled"
    remedy = (
        "Somebody went on recording in the contracts of before. Make sure that every custodian's service on "
        "this chain is stopped, call 'assent ledger succeed --abandon', and begin again."
    )


class DeploymentSucceeded(OperatorError):
    """The index was used with contracts that succeeded those of the deployment file, which is an old one."""

    code = "deployment_succeeded"
    remedy = (
        "Put 'chain/deployment.json' back as it was written last, from a newer copy or from another "
        "custodian of this chain. On these contracts stops that came since would be missed."
    )


class DeploymentThere(OperatorError):
    """The data directory belongs to another deployment; what people signed names its contracts."""

    code = "deployment_there"
    remedy = (
        "Join with a data directory in which no service ever started. Contracts that succeed these are taken "
        "with 'assent ledger succeed --with FILE'."
    )


class LogNameTaken(OperatorError):
    """Another custodian anchors a log of this name, and no verifier could tell the two apart."""

    code = "log_name_taken"
    remedy = "Give ASSENT_TENANT another value, which no other custodian of this chain has."


class JoinNeedsNetwork(OperatorError):
    code = "join_needs_network"
    remedy = "Set ASSENT_LEDGER_URL and ASSENT_LEDGER_CHAIN_ID: an embedded chain has one service only."


class DeploymentDamaged(OperatorError):
    code = "deployment_damaged"
    remedy = "Restore the deployment file from a backup; the chain itself is unchanged."

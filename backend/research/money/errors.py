"""Errors of the money of studies. No text tells who was paid, or how many there are."""

from __future__ import annotations

from backend.errors import Conflict, InvalidInput, NotFound


class PaymentsUnavailable(Conflict):
    code = "payments_not_configured"
    remedy = (
        "On a network the operator names the ERC-20 to pay in with ASSENT_RESEARCH_TOKEN; the test token is "
        "for embedded chains only."
    )


class InvoiceReused(Conflict):
    code = "invoice_reused"
    remedy = "This invoice paid another study or amount before. Give each payment a reference of its own."


class FundingTransactionsInvalid(InvalidInput):
    code = "funding_transactions_invalid"
    remedy = "Sign both transactions of the draft as they are, in its order, with the funder's account."


class NoTestToken(Conflict):
    code = "no_test_token"
    remedy = "Play money exists on an embedded chain only."


class OfficeUnfit(Conflict):
    """The member that pays for studies by invoice is suspended, removed or expired."""

    code = "payments_office_unfit"
    remedy = "Reinstate the member 'Payments office', or let the researcher pay from an account of its own."


class StockTooSmall(Conflict):
    code = "payments_stock_too_small"
    remedy = "Send tokens to the payments office's account (GET /v1/escrows/terms names it) and ask again."


class EscrowUnknown(NotFound):
    code = "escrow_unknown"
    remedy = "GET /v1/escrows lists the escrows of a study."


class EscrowOwes(Conflict):
    code = "escrow_owes"
    remedy = (
        "Patients are still to be paid from it. Propose their payout first; at the end of the study's grace "
        "the funder takes the rest back without this."
    )


class ResultUnknown(NotFound):
    code = "result_unknown"
    remedy = "GET /v1/payouts/results lists the results that a study's runs gave."


class PayoutUnknown(NotFound):
    code = "payout_unknown"
    remedy = "GET /v1/payouts lists the payouts of a study."


class PayoutTermsInvalid(InvalidInput):
    code = "payout_terms_invalid"
    remedy = "Give one of 'per_patient' and 'budget', large enough that each patient gets at least one unit."


class NobodyToPay(Conflict):
    """Nobody of the run named a payee who is not in a payout already."""

    code = "nobody_to_pay"
    remedy = "Wait until patients have named where they want to be paid, then propose the payout again."


class ParticipantsMissing(Conflict):
    """Fewer shares are stored than the run had patients: erased since, or removed from the index."""

    code = "payout_participants_missing"
    remedy = (
        "Compare with the erasures since the run. If they explain it, propose again with 'missing' as the "
        "number that GET /v1/payouts/results shows."
    )


class PayoutUnderWay(Conflict):
    code = "payout_under_way"
    remedy = "A payout for this result is proposed and not over. See GET /v1/payouts."


class PayeeRefused(InvalidInput):
    code = "payee_refused"
    remedy = (
        "Name an account made for this study alone: not the wallet that decides, not one that another study "
        "pays, not an organisation's; or a donation account that the ethics board named."
    )


class PayeeOutdated(Conflict):
    code = "payee_outdated"
    remedy = "Another choice was made in between. Get a new draft and sign it."


class PayeeSignatureInvalid(InvalidInput):
    code = "payee_signature_invalid"
    remedy = (
        "Sign the text of the draft as it is (personal_sign), with the wallet that decides for the patient."
    )


class NothingToClaim(NotFound):
    code = "nothing_to_claim"
    remedy = "GET /v1/payments shows what may be claimed, and until when."


class ClaimRefused(Conflict):
    code = "claim_refused"
    remedy = (
        "The chain refused the payment for the reason named. Any relayer may submit the proof document again."
    )


class ProofDocumentInvalid(InvalidInput):
    code = "payment_proof_invalid"
    remedy = "Get the document again with GET /v1/payments/proof."

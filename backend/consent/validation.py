"""Checks that a signed message makes sense, before anybody spends a signature or a transaction on it.

Every failure raises a subclass of InvalidInput whose ``field`` is the dotted path of the EIP-712 member,
such as ``terms.rules[2].dataTo``. Whether the signer may sign is not looked at here.
"""

from __future__ import annotations

from typing import Final

from eth_utils.address import is_checksum_address

from backend.consent.errors import InvalidTerms
from backend.consent.recovery_terms import (
    MAX_GUARDIANS,
    DelegatedEndForCause,
    EndForCause,
    RecoveryCommand,
    RecoveryPolicy,
    SetRecoveryPolicy,
    VetoRecovery,
)
from backend.consent.tables import CodeTable, Tables, check_language
from backend.consent.terms import (
    EVERYONE,
    MAX_DEPTH,
    MAX_RULES,
    MAX_USES_PER_PERIOD,
    UNBOUNDED,
    UNLIMITED_USES,
    ZERO32,
    BreakGlass,
    Command,
    ConsentTerms,
    DelegatedDelegation,
    DelegatedGrant,
    DelegatedRevoke,
    Delegation,
    Effect,
    Grant,
    Kind,
    OpenSubject,
    Power,
    ResearchTerms,
    Revoke,
    RevokeAll,
    Rule,
)
from backend.consent.witnessed import check_witnessed
from backend.types import MAX_SUBJECT_ID

LAST_DATE: Final = 253_402_300_799  # 9999-12-31T23:59:59Z: later than that only UNBOUNDED
MAX_LIST: Final = 32
MAX_TEXT_BYTES: Final = 65_536
RESEARCH_PURPOSES: Final = (
    *("HRESCH", "BIORCH", "CLINTRCH", "CLINTRCHNPC", "CLINTRCHPC"),
    *("PRECLINTRCH", "DSRCH", "POARCH", "TRANSRCH"),
)


def check_command(command: Command, tables: Tables) -> None:
    """Raise InvalidTerms, UnknownBit or UnknownCode when ``command`` could never be accepted."""
    match command:
        case Grant():
            check_grant(command, tables)
        case Delegation():
            check_delegation(command, tables)
        case DelegatedGrant():
            _bytes32(command.delegation, "delegation", zero=False)
            check_grant(command.grant, tables, "grant.")
        case DelegatedDelegation():
            _bytes32(command.delegation, "delegation", zero=False)
            check_delegation(command.child, tables, "child.")
            if command.child.parent != command.delegation:
                raise InvalidTerms("The parent is not the delegation that is used.", field="child.parent")
        case Revoke():
            _bytes32(command.consent, "consent", zero=False)
        case DelegatedRevoke():
            _bytes32(command.consent, "consent", zero=False)
            _bytes32(command.delegation, "delegation", zero=False)
        case RevokeAll():
            _subject(command.subject, "subject")
            _unsigned(command.epoch, 32, "epoch")
        case OpenSubject():
            _subject(command.subject, "subject")
            _account(command.controller, "controller")
            _instant(command.submit_by, "submitBy")
        case EndForCause():
            _bytes32(command.delegation, "delegation", zero=False)
        case DelegatedEndForCause():
            _bytes32(command.ended, "ended", zero=False)
            _bytes32(command.delegation, "delegation", zero=False)
        case _:
            _recovery_command(command)


def check_grant(grant: Grant, tables: Tables, path: str = "") -> None:
    """Check a permit, a deny or a refusal. ``path`` is put before the names of fields."""
    if grant.kind not in (Kind.PERMIT, Kind.DENY, Kind.REFUSAL):
        raise InvalidTerms("A grant is a permit (1), a deny (2) or a refusal (5).", field=path + "kind")
    expected = Effect.PERMIT if grant.kind == Kind.PERMIT else Effect.DENY
    if grant.terms.decision != expected:
        raise InvalidTerms("The decision does not go with the kind.", field=path + "terms.decision")
    _subject(grant.subject, path + "subject")
    _window(grant.not_before, grant.not_after, path + "notAfter")
    _instant(grant.submit_by, path + "submitBy")
    _unsigned(grant.epoch, 32, path + "epoch")
    _bytes32(grant.request, path + "request", zero=grant.kind != Kind.REFUSAL)
    _bytes32(grant.supersedes, path + "supersedes")
    _terms(grant.terms, tables, path + "terms.")
    if grant.terms.erase_by <= grant.not_before:
        raise InvalidTerms("Copies would have to be erased before the start.", field=path + "terms.eraseBy")


def check_delegation(delegation: Delegation, tables: Tables, path: str = "") -> None:
    """Check a delegation or a guardianship."""
    if delegation.kind not in (Kind.DELEGATION, Kind.GUARDIANSHIP):
        raise InvalidTerms("A delegation has kind 3 or 4.", field=path + "kind")
    _subject(delegation.subject, path + "subject")
    _account(delegation.delegate, path + "delegate")
    tables.powers.check(delegation.powers, field=path + "powers")
    if not delegation.powers:
        raise InvalidTerms("A delegation without powers does nothing.", field=path + "powers")
    _window(delegation.not_before, delegation.not_after, path + "notAfter")
    _instant(delegation.submit_by, path + "submitBy")
    if not 0 <= delegation.depth <= MAX_DEPTH:
        raise InvalidTerms(f"At most {MAX_DEPTH}.", field=path + "depth")
    _unsigned(delegation.epoch, 32, path + "epoch")
    _bytes32(delegation.parent, path + "parent")
    terms, inner = delegation.terms, path + "terms."
    wide = bool(delegation.powers & (Power.GRANT | Power.READ))
    _mask(tables.purposes, terms.purposes, inner + "purposes", needed=wide)
    _mask(tables.categories, terms.categories, inner + "categories", needed=wide)
    tables.sensitivities.check(terms.sensitivities, field=inner + "sensitivities")
    _text(terms.relationship, 200, inner + "relationship", needed=True)
    if "\n" in terms.relationship:  # it stands inside a line of the summary
        raise InvalidTerms("One line only.", field=inner + "relationship")
    _bytes32(terms.evidence, inner + "evidence")
    _bytes32(terms.notice, inner + "notice")
    check_language(terms.language, field=inner + "language")
    _text(terms.summary, MAX_TEXT_BYTES, inner + "summary")
    _bytes32(terms.salt, inner + "salt", zero=False)
    check_witnessed(delegation, path)


def _terms(terms: ConsentTerms, tables: Tables, path: str) -> None:
    permit = terms.decision == Effect.PERMIT
    _bytes32(terms.grantee, path + "grantee", zero=not permit)
    _mask(tables.purposes, terms.purposes, path + "purposes", needed=permit)
    _mask(tables.categories, terms.categories, path + "categories", needed=permit)
    tables.sensitivities.check(terms.sensitivities, field=path + "sensitivities")
    _mask(tables.actions, terms.actions, path + "actions", needed=permit)
    _window(terms.data_from, terms.data_to, path + "dataTo")
    _instant(terms.erase_by, path + "eraseBy")
    _unsigned(terms.max_uses, 32, path + "maxUses")
    if permit and terms.max_uses == 0:
        raise InvalidTerms("A permit without uses permits nothing.", field=path + "maxUses")
    _frequency(terms, path, permit=permit)
    if terms.break_glass not in tuple(BreakGlass):
        raise InvalidTerms("1 allows, 2 limits, 3 forbids.", field=path + "breakGlass")
    tables.categories.check(terms.break_glass_categories, field=path + "breakGlassCategories")
    if bool(terms.break_glass_categories) != (terms.break_glass == BreakGlass.LIMIT):
        raise InvalidTerms("Categories go with 'limit' only.", field=path + "breakGlassCategories")
    if not 0 <= terms.redelegation_depth <= MAX_DEPTH:
        raise InvalidTerms(f"At most {MAX_DEPTH}.", field=path + "redelegationDepth")
    if len(terms.rules) > MAX_RULES:
        raise InvalidTerms(f"At most {MAX_RULES} rules.", field=path + "rules")
    for index, rule in enumerate(terms.rules):
        _rule(rule, terms, tables, f"{path}rules[{index}].")
    _research(terms.research, terms.purposes, tables, path + "research.")
    _bytes32(terms.notice, path + "notice")
    check_language(terms.language, field=path + "language")
    _text(terms.summary, MAX_TEXT_BYTES, path + "summary")
    _bytes32(terms.salt, path + "salt", zero=False)


def _frequency(terms: ConsentTerms, path: str, *, permit: bool) -> None:
    _unsigned(terms.period_seconds, 32, path + "periodSeconds")
    if not permit and not terms.uses_per_period:
        return
    if (terms.uses_per_period == UNLIMITED_USES) != (terms.period_seconds == 0):
        raise InvalidTerms("A period and the uses in it go together.", field=path + "periodSeconds")
    if terms.uses_per_period != UNLIMITED_USES and not 1 <= terms.uses_per_period <= MAX_USES_PER_PERIOD:
        raise InvalidTerms(f"1 to {MAX_USES_PER_PERIOD} uses in a period.", field=path + "usesPerPeriod")


def _rule(rule: Rule, terms: ConsentTerms, tables: Tables, path: str) -> None:
    # A rule that names a code outside its consent would look as if it allowed or denied that code.
    for name, mask, outer, table in (
        ("purposes", rule.purposes, terms.purposes, tables.purposes),
        ("categories", rule.categories, terms.categories, tables.categories),
        ("actions", rule.actions, terms.actions, tables.actions),
    ):
        table.check(mask, field=path + name)
        if outer and mask & ~outer:
            raise InvalidTerms("The rule goes beyond its consent.", field=path + name)
    tables.sensitivities.check(rule.sensitivities, field=path + "sensitivities")
    if rule.permit and terms.decision == Effect.PERMIT and rule.sensitivities & ~terms.sensitivities:
        raise InvalidTerms("The rule goes beyond its consent.", field=path + "sensitivities")
    tables.obligations.check(rule.obligations, field=path + "obligations")
    if rule.obligations and not rule.permit:
        raise InvalidTerms("Only what is allowed can carry obligations.", field=path + "obligations")
    _window(rule.data_from, rule.data_to, path + "dataTo")
    _ids(rule.grantees, path + "grantees")
    _ids(rule.references, path + "references")


def _research(research: ResearchTerms, purposes: int, tables: Tables, path: str) -> None:
    if research != ResearchTerms() and not purposes & tables.purposes.mask(RESEARCH_PURPOSES):
        raise InvalidTerms("Research terms need a research purpose.", field=path + "duo")
    if len(research.duo) > MAX_LIST or len(set(research.duo)) != len(research.duo):
        raise InvalidTerms(f"At most {MAX_LIST} different codes.", field=path + "duo")
    for code in research.duo:
        term, _, qualifier = code[:11], code[11:12], code[12:]
        if term not in tables.duo["en"] or not (code == term or (code[11] == ":" and _is_curie(qualifier))):
            raise InvalidTerms("Not a DUO code, alone or with one qualifier.", field=path + "duo")
    _unsigned(research.minimum_cohort, 32, path + "minimumCohort")
    _unsigned(research.epsilon_cap, 64, path + "epsilonCap")
    _unsigned(research.compensation, 256, path + "compensation")


def _is_curie(text: str) -> bool:
    return 0 < len(text) <= 64 and text.isascii() and text.replace("_", "").replace(":", "").isalnum()


def _mask(table: CodeTable, mask: int, field: str, *, needed: bool) -> None:
    table.check(mask, field=field)
    if needed and not mask:
        raise InvalidTerms("An empty mask permits nothing.", field=field)


def _ids(ids: tuple[bytes, ...], field: str) -> None:
    if len(ids) > MAX_LIST or len(set(ids)) != len(ids):
        raise InvalidTerms(f"At most {MAX_LIST} different ids.", field=field)
    for value in ids:
        _bytes32(value, field, zero=False)


def _bytes32(value: bytes, field: str, *, zero: bool = True) -> None:
    if len(value) != 32:
        raise InvalidTerms("Exactly 32 bytes.", field=field)
    if not zero and value in (ZERO32, EVERYONE):
        raise InvalidTerms("Not zero.", field=field)


def _unsigned(value: int, width: int, field: str) -> None:
    if not 0 <= value < 2**width:
        raise InvalidTerms(f"An integer of {width} bits without sign.", field=field)


def _recovery_command(command: RecoveryCommand) -> None:
    _subject(command.subject, "subject")
    _unsigned(command.round, 32, "round")
    if isinstance(command, VetoRecovery):
        return
    _instant(command.submit_by, "submitBy")
    if isinstance(command, SetRecoveryPolicy):
        _recovery_policy(command.policy)
    else:
        _account(command.controller, "controller")


def _recovery_policy(policy: RecoveryPolicy) -> None:
    """One guardian alone could take the subject over, so two are needed wherever two are named."""
    named = policy.guardianships
    if not 1 <= len(named) <= MAX_GUARDIANS or len(set(named)) != len(named):
        raise InvalidTerms(f"1 to {MAX_GUARDIANS} different guardianships.", field="policy.guardianships")
    for index, guardianship in enumerate(named):
        _bytes32(guardianship, f"policy.guardianships[{index}]", zero=False)
    if not min(2, len(named)) <= policy.threshold <= len(named):
        raise InvalidTerms("Two guardians or more, and not more than are named.", field="policy.threshold")
    _bytes32(policy.salt, "policy.salt", zero=False)


def _subject(value: int, field: str) -> None:
    if not 1 <= value <= MAX_SUBJECT_ID:
        raise InvalidTerms("A subject id is 1 .. 2**96-1.", field=field)


def _account(value: str, field: str) -> None:
    if not is_checksum_address(value) or int(value, 16) == 0:
        raise InvalidTerms("An EIP-55 account address other than zero.", field=field)


def _instant(value: int, field: str) -> None:
    if not 0 < value <= LAST_DATE and value != UNBOUNDED:
        raise InvalidTerms("Unix seconds after 1970 and before the year 10000, or 2**40-1.", field=field)


def _window(start: int, end: int, field: str) -> None:
    if not 0 <= start <= LAST_DATE:
        raise InvalidTerms("The start is not a time in unix seconds.", field=field)
    _instant(end, field)
    if end <= start:
        raise InvalidTerms("The window ends before it begins, or is empty.", field=field)


def _text(value: str, limit: int, field: str, *, needed: bool = False) -> None:
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise InvalidTerms("Not valid Unicode.", field=field) from error
    if size > limit or (needed and not value.strip()):
        raise InvalidTerms(f"Text of 1 to {limit} bytes in UTF-8.", field=field)
    # Control and direction characters could make a wallet show another text than the one signed.
    if not value.replace("\n", " ").isprintable():
        raise InvalidTerms("Printable characters and line ends only.", field=field)

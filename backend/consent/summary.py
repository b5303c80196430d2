"""The plain-language summary inside the signed terms, as a published function of everything else in them.

A wallet shows masks as numbers; the summary says in words what they mean. It is a pure function of the
message (without its own summary and salt), the language and the version of the tables, so that service, page
and verifier can refuse any other text. All words come from the tables; ``docs/decision.md`` gives the order.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, TypeVar

from backend.consent.errors import SummaryMismatch, UnknownBit, UnknownCode
from backend.consent.tables import Tables, check_language, load_tables, published_versions
from backend.consent.terms import (
    EVERYONE,
    UNBOUNDED,
    UNLIMITED_USES,
    ZERO32,
    BreakGlass,
    ConsentTerms,
    Delegation,
    DelegationTerms,
    Document,
    Grant,
    Kind,
    Power,
    ResearchTerms,
    Rule,
)

D = TypeVar("D", Grant, Delegation)
_PERIODS: Final = (
    ("period_days", 86_400), ("period_hours", 3_600), ("period_minutes", 60), ("period_seconds", 1),
)  # fmt: skip


def render(document: Document, language: str, tables: Tables) -> str:
    """Return the summary of a valid document. Raise UnknownCode for a language that is not published."""
    writer = _Writer(check_language(language), tables)
    lines = writer.grant(document) if isinstance(document, Grant) else writer.delegation(document)
    return "\n".join([*lines, writer.say("version", version=str(tables.version))])


def with_summary(document: D, tables: Tables) -> D:
    """Return ``document`` with the summary that belongs to it, in the language of its terms."""
    text = render(document, document.terms.language, tables)
    terms = dataclasses.replace(document.terms, summary=text)
    return dataclasses.replace(document, terms=terms)


def check_summary(document: Document) -> int:
    """Return the version of the tables that the summary was made with; the newest is tried first.

    Raise SummaryMismatch when no published version gives this text.
    """
    language = check_language(document.terms.language)
    for version in reversed(published_versions()):
        with suppress(UnknownCode, UnknownBit):  # of a later version than this one
            if render(document, language, load_tables(version)) == document.terms.summary:
                return version
    raise SummaryMismatch(field="terms.summary")


def short_id(value: bytes) -> str:
    """Return the first and the last four bytes of an id, enough for an eye to compare."""
    return f"0x{value[:4].hex()}…{value[-4:].hex()}"


@dataclasses.dataclass(frozen=True, slots=True)
class _Writer:
    language: str
    tables: Tables

    def say(self, phrase: str, **places: str) -> str:
        # One pass, so that braces inside a value are left alone.
        text = self.tables.phrases[self.language].get(phrase)
        if text is None:
            raise UnknownCode(
                f"Version {self.tables.version} of the tables has no words for it.", field=phrase
            )
        return re.sub(r"\{(\w+)\}", lambda match: places[match[1]], text)

    def grant(self, grant: Grant) -> Iterable[str]:
        terms = grant.terms
        head = {Kind.PERMIT: "permit", Kind.DENY: "deny", Kind.REFUSAL: "refusal"}[Kind(grant.kind)]
        yield self.say(
            head + "_everyone" if terms.grantee == EVERYONE else head,
            grantee=short_id(terms.grantee),
            request=short_id(grant.request),
            subject=short_id(grant.subject.to_bytes(12)),
        )
        permit = grant.kind == Kind.PERMIT
        actions = self.tables.actions.words(terms.actions, self.language)
        yield self._listed("actions_permit" if permit else "actions_deny", actions, "actions_any")
        yield from self._scope(terms, permit=permit)
        yield self._data_window(terms.data_from, terms.data_to)
        if grant.kind == Kind.REFUSAL:
            yield self.say("refusal_end")
            return
        yield self._validity(grant)
        if permit:
            yield from self._limits(terms)
        yield self._emergency(terms)
        yield from self._rules(terms.rules)
        yield from self._research(terms)
        yield from self._ids(request=grant.request, supersedes=grant.supersedes, notice=terms.notice)
        yield self.say("withdraw")

    def delegation(self, delegation: Delegation) -> Iterable[str]:
        terms = delegation.terms
        yield self.say(
            "guardianship" if delegation.kind == Kind.GUARDIANSHIP else "delegation",
            delegate=delegation.delegate,
            subject=short_id(delegation.subject.to_bytes(12)),
        )
        powers = self.tables.powers.words(delegation.powers, self.language)
        yield self.say("powers", words="; ".join(powers))
        yield self.say("relationship", text=terms.relationship)
        yield from self._ids(evidence=terms.evidence)
        yield from self._scope(terms, permit=True)
        yield self._validity(delegation)
        further = delegation.depth if delegation.powers & Power.DELEGATE else 0
        yield self.say("depth", count=str(further)) if further else self.say("depth_none")
        yield from self._ids(parent=delegation.parent, notice=terms.notice)
        yield self.say("withdraw")

    def _scope(self, terms: ConsentTerms | DelegationTerms, *, permit: bool) -> Iterable[str]:
        purposes = self.tables.purposes.words(terms.purposes, self.language)
        yield self._listed("purposes", purposes, "purposes_any")
        categories = self.tables.categories.words(terms.categories, self.language)
        yield self._listed("categories", categories, "categories_any")
        sensitivities = self.tables.sensitivities.words(terms.sensitivities, self.language)
        if permit:
            phrase = "sensitivities_permit" if sensitivities else "sensitivities_permit_none"
        else:
            phrase = "sensitivities_deny" if sensitivities else "sensitivities_deny_any"
        yield self.say(phrase, words="; ".join(sensitivities))

    def _listed(self, phrase: str, words: tuple[str, ...], empty: str) -> str:
        return self.say(phrase, words="; ".join(words) or self.say(empty))

    def _data_window(self, start: int, end: int) -> str:
        phrases = {(0, 0): "data_any", (1, 0): "data_from", (0, 1): "data_to", (1, 1): "data_window"}
        phrase = phrases[int(start > 0), int(end != UNBOUNDED)]
        return self.say(phrase, **{"from": self._date(start), "to": self._date(end)})

    def _validity(self, document: Document) -> str:
        # Version 1 of the tables has no words for a consent without a start and dates it to 1970.
        at_once = document.not_before == 0 and "valid_at_once" in self.tables.phrases[self.language]
        phrase = "valid_at_once" if at_once else "valid"
        if document.not_after == UNBOUNDED:
            phrase += "_open"
        window = {"from": self._date(document.not_before), "to": self._date(document.not_after)}
        return self.say(phrase, **window)

    def _limits(self, terms: ConsentTerms) -> Iterable[str]:
        if terms.erase_by == UNBOUNDED:
            yield self.say("erase_open")
        else:
            yield self.say("erase", date=self._date(terms.erase_by))
        if terms.max_uses == UNLIMITED_USES:
            yield self.say("uses_open")
        else:
            yield self.say("uses", count=str(terms.max_uses))
        if terms.uses_per_period != UNLIMITED_USES:
            yield self.say(
                "frequency", count=str(terms.uses_per_period), period=self._period(terms.period_seconds)
            )
        if terms.redelegation_depth:
            yield self.say("passing", count=str(terms.redelegation_depth))
        else:
            yield self.say("passing_none")

    def _period(self, seconds: int) -> str:
        for phrase, length in _PERIODS:
            if not seconds % length:
                return self.say(phrase, count=str(seconds // length))
        raise ValueError("every length is a number of seconds")

    def _emergency(self, terms: ConsentTerms) -> str:
        words = self.tables.categories.words(terms.break_glass_categories, self.language)
        phrase = {
            BreakGlass.ALLOW: "emergency_allow",
            BreakGlass.LIMIT: "emergency_limit",
            BreakGlass.FORBID: "emergency_forbid",
        }[BreakGlass(terms.break_glass)]
        return self.say(phrase, words="; ".join(words))

    def _rules(self, rules: tuple[Rule, ...]) -> Iterable[str]:
        if rules:
            yield self.say("rules")
        for number, rule in enumerate(rules, start=1):
            parts = "; ".join(self._rule_parts(rule)) or self.say("rule_all")
            line = self.say("rule_permit" if rule.permit else "rule_deny", number=str(number), parts=parts)
            conditions = self.tables.obligations.words(rule.obligations, self.language)
            if conditions:
                line += " " + self.say("rule_obligations", words="; ".join(conditions))
            yield line

    def _rule_parts(self, rule: Rule) -> Iterable[str]:
        tables = self.tables
        for phrase, words in (
            ("rule_purposes", tables.purposes.words(rule.purposes, self.language)),
            ("rule_categories", tables.categories.words(rule.categories, self.language)),
            ("rule_sensitivities", tables.sensitivities.words(rule.sensitivities, self.language)),
            ("rule_actions", tables.actions.words(rule.actions, self.language)),
            ("rule_grantees", tuple(map(short_id, rule.grantees))),
            ("rule_references", tuple(map(short_id, rule.references))),
        ):
            if words:
                yield self.say(phrase, words=", ".join(words))
        if rule.data_from > 0:
            yield self.say("rule_data_from", **{"from": self._date(rule.data_from)})
        if rule.data_to != UNBOUNDED:
            yield self.say("rule_data_to", to=self._date(rule.data_to))

    def _research(self, terms: ConsentTerms) -> Iterable[str]:
        research = terms.research
        if research == ResearchTerms():
            return
        texts = self.tables.duo[self.language]
        words = [texts[code[:11]] + (f" ({code[12:]})" if code[12:] else "") for code in research.duo]
        if words:
            yield self.say("research_duo", words="; ".join(words))
        if research.minimum_cohort:
            yield self.say("research_cohort", count=str(research.minimum_cohort))
        whole, millionths = divmod(research.epsilon_cap, 10**6)
        fraction = f"{millionths:06d}".rstrip("0")
        amount = str(whole) + (self.say("decimal_mark") + fraction if fraction else "")
        yield self.say("research_epsilon", amount=amount)
        if research.compensation:
            yield self.say("research_compensation", count=str(research.compensation))

    def _ids(self, **ids: bytes) -> Iterable[str]:
        for phrase, value in ids.items():
            if value != ZERO32:
                yield self.say(phrase, id=short_id(value))

    def _date(self, seconds: int) -> str:
        if seconds == UNBOUNDED:
            return ""
        moment = datetime.fromtimestamp(seconds, UTC)
        return self.say(
            "date",
            year=f"{moment.year:04d}",
            month=f"{moment.month:02d}",
            day=f"{moment.day:02d}",
            time=moment.strftime("%H:%M:%S" if moment.second else "%H:%M"),
        )

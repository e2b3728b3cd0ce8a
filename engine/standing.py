"""As what somebody takes a step: in which role, by which authority, on whose behalf."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from engine import registers
from engine.actors import MACHINES
from engine.attempt import Attempt
from engine.case import Case
from engine.definition import Definition
from engine.events import Authority
from engine.fixed import fixed
from engine.registers import Rule
from engine.step import ByAuthority, ByPerson, Step
from engine.values import folded, is_withheld


@fixed
class Standing:
    """``role`` is ``None`` where the actor has none that the step asks for; ``why`` says so.

    ``rule`` is the authority that lets them decide, ``giver`` who has delegated the role to them.
    """

    role: str | None
    why: str = ""
    rule: Rule | None = None
    giver: str | None = None

    @property
    def authority(self) -> Authority | None:
        if self.rule is None:
            return None
        limit = dict(self.rule.limit) if self.rule.limit else None
        return Authority(rule=self.rule.key, version=self.rule.version, limit=limit)


def standing_of(step: Step, definition: Definition) -> Callable[[Attempt], Standing]:
    """What tells as what an actor takes the step: the first of ``by`` that they are."""
    if not step.by:
        return _as_said
    plain = [who for who in step.by if isinstance(who, str) and _is_said(who, definition)]
    if plain == step.by:
        return _in_any(plain)
    return lambda attempt: attempt.once("standing", step, lambda: _standing(step, attempt))


def _as_said(attempt: Attempt) -> Standing:
    roles = attempt.command.actor.roles
    return Standing(roles[0] if roles else None)


def _is_said(role: str, definition: Definition) -> bool:
    """Whether who asks says that they are in the role, and nobody looks it up."""
    declared = definition.roles.get(role)
    return role not in MACHINES and (declared is None or declared.appointed_in is None)


def _in_any(roles: Sequence[str]) -> Callable[[Attempt], Standing]:
    found = [(role, Standing(role)) for role in roles]

    def standing(attempt: Attempt) -> Standing:
        has = attempt.command.actor.roles
        for role, as_it in found:
            if role in has:
                return as_it
        return _NONE

    return standing


_NONE = Standing(None)


def _standing(step: Step, attempt: Attempt) -> Standing:
    found = Standing(None)
    reasons = []
    for who in step.by:
        if isinstance(who, ByPerson):
            if attempt.data.get(who.person) == attempt.actor:
                return Standing(who.person)
        elif isinstance(who, ByAuthority):
            found = in_authority(who, attempt)
        else:
            found = in_role(who, attempt)
        if found.role:
            return found
        reasons += [found.why] if found.why else []
    return Standing(None, "; ".join(dict.fromkeys(reasons)))


def in_role(role: str, attempt: Attempt, matter: str = "", value: object = None) -> Standing:
    """Whether the actor is in a role: as they say, or, where it is held by appointment, as the
    register of appointments or a delegation says."""
    actor = attempt.command.actor
    if role in MACHINES:
        return Standing(role if actor.kind == role else None)
    if actor.roles and role not in actor.roles:
        return Standing(None)
    if _is_said(role, attempt.definition):
        return Standing(role if role in actor.roles else None)
    unit = attempt.named(attempt.definition.roles[role].appointed_in or "")
    return holding(role, unit, attempt, matter, value)


def holding(
    role: str, unit: str, attempt: Attempt, matter: str = "", value: object = None
) -> Standing:
    """Whether the actor holds the role in the unit, by appointment or by delegation."""
    actor, delegation = attempt.actor, attempt.command.on_behalf_of
    if attempt.observed:
        return Standing(None, "who did it is not known")
    if delegation:
        giver, why = registers.delegation(
            delegation, role, unit, actor, matter, value, attempt.context
        )
        if giver.casefold() in folded(attempt.recused):
            return Standing(None, f"{giver}, who gave {delegation}, has declared a conflict")
        return Standing(role if giver else None, why, giver=giver or None)
    why = registers.appointment(role, unit, actor, attempt.context)
    return Standing(None if why else role, why)


def in_authority(who: ByAuthority, attempt: Attempt) -> Standing:
    """Whether the actor is whom the authority in force names: in its role, or in its body."""
    rule, why = authority_of(who, attempt)
    if rule is None:
        return Standing(None, why)
    if not rule.by_body:
        category = attempt.named(who.authority.category)
        found = holding(rule.holder, rule.unit, attempt, category, _value(who, attempt))
        return Standing(found.role, found.why, rule, found.giver)
    body, why = body_of(rule.holder, attempt)
    if body is None:
        return Standing(None, why, rule)
    if attempt.actor in body.data.get("members", ()):
        return Standing(rule.holder, "", rule)
    return Standing(None, f"{attempt.actor} is not a member of {rule.holder}", rule)


def body_of(name: str, attempt: Attempt) -> tuple[Case | None, str]:
    """The body of this name if it is in force; or why it is not."""
    found = attempt.bodies.get(name)
    if found is None:
        key = registers.key_of("body", name=name)
        found = attempt.bodies[name] = registers.entry("body", key, attempt.context)
    return found


def authority_of(who: ByAuthority, attempt: Attempt) -> tuple[Rule | None, str]:
    """The rule under which the matter falls; or why there is none."""
    return attempt.once("authority", who, lambda: _authority_of(who, attempt))


def authorities(who: ByAuthority, attempt: Attempt) -> Iterator[Rule]:
    """Whoever could answer for it: whom ``authority_of`` says, and where a step may be taken from
    a higher level, those above, too."""
    rule, _ = authority_of(who, attempt)
    while rule:
        yield rule
        rule = above(rule, who, attempt) if who.authority.least else None


def above(rule: Rule, who: ByAuthority, attempt: Attempt) -> Rule | None:
    """The next level that is in force for the matter."""
    return _authority_of(who, attempt, rule.level + 1)[0]


def _authority_of(who: ByAuthority, attempt: Attempt, above: float = 0) -> tuple[Rule | None, str]:
    matter = who.authority
    if not (category := attempt.named(matter.category)):
        return None, f"{matter.category.removeprefix('data.')} is missing"
    if not (unit := attempt.named(matter.unit)):
        return None, f"{matter.unit.removeprefix('data.')} is missing"
    value = _value(who, attempt)
    if matter.value and (value is None or is_withheld(value)):
        lack = "is missing" if value is None else "is withheld"
        return None, f"{matter.value.removeprefix('data.')} {lack}"
    least = max(above, _least(who, attempt))
    name = (who.authority.least or "").removeprefix("data.")
    if is_withheld(attempt.data.get(name)):
        return None, f"{name} is withheld"
    return registers.authority(category, unit, value, attempt.context, least)


def _least(who: ByAuthority, attempt: Attempt) -> float:
    """The level below which nobody may, as it was and as the step would have it: who changes it
    needs the higher of the two."""
    if not who.authority.least:
        return 0
    name = who.authority.least.removeprefix("data.")
    said = [attempt.data.get(name), attempt.case.data.get(name) if attempt.case else None]
    return max([level for level in said if isinstance(level, int | float)], default=0)


def _value(who: ByAuthority, attempt: Attempt) -> object:
    field = who.authority.value
    return attempt.data.get(field.removeprefix("data.")) if field else None

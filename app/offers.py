"""What can be asked for next: read from a definition's body, without the engine.

An offer says who may ask and what it takes. Whether a condition will hold is for the engine to
decide when somebody asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.signing import Ballot


@dataclass(frozen=True, slots=True)
class Offer:
    """A transition out of the present state.

    ``needs`` holds the fields it needs that the case does not have yet, ``anew`` what must come
    with the step itself (``reason``: the command's own), ``takes`` what it accepts besides,
    ``evidence`` the kinds of document (with their age) that must be attached; ``governed`` says
    whether votes, agreement, authority, children or whom it has gone up to count, ``overridable``
    which guards may be passed, by whom. The engine says (``app.hurdles``) whom the authority in
    force names (``decided_by``), what is still ``missing``, and what it would warn of (``warned``);
    and of somebody who asks, whether they ``may``, and by which delegation (``on_behalf_of``).
    """

    trigger: str
    to: str
    by: tuple[str, ...]
    not_by: tuple[str, ...]
    needs: tuple[str, ...]
    anew: tuple[str, ...]
    takes: tuple[str, ...]
    evidence: tuple[str, ...]
    conditions: tuple[str, ...]
    agreed_by: tuple[str, ...]
    governed: bool
    overridable: str
    emits: str
    about: str
    decided_by: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()
    may: bool | None = None
    on_behalf_of: str = ""

    def __str__(self) -> str:
        parts = [" or ".join(self.by) or "anybody"]
        if self.not_by:
            parts.append(f"not who acted as {' or '.join(self.not_by)}")
        if self.needs:
            parts.append(f"needs {', '.join(self.needs)}")
        if self.anew:
            parts.append(f"says with this step {', '.join(self.anew)}")
        if self.evidence:
            parts.append(f"with {', '.join(self.evidence)}")
        if self.agreed_by:
            parts.append(f"agreed by {', '.join(self.agreed_by)}")
        return f"{self.trigger} -> {self.to}  ({'; '.join(parts)})"


@dataclass(frozen=True, slots=True)
class Prospect:
    """How a case stands for somebody: the steps out of its state, those that they may take first;
    what is up for their answer; and, by trigger, why they may not take the rest.

    What only machines do is not among the rest. Of several ways by one trigger ``cannot`` speaks
    of the one that a refusal would speak of.
    """

    offered: tuple[Offer, ...]
    ballots: tuple[Ballot, ...]
    cannot: Mapping[str, tuple[str, ...]]

    @property
    def may(self) -> bool:
        """Whether they may do anything now."""
        return any(offer.may for offer in self.offered) or any(not b.why for b in self.ballots)


def offers(body: Mapping[str, Any], state: str | None, data: Mapping[str, Any]) -> list[Offer]:
    """The transitions that leave ``state`` for a case with ``data``, in the definition's order."""
    rules = [rule for rule in body.get("transitions", ()) if state in rule["from"]]
    return [_offer(rule, state or "", data) for rule in rules]


def _called(who: Any) -> str:
    if isinstance(who, str):
        return who
    if "person" in who:
        return f"the {who['person']}"
    return f"who has authority for {who['authority']['category'].removeprefix('data.')}"


def _offer(rule: Mapping[str, Any], state: str, data: Mapping[str, Any]) -> Offer:
    needs = rule.get("needs", ())
    return Offer(
        trigger=rule["trigger"],
        to=rule.get("to", state),
        by=tuple(_called(who) for who in _of(rule, "by")),
        not_by=tuple(_of(rule, "not_by")),
        needs=tuple(name for name in needs if _lacks(data, name)),
        anew=(*_of(rule, "anew"), *(("reason",) if rule.get("corrects") else ())),
        takes=tuple(
            dict.fromkeys(
                [
                    *_of(rule, "accepts"),
                    *(n for n in needs if n in data),
                    *(name for name in _of(rule, "corrects") if not _lacks(data, name)),
                    *_of(rule, "counts"),
                ]
            )
        ),
        evidence=tuple(map(_paper, _of(rule, "evidence"))),
        conditions=tuple(c.get("otherwise") or c["check"] for c in _of(rule, "when")),
        agreed_by=tuple(_of(rule, "agreed_by")),
        governed=_is_governed(rule),
        overridable=_overridable(rule),
        emits=rule.get("emits", ""),
        about=rule.get("about", ""),
    )


def _of(rule: Mapping[str, Any], key: str) -> list[Any]:
    return rule.get(key) or []


def _is_governed(rule: Mapping[str, Any]) -> bool:
    """Whether something else than who asks and what they bring along counts."""
    said = {**rule.get("should", {}), **rule}
    authority = any(isinstance(who, dict) and "authority" in who for who in _of(rule, "by"))
    return authority or any(said.get(key) for key in ("agreed_by", "quorum", "children", "gone_up"))


def _overridable(rule: Mapping[str, Any]) -> str:
    override = rule.get("override")
    if not override:
        return ""
    return f"{', '.join(_of(override, 'of'))} by {' or '.join(_of(override, 'by'))}"


def _lacks(data: Mapping[str, Any], name: str) -> bool:
    value = data.get(name)
    return value is None or (isinstance(value, dict) and "withheld" in value)


def _paper(need: Mapping[str, Any]) -> str:
    age, anew = need.get("newer_than"), need.get("anew")
    young = f" newer than {age}" if age else ""
    return f"a {need['kind']}{young}{' that comes with this step' if anew else ''}"

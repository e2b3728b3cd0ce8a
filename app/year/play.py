"""Playing a year: its acts as commands on a home, with a clock that is moved by hand.

Between two acts time passes: what falls due is done, at the end of each day, and reactions answer
what happened, as they do in a home where ``pmo work`` runs.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from app.home import Home
from app.year.chapters import Act, Moment, Year, replace
from consumers.reactions import Reactions
from consumers.runner import Runner
from engine.clock import HandClock, instant, last_instant, to_datetime
from engine.errors import BadInput, PmoError
from engine.events import CaseStarted
from engine.scenarios.outcomes import difference
from engine.scenarios.steps import Outcome, command_of
from engine.service import Receipt
from projections.deadlines import next_due

_BETWEEN = timedelta(minutes=1)
"""From one act of a day to the next."""


class Player:
    """Plays on a home with this clock, which nobody else moves meanwhile."""

    def __init__(self, home: Home, clock: HandClock) -> None:
        self._home = home
        self._clock = clock
        self._service = home.service
        # Reactions alone, whatever the settings say: a year that is made up is told to nobody.
        self._reactions = Runner(
            home.log, home.consumers, Reactions(home.log, home.service), clock=clock
        )
        self._names: dict[str, str] = {}
        self._cases: dict[str, str] = {}
        self._looked_at = clock.at

    def play(
        self, year: Year, progress: Callable[[int, int], object] = lambda _n, _of: None
    ) -> None:
        """Raises ``BadInput``, with the place in its chapter, for the first act of which something
        else comes than is said there, or that reactions answer in vain."""
        self._reactions.switch_on()
        for number, moment in enumerate(year.moments):
            try:
                self._play(moment)
            except BadInput as error:
                raise BadInput.one(moment.where, f"{moment.day}, {moment.title}: {error}") from None
            progress(number + 1, len(year.moments))
        self._pass_time(last_instant(year.ends_on))

    def key(self, name: str) -> str:
        """Of the case called so."""
        return self._names[name]

    def _play(self, moment: Moment) -> None:
        act = self._with_keys(moment.act)
        case = act.case or self._cases.get(moment.scene, "")
        if act.wait:
            before = self._home.log.head()
            self._pass_time(moment.at)
            answer: Receipt | PmoError = self._last_of(case)
        else:
            begin = max(moment.at, instant(to_datetime(self._clock.at) + _BETWEEN))
            self._pass_time(begin)
            before = self._home.log.head()
            answer = self._ask(act, moment.id, case)
        if act.then is None and isinstance(answer, PmoError):
            raise BadInput.one("", str(answer))
        told = difference(self._service, act.then or Outcome(), answer, before)
        if told:
            raise BadInput.one("", told)
        if isinstance(answer, Receipt):
            case = answer.stream
            if act.called is not None:
                self._names[act.called] = case
        self._cases[moment.scene] = case
        for workflow in dict.fromkeys(act.brings.values()):
            names = [name for name, of in act.brings.items() if of == workflow]
            self._names.update(zip(names, self._started(workflow, before, len(names)), strict=True))

    def _with_keys(self, act: Act) -> Act:
        """With the keys and figures that its names stand for."""
        said = act.model_dump(by_alias=True, exclude_unset=True)
        return Act.model_validate(replace(said, self._word))

    def _ask(self, act: Act, command_id: str, case: str) -> Receipt | PmoError:
        workflow = ""
        if act.observe is not None:
            workflow = act.workflow or self._service.case(case).definition.name
        (answer,) = self._service.handle_many([command_of(act, command_id, case, workflow, "year")])
        if isinstance(answer, Receipt) and self._is_reacted_to(answer):
            self._react()
        return answer

    def _pass_time(self, until: str) -> None:
        """Do what falls due until then. The scheduler looks in the evening of each day, and in the
        morning before somebody acts."""
        if self._clock.at[:10] != until[:10] or until == last_instant(until[:10]):
            while look := self._next_look(until):
                self._clock.at = self._looked_at = look
                self._home.scheduler.work()
                self._react()
        self._clock.at = max(self._clock.at, until)

    def _next_look(self, until: str) -> str | None:
        """When the scheduler next finds something that is due by then."""
        self._home.catch_up()
        due = next_due(self._home.views, self._looked_at)
        return min(until, last_instant(due[:10])) if due and due <= until else None

    def _is_reacted_to(self, receipt: Receipt) -> bool:
        """What nobody reacts to can wait until the evening."""
        pinned = self._service.catalog.pinned(self._service.case(receipt.stream).definition)
        return any(reaction.on in receipt.names for reaction in pinned.definition.reactions)

    def _react(self) -> None:
        self._reactions.catch_up()
        if incidents := self._home.consumers.incidents():
            told = "; ".join(f"{one.what}: {one.reason}" for one in incidents)
            raise BadInput.one("", f"a reaction came to nothing: {told}")

    def _word(self, name: str, field: str) -> Any:
        key = self._names.get(name)
        if key is None:
            raise BadInput.one("", f"the case {name!r} has not come about", "look at who starts it")
        if not field:
            return key
        case = self._service.case(key)
        return case.data.get(field)

    def _last_of(self, case: str) -> Receipt:
        """What became of a case, as a receipt of its last event."""
        last = self._home.log.stream(case)
        if not last:
            raise BadInput.one("", f"there is no case {case!r} to wait for")
        event, state = last[-1].event, self._service.case(case).state
        return Receipt(
            case, event.version, last[-1].position, state, (event.name,), event.recorded_at
        )

    def _started(self, workflow: str, before: int, count: int) -> list[str]:
        """The cases of a workflow that were started since, in their order: just so many."""
        head = self._home.log.head()
        started = [
            recorded.event.stream
            for recorded in self._home.log.read(before, head - before)
            if isinstance(recorded.event, CaseStarted)
            and recorded.event.definition.name == workflow
        ]
        if len(started) != count:
            raise BadInput.one(
                "", f"{len(started)} cases of {workflow} were started by it, not {count}"
            )
        return started

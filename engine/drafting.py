"""What a command would write: what it is about is found, and then it is decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pydantic import ValidationError

from engine import decide, migrating, observing, signing, values
from engine.case import Case
from engine.catalog import Catalog, stream_of, succeeds
from engine.commands import (
    AttachEvidence,
    Command,
    DeclareConflict,
    MigrateCase,
    Observe,
    PublishDefinition,
    PullTrigger,
    Remind,
    Sign,
    StartCase,
)
from engine.context import Context
from engine.decide import Decision
from engine.definition import Definition
from engine.errors import BadInput, NotFound, Refused
from engine.events import Actor, DefinitionPublished, DefinitionRef, Verdict
from engine.fixed import fixed
from engine.folds import Folds
from engine.keys import Keys
from engine.lint.rules import lint
from engine.receipt import Receipt, receipt_of
from engine.store.log import Log
from engine.validation import explain


@fixed
class Draft:
    """What a command would write, and the versions of every stream it was judged by."""

    decision: Decision
    expected: dict[str, int]


class Round:
    """One group under way: the instant it is decided at, and the cases as its drafts leave them.

    ``find`` gives a case as the group has left it so far: as drafted, as kept, else from the log.
    """

    def __init__(self, now: str, new_id: Callable[[], str], folds: Folds, catalog: Catalog) -> None:
        self.now = now
        self.cases: dict[str, Case] = {}
        cases = self.cases
        # By its parts and not by ``self``: what holds itself waits for Python's search for cycles.
        self.find: Callable[[str], Case | None] = lambda key: cases.get(key) or folds.find(key)
        self._context = Context(now, new_id, self.find, catalog.definition, {})

    def take(self, decision: Decision) -> None:
        """The commands to come are decided on what this one leaves."""
        cases = self.cases
        if case := decision.case:
            cases[case.key] = case
        for case in decision.others:
            cases[case.key] = case

    def context(self) -> Context:
        """What the next command is judged in; the same again as long as nobody has looked at
        anything through it."""
        if self._context.seen:
            was = self._context
            self._context = Context(was.now, was.new_id, was.find, was.definition, {})
        self._context.at = ""
        return self._context


class Drafter:
    """Finds what commands are about, and has them decided."""

    def __init__(self, log: Log, catalog: Catalog, folds: Folds, new_id: Callable[[], str]) -> None:
        self._log = log
        self._catalog = catalog
        self._folds = folds
        self._keys = Keys(log)
        self._new_id = new_id

    def begin(self, now: str) -> Round:
        return Round(now, self._new_id, self._folds, self._catalog)

    def forget(self, streams: Iterable[str] | None = None) -> None:
        """Drop what is kept of these streams (of all, if none are named): the log knows better."""
        self._folds.forget(streams)
        for stream in streams or ():
            self._catalog.forget(stream)
        self._keys.forget()

    def draft(self, command: Command, current: Round) -> Draft | Receipt:
        """What the command would write, or has nothing to. Raises ``BadInput``."""
        match command:
            case PullTrigger():
                return self._pull(command, current)
            case Observe():
                return self._observe(command, current)
            case StartCase():
                return self._start(command, current)
            case AttachEvidence():
                return self._attach(command, current)
            case Remind():
                return self._remind(command, current)
            case Sign() | DeclareConflict():
                return self._sign(command, current)
            case MigrateCase():
                return self._migrate(command, current)
            case PublishDefinition():
                return self._publish(command, current)
        raise TypeError(f"no such command: {type(command).__name__}")

    def _pull(self, command: PullTrigger, current: Round) -> Draft:
        key = command.case
        case = current.cases.get(key) or self._folds.find(key) or self._folds.find_again(key)
        if case is None:
            raise no_case(key)
        context = current.context()
        decision = decide.pull(command, case, self._catalog.pinned(case.definition), context)
        expected = context.reads
        expected[key] = case.version
        return Draft(decision, expected)

    def _attach(self, command: AttachEvidence, current: Round) -> Draft:
        case = self._case(command.case, current)
        decision = decide.attach(command, case, current.context())
        return Draft(decision, {case.key: case.version})

    def _remind(self, command: Remind, current: Round) -> Draft:
        case = self._case(command.case, current)
        decision = decide.remind(command, case, current.context())
        return Draft(decision, {case.key: case.version})

    def _sign(self, command: Sign | DeclareConflict, current: Round) -> Draft:
        case = self._case(command.case, current)
        context = current.context()
        workflow = self._catalog.pinned(case.definition)
        if isinstance(command, Sign):
            decision = signing.sign(command, case, workflow, context)
        else:
            decision = signing.declare(command, case, context)
        return Draft(decision, {**context.reads, case.key: case.version})

    def _migrate(self, command: MigrateCase, current: Round) -> Draft:
        case = self._case(command.case, current)
        context = current.context()
        before = self._catalog.pinned(case.definition)
        after = self._catalog.version(case.definition.name, command.to)
        decision = migrating.migrate(command, case, before, after, context)
        return Draft(decision, {**context.reads, case.key: case.version})

    def _start(self, command: StartCase, current: Round) -> Draft:
        published = self._catalog.newest(command.workflow)
        definition = published.workflow.definition
        key = self._keys.propose(definition, command.data)
        context = current.context()
        expected = {key: 0, stream_of(command.workflow): published.stream_version}
        if definition.key_fields and (there := current.find(key)):
            taken = Verdict(rule="key", held=False, reason=f"{key} exists already")
            refusal = Refused(f"{command.workflow} cannot start", (taken,))
            return Draft(Decision((), None, refusal), {key: there.version})
        decision = decide.start(command, key, published.workflow, context)
        draft = Draft(decision, {**context.reads, **expected})
        if draft.decision.events:
            self._keys.take(definition)
        return draft

    def _observe(self, command: Observe, current: Round) -> Draft:
        if not values.CASE_KEY.fullmatch(command.case):
            what = f"{command.case!r} cannot be the key of a case"
            raise BadInput.one("/case", what, "write it as DEC-0042")
        case = current.find(command.case)
        expected = {command.case: case.version if case else 0}
        if case:
            workflow = self._catalog.pinned(case.definition)
        else:
            published = self._catalog.newest(command.workflow)
            workflow = published.workflow
            expected[stream_of(command.workflow)] = published.stream_version
        if workflow.definition.workflow != command.workflow:
            name = workflow.definition.workflow
            what = f"{command.case} is a case of {name}"
            raise BadInput.one("/workflow", what, "name that one, or another case")
        context = current.context()
        decision = observing.observe(command, case, workflow, context)
        return Draft(decision, {**context.reads, **expected})

    def _publish(self, command: PublishDefinition, current: Round) -> Draft | Receipt:
        try:
            definition = Definition.from_body(command.body)
        except ValidationError as error:
            raise explain(Definition, command.body, error) from None
        name = definition.workflow
        earlier = self._catalog.versions(name)
        newest = self._catalog.newest(name) if earlier else None
        if newest and newest.workflow.definition.hash == definition.hash:
            return receipt_of(self._log.stream(stream_of(name))[-1:])
        if problems := [*lint(definition), *succeeds(definition, earlier)]:
            raise BadInput(problems)
        version = newest.stream_version if newest else 0
        event = DefinitionPublished(
            event_id=self._new_id(),
            stream=stream_of(name),
            version=version + 1,
            name="DefinitionPublished",
            recorded_at=current.now,
            occurred_at=current.now,
            actor=Actor(id=command.actor.id, kind=command.actor.kind),
            role=command.actor.roles[0] if command.actor.roles else None,
            definition=DefinitionRef(name=name, version=definition.version, hash=definition.hash),
            command_id=command.command_id,
            correlation_id=command.correlation_id or command.command_id,
            reason=command.reason,
            body=definition.body,
            text=command.text,
        )
        self.forget((event.stream,))
        return Draft(Decision((event,), None), {event.stream: version})

    def _case(self, key: str, current: Round) -> Case:
        case = current.find(key) or self._folds.find_again(key)
        if case is None:
            raise no_case(key)
        return case


def no_case(key: str) -> NotFound:
    return NotFound.one("/case", f"there is no case {key!r}", "pmo list shows what there is")

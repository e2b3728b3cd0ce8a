"""Events become commands: once each, as the definition says that the event is pinned to."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from consumers.reactions import Reactions
from consumers.store import Store
from engine.errors import LogNewer, StoreFailed
from engine.events import CaseTransitioned, Escalated
from engine.ids import new_id
from engine.reactions import DEEPEST, depth_of
from engine.service import Service
from engine.store.log import Append
from engine.store.opening import open_log
from engine.stored import part
from tests.consumers.conftest import DECISION, PLAN, House

ROOT = Path(__file__).parents[2]


@part
class Later(Escalated):
    """An escalation as a newer version tells it."""

    whether: str | None = None


def test_an_event_pulls_a_trigger_of_the_case_it_refers_to(house):
    plan = house.start("plan").stream
    taken = house.approved(plan)
    assert house.runner.catch_up() == house.log.head()
    (event,) = [r.event for r in house.log.stream(plan) if r.event.name == "BaselineIssued"]
    cause = house.log.stream(taken.stream)[-1].event
    assert event.data == {
        "decision": taken.stream,
        "budget": {"amount": "1250000.00", "currency": "GBP"},
    }
    assert (event.actor.id, event.actor.kind) == ("reactions", "service")
    assert event.causation_id == cause.event_id
    assert event.correlation_id == cause.correlation_id
    assert event.command_id == f"reaction:1:{cause.event_id}:0:{plan}"
    assert event.reason == f"DecisionTaken of {taken.stream}"
    assert house.store.incidents() == []


def test_a_condition_that_does_not_hold_asks_for_nothing(house):
    plan = house.start("plan").stream
    house.approved(plan, category="scope")
    house.runner.catch_up()
    assert house.names(plan) == ["PlanStarted"]
    assert house.store.incidents() == []


def test_a_condition_sees_the_case_as_the_event_left_it(house):
    plan = house.start("plan").stream
    decision = house.approved(plan).stream
    house.do(decision, "close")
    house.publish(
        DECISION.replace("version: 1", "version: 2").replace('== "schedule"', '== "scope"')
    )
    house.runner.catch_up()
    assert house.names(plan) == ["PlanStarted", "BaselineIssued"]


def test_a_missing_reference_asks_for_nothing_and_a_withheld_one_is_an_incident(house):
    house.publish(DECISION.replace("version: 1", "version: 2").replace("where:", "#"))
    house.approved(None)
    house.runner.catch_up()
    assert house.store.incidents() == []
    withheld = house.approved({"withheld": "s. 43"}).stream
    house.runner.catch_up()
    (incident,) = house.store.incidents()
    assert incident.stream == withheld
    assert "withheld (s. 43)" in incident.reason


def test_events_before_reactions_are_switched_on_make_nothing_happen(bare):
    bare.publish(PLAN, DECISION)
    early, late = bare.start("plan").stream, bare.start("plan").stream
    bare.approved(early)
    began = bare.runner.switch_on()
    bare.approved(late)
    bare.runner.catch_up()
    assert (bare.state(early), bare.state(late)) == ("draft", "baselined")
    (checkpoint,) = bare.store.checkpoints()
    assert checkpoint.began == began


def test_what_is_imported_makes_nothing_happen_and_what_is_observed_does(house):
    plans = [house.start("plan").stream for _ in range(2)]
    for plan, kind in zip(plans, ("import", "service"), strict=True):
        house.observed(f"OLD-{kind}", plan, kind)
    house.runner.catch_up()
    assert [house.state(plan) for plan in plans] == ["draft", "baselined"]


def test_an_event_of_an_older_definition_is_reacted_to_as_that_one_says(house):
    plan = house.start("plan").stream
    decision = house.start("decision", title="Old rules", amount="1").stream
    house.publish(DECISION.partition("reactions:")[0].replace("version: 1", "version: 2"))
    house.do(decision, "approve", plan=plan, category="schedule")
    newer = house.start("plan").stream
    house.approved(newer)
    house.runner.catch_up()
    assert (house.state(plan), house.state(newer)) == ("baselined", "draft")


def test_a_reaction_starts_a_case(house):
    house.publish(
        DECISION.partition("reactions:")[0].replace("version: 1", "version: 2")
        + """
reactions:
  - on: DecisionTaken
    do: {start: plan, with: {title: data.title, decision: event.name, budget: data.amount}}
"""
    )
    house.approved(None)
    house.runner.catch_up()
    case = house.service.case("PLAN-0001")
    assert case.data["title"] == "Extend"
    assert case.data["decision"] == "DecisionTaken"


def test_a_reaction_pulls_a_trigger_of_the_case_itself(house):
    house.publish(
        DECISION.partition("reactions:")[0].replace("version: 1", "version: 2")
        + "\nreactions: [{on: DecisionTaken, do: {trigger: close, of: case}}]\n"
    )
    decision = house.approved(None).stream
    house.runner.catch_up()
    assert house.state(decision) == "closed"


def test_every_child_is_asked_and_one_that_has_ended_is_left_alone(house):
    house.publish(
        DECISION.partition("reactions:")[0].replace("version: 1", "version: 2")
        + "\nreactions: [{on: DecisionTaken, do: {trigger: issue-baseline, each: plan}}]\n"
    )
    decision = house.start("decision", title="Extend").stream
    for _ in range(3):
        house.start("plan", under=decision)
    house.start("plan")
    house.do("PLAN-0002", "close")
    house.do("PLAN-0003", "issue-baseline")
    house.do(decision, "approve")
    house.start("plan", under=decision)
    house.runner.catch_up()
    states = [house.state(f"PLAN-000{number}") for number in range(1, 6)]
    assert states == ["baselined", "closed", "baselined", "draft", "draft"]
    (incident,) = house.store.incidents()
    assert incident.what == "issue-baseline PLAN-0003"
    assert "PLAN-0003 is in baselined, which has no issue-baseline" in incident.reason


def test_a_refused_reaction_is_an_incident_with_every_reason_and_can_be_retried(house):
    plan = house.start("plan").stream
    house.do(plan, "issue-baseline")
    decision = house.approved(plan)
    other = house.start("plan").stream
    house.approved(other)
    house.runner.catch_up()
    assert house.state(other) == "baselined"  # nothing else stops
    (incident,) = house.store.incidents()
    assert (incident.position, incident.stream) == (decision.position, decision.stream)
    assert incident.what == f"issue-baseline {plan}"
    assert "is in baselined, which has no issue-baseline; from here: close" in incident.reason
    retried = house.runner.retry(incident.number)
    assert (retried.done, retried.left) == (0, 1)
    assert house.store.incidents()[0].tries == 2


def test_an_unknown_target_is_an_incident_and_retried_it_has_its_one_effect(house):
    plan = house.start("plan").stream
    house.observed("OLD-1", "PLAN-0002", "service")
    house.runner.catch_up()
    assert house.reasons() == ["/case: there is no case 'PLAN-0002' (pmo list shows what there is)"]
    house.start("plan")
    assert house.runner.retry(by="op").done == 1
    assert house.names("PLAN-0002") == ["PlanStarted", "BaselineIssued"]
    assert house.names(plan) == ["PlanStarted"]
    assert house.store.incidents() == []
    (closed,) = house.store.incidents(closed=True)
    assert (closed.closed_by, closed.closed_for) == ("op", "done")
    assert house.runner.retry(closed.number).done == 0


def test_a_reaction_whose_refusal_was_recorded_can_be_retried_with_one_effect(house):
    house.publish(
        PLAN.replace("version: 1", "version: 2\nrecord_refusals: true").replace(
            "  - {trigger: close, from: [draft",
            "  - {trigger: redraft, from: baselined, to: draft}\n  - {trigger: close, from: [draft",
        )
    )
    plan = house.start("plan").stream
    house.do(plan, "issue-baseline")
    house.approved(plan)
    house.runner.catch_up()
    assert house.names(plan)[-1] == "CommandRefused"
    (incident,) = house.store.incidents()
    assert house.runner.retry(incident.number).left == 1
    assert house.names(plan)[-2:] == ["CommandRefused", "CommandRefused"]
    house.do(plan, "redraft")
    assert house.runner.retry(incident.number).done == 1
    assert (house.state(plan), house.store.incidents()) == ("baselined", [])
    head = house.log.head()
    assert house.another(house.store).retry(by="op").done == 0
    house.runner.catch_up()
    assert house.log.head() == head


class CrashingStore(Store):
    """Dies after the effects of a batch, before its checkpoint."""

    def finish(self, *said):
        raise KeyboardInterrupt


def test_a_crash_between_effect_and_checkpoint_has_one_effect(house):
    plan = house.start("plan").stream
    house.approved(plan)
    crashing = CrashingStore(house.memories)
    with pytest.raises(KeyboardInterrupt):
        house.another(crashing).catch_up()
    crashing.close()
    assert house.names(plan) == ["PlanStarted", "BaselineIssued"]
    head = house.log.head()
    assert house.runner.lag() > 0
    house.runner.catch_up()
    assert house.log.head() == head
    assert (house.runner.lag(), house.store.incidents()) == (0, [])


KILLED = """
import os, signal, sys
from pathlib import Path
from consumers import store
from consumers.reactions import Reactions
from consumers.runner import Runner
from engine.service import Service
from consumers.postgres import PostgresMemories
from engine.store.opening import open_log

ledger, left = sys.argv[1], int(sys.argv[2])
memories = PostgresMemories(ledger) if "://" in ledger else Path(ledger).with_name("consumers.db")

class Deadly(store.Store):
    def finish(self, *said):
        global left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        super().finish(*said)

log = open_log(ledger)
Runner(log, Deadly(memories), Reactions(log, Service(log)), batch=3).catch_up()
"""


@pytest.mark.parametrize("batch", [1, 3])
def test_a_killed_process_leaves_one_effect_of_every_event(house, batch):
    plans = [house.start("plan").stream for _ in range(6)]
    for plan in plans:
        house.approved(plan)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, house.ledger, str(batch)], cwd=ROOT, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    house.runner.catch_up()
    for plan in plans:
        assert house.names(plan) == ["PlanStarted", "BaselineIssued"]
    assert house.store.incidents() == []


def test_two_reactors_at_once_have_one_effect(house):
    plans = [house.start("plan").stream for _ in range(40)]
    for plan in plans:
        house.approved(plan)
    refused = house.start("plan").stream
    house.do(refused, "close")
    house.approved(refused)
    ready = threading.Barrier(3)
    failures: list[BaseException] = []

    def react() -> None:
        log, store = open_log(house.ledger), Store(house.memories)
        try:
            ready.wait()
            runner = house.another(store, Reactions(log, Service(log)))
            runner._batch = 7
            runner.catch_up()
        except BaseException as error:  # noqa: BLE001  told below
            failures.append(error)
        finally:
            store.close()
            log.close()

    threads = [threading.Thread(target=react) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for plan in plans:
        assert house.names(plan) == ["PlanStarted", "BaselineIssued"]
    assert len(house.store.incidents()) == 1
    assert house.runner.lag() == 0


PING = """
workflow: {name}
version: 1
title: {name}
key: {key}
data:
  other: {{type: ref, to: {other}}}
states: {{on: {{initial: true}}, off: {{final: true}}}}
start: {{emits: {emits}Started}}
transitions:
  - {{trigger: aim, from: on, to: on, needs: other, emits: {emits}Aimed}}
  - {{trigger: hit, from: on, to: on, emits: {emits}Hit}}
  - {{trigger: stop, from: on, to: off}}
reactions:
  - {{on: {emits}Hit, do: {{trigger: hit, of: data.other}}}}
"""


def playing(house: House) -> None:
    """Two cases of two workflows, each of which hits back."""
    house.publish(
        PING.format(name="ping", key="PING", other="pong", emits="Ping"),
        PING.format(name="pong", key="PONG", other="ping", emits="Pong"),
    )
    house.start("ping")
    house.start("pong")
    house.do("PING-0001", "aim", other="PONG-0001")
    house.do("PONG-0001", "aim", other="PING-0001")


def test_a_loop_of_two_definitions_is_stopped_with_the_whole_chain_and_nothing_else_is(house):
    playing(house)
    house.do("PING-0001", "hit")
    plan = house.start("plan").stream
    house.approved(plan)
    house.runner.catch_up()
    hits = [r for k in ("PING-0001", "PONG-0001") for r in house.log.stream(k)]
    hits = [recorded.event for recorded in hits if recorded.event.name.endswith("Hit")]
    assert sorted(depth_of(event.command_id) for event in hits) == list(range(DEEPEST + 1))
    assert house.state(plan) == "baselined"
    (incident,) = house.store.incidents()
    first, *chain = incident.reason.splitlines()
    assert "16 reactions have followed from each other" in first
    assert "where" in first
    assert len(chain) == DEEPEST + 1
    assert chain[0].endswith("PingHit of PING-0001 (ping 1), by pat")
    assert chain[1].endswith("PongHit of PONG-0001 (pong 1), by reactions")
    assert house.runner.lag() == 0
    assert house.runner.retry().left == 1
    assert house.store.incidents()[0].reason == incident.reason


def test_a_loop_that_grows_is_stopped_before_it_fills_the_disk(bare):
    bare.publish(
        PING.format(name="ping", key="PING", other="ping", emits="Ping").partition("reactions:")[0]
        + "reactions:\n"
        + "  - {on: PingStarted, do: {start: ping}}\n" * 2
    )
    bare.runner.switch_on()
    bare.start("ping")
    bare.reactions._most_of_one = 50
    bare.runner.catch_up()
    # One step goes on from what was counted before it, so a generation may be over.
    assert 50 <= bare.log.head() <= 150
    assert bare.reasons()
    assert all("reactions to reactions have come of one request" in r for r in bare.reasons())


def test_before_what_a_newer_version_wrote_an_older_worker_waits_and_parks_nothing(house):
    plan = house.start("plan").stream
    taken = house.approved(plan).stream
    house.runner.catch_up()
    last = house.log.stream(taken)[-1].event
    said = last.__dict__ | {"version": last.version + 1, "event_id": new_id()}
    said["escalated"] = Later(why="x", whether="y")
    newer = CaseTransitioned(**{name: value for name, value in said.items() if name != "type"})
    house.log.append([Append((newer,), {taken: last.version}, "newer", bytes(32))])
    with pytest.raises(LogNewer, match=r"escalated\.whether"):
        house.runner.catch_up()
    assert house.runner.switch_on() == house.log.head() - 1
    assert house.store.incidents() == []


def test_a_store_that_fails_is_waited_for_and_parks_nothing(house, monkeypatch):
    plan = house.start("plan").stream
    house.approved(plan)
    left = [StoreFailed("disk full"), StoreFailed("disk full")]
    append = house.log.append

    def failing(appends):
        if left:
            raise left.pop()
        return append(appends)

    monkeypatch.setattr(house.log, "append", failing)
    house.runner.catch_up()
    assert house.state(plan) == "baselined"
    assert house.waits == [0.1, 0.2]
    assert house.store.incidents() == []

"""The table that the product carries says what the published files say, and nothing more."""

import csv

from tests.importing.facts_table import ATTRIBUTION, FACTS, write_facts

LONGEST_NAME = 140


def test_it_is_what_the_published_files_give_today(raw, gmpp, major_project):
    assert FACTS.read_text(encoding="utf-8") == write_facts(gmpp, major_project, raw)


def test_importing_it_gives_the_events_of_the_published_files(
    facts, gmpp_facts, imported, major_project, new_ledger
):
    ledger = new_ledger(major_project)
    result = ledger.take(gmpp_facts, facts)
    assert result.findings == []
    assert ledger.said() == imported.said()


def test_importing_the_published_files_after_it_says_nothing_new(
    raw, facts, gmpp, gmpp_facts, major_project, new_ledger
):
    ledger = new_ledger(major_project)
    ledger.take(gmpp_facts, facts)
    assert not ledger.take(gmpp, raw).events


def test_it_needs_no_file_from_outside(facts, gmpp_facts, major_project, new_ledger):
    ledger = new_ledger(major_project)
    result = ledger.take(gmpp_facts, facts, strict=True)
    assert sum(result.rows.values()) == 1_248
    assert result.events == {
        "ProjectJoinedPortfolio": 573,
        "ProjectLeftPortfolio": 389,
        "BaselineIssued": 216,
        "RatingChanged": 322,
        "WholeLifeCostChanged": 475,
        "OwnershipTransferred": 76,
        "ProjectRenamed": 7,
        "InformationWithheld": 16,
        "FiguresReported": 667,
    }


def test_it_says_whose_data_it_is_and_holds_no_prose(facts):
    text = facts[FACTS.name].decode()
    assert text.startswith(ATTRIBUTION)
    assert "Open Government Licence v3.0" in ATTRIBUTION
    cells = [cell for line in csv.reader(text.splitlines()[3:]) for cell in line]
    assert max(map(len, cells)) <= LONGEST_NAME

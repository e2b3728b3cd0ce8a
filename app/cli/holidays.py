"""``pmo holidays``: public holidays as a calendar case takes them; they are data, to be checked."""

from __future__ import annotations

import re

import click

from app.cli import options
from app.cli.tables import print_json, print_rows
from engine.errors import BadInput, NotFound

_YEARS = re.compile(r"(\d{4})(?:-(\d{4}))?")
_MOST_YEARS = 50


@click.command("holidays")
@click.argument("country")
@click.option("--subdivision", "-s", metavar="CODE", help="A part of it: ENG, BY, CA ...")
@click.option("--years", required=True, metavar="YEAR[-YEAR]", help="2026, or 2026-2028.")
@options.json_option
def holidays_command(country: str, subdivision: str | None, years: str, as_json: bool) -> None:
    """List the public holidays of a COUNTRY (ISO 3166: GB, DE, US), to be put into a calendar.

    \b
    pmo holidays GB --subdivision ENG --years 2026-2028
    pmo holidays GB -s ENG --years 2026-2028 --json > holidays.json
    pmo start calendar --data-json "$(cat holidays.json)" name=standard \\
        weekend=saturday,sunday zone=Europe/London --as regina:registrar
    """
    from holidays import country_holidays

    first, last = _read_years(years)
    code = country.upper()
    _check_place(code, subdivision)
    found = country_holidays(code, subdiv=subdivision, years=range(first, last + 1))
    days = sorted((day.isoformat(), name) for day, name in found.items())
    if as_json:
        print_json({"holidays": [day for day, _ in days]})
        return
    print_rows(["day", "holiday"], days)


def _read_years(text: str) -> tuple[int, int]:
    match = _YEARS.fullmatch(text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if not first <= last < first + _MOST_YEARS:
        raise BadInput.one("--years", f"{text!r} are no years", "write 2026, or 2026-2028")
    return first, last


def _check_place(country: str, subdivision: str | None) -> None:
    from holidays import list_supported_countries

    known = list_supported_countries()
    if country not in known:
        mend = "write two letters of ISO 3166, like GB"
        raise NotFound.one("", f"no holidays are known of {country[:40]!r}", mend)
    parts = known[country]
    if subdivision is not None and subdivision not in parts:
        offer = f"there is {', '.join(parts)}" if parts else "it has none"
        raise NotFound.one("--subdivision", f"{country} has no part {subdivision[:40]!r}", offer)

"""``pmo serve``: the HTTP service."""

from __future__ import annotations

import click

from app.cli import options
from app.cli.ending import told_to_end
from app.cli.opening import open_patiently
from app.cli.tables import print_json
from app.cli.terminal import echo
from app.places import Address


@click.command("serve")
@click.option("--host", help="Where to listen (else the settings' host, else 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Else the settings', else 8750.")
@options.home_option
@options.json_option
def serve_command(host: str | None, port: int | None, home: Address, as_json: bool) -> None:
    """Serve commands, cases and the feed over HTTP, until Ctrl-C.

    Only this machine can reach it, unless the settings name API keys (docs/http.md). Any number of
    these may serve one home. A database that is still starting is waited for.
    """
    import logging
    import sys

    from app.garbage import collect_seldom
    from app.http.server import Server
    from app.http.settings import ServeSettings
    from app.settings import read_settings
    from engine.errors import StoreFailed

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")

    def announce(address: str) -> None:
        if as_json:
            print_json({"home": str(opened), "serving": address})
        else:
            echo(f"serving {opened} at {address}")
        sys.stdout.flush()

    with told_to_end(), open_patiently(home) as opened:
        told = read_settings(opened.path)
        given = {"host": host, "port": port}
        changed = {name: value for name, value in given.items() if value is not None}
        settings = (told.serve or ServeSettings()).model_copy(update=changed)
        server = Server(opened, settings, told.source, announce)
        collect_seldom()
        try:
            server.run()
        except SystemExit:
            where = f"{settings.host}:{settings.port}"
            raise StoreFailed(f"the service could not start at {where}; see above") from None

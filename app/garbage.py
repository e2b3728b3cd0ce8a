"""How programs that run for long have Python look for garbage."""

from __future__ import annotations

import gc


def collect_seldom() -> None:
    """From now on look less often, and never again at what is there already.

    What passes through these programs is plain JSON without cycles, which goes when nobody holds
    it. Looking for cycles among it every 700 objects, and among all modules now and then, cost the
    relay a fifth of its time (docs/adr/0021-passing-on-stored-bytes.md); what a cycle does hold
    goes a little later.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)

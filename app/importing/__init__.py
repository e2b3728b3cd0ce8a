"""From the reports of a portfolio to observations: reading tables, and what differs between them.

``mapping`` (YAML) > ``table`` > ``cells`` > ``report``, then ``known`` + ``difference`` >
``reports``. Only ``reports`` and ``known`` meet the log; everything before them is pure.
"""

"""The workflow that is run through the storm: it counts, and remembers whether even or odd.

A case that points to another may count only while that one is open, so that commands are judged by
what other writers do at the same moment.
"""

TEXT = """
workflow: counter
version: 1
title: A counter in a storm
key: CTR-{name}
data:
  name:  {type: text, required: true}
  count: {type: number}
  other: {type: ref, to: counter}
states:
  even:   {initial: true}
  odd:
  closed: {final: true}
transitions:
  - {trigger: count, from: even, to: odd,  needs: count, accepts: other, emits: Counted,
     when: '!has(data.other) || other.state != "closed"'}
  - {trigger: count, from: odd,  to: even, needs: count, accepts: other, emits: Counted,
     when: '!has(data.other) || other.state != "closed"'}
  - {trigger: close, from: [even, odd], to: closed, emits: Closed}
"""

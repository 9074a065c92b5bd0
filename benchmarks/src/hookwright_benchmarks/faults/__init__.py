"""Faults of every kind under load: real processes, a history of every publish and receipt, a score.

`links` disturbs the network, `services` and `roles` are the processes, `kinds` the faults,
`publisher` the load, `checker` and `recovery` judge (pure), `campaign` runs it all.
"""

from __future__ import annotations

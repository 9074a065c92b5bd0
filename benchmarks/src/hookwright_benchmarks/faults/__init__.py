"""Faults of every kind under load: real processes, a history of every publish and receipt, a score.

`links` disturbs the network, `programs` and `cluster` are the processes, `kinds` the faults,
`publisher` the load, `steering` what an operator does meanwhile, `cast` who receives. `checker`,
`recovery`, `ordering`, `keyring` and `accounts` judge (pure), `conductor` runs it all.
"""

from __future__ import annotations

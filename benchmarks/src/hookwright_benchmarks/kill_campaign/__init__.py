"""Kill -9 under load: a real server, a history of every publish and receipt, and a verdict.

`history` judges (pure), `sink`, `publishers` and `server` make the history, `evidence` reads the
database afterwards, `campaign` runs it all.
"""

from __future__ import annotations

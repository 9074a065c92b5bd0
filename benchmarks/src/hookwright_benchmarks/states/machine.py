"""The machine: what users do, in any order. Each rule is a step, on the server and in the model."""

from __future__ import annotations

from hookwright_benchmarks.states.rules_of_apps import SetUp
from hookwright_benchmarks.states.rules_of_looking import Looking
from hookwright_benchmarks.states.rules_of_steering import Steering


class Deliveries(SetUp, Steering, Looking):
    """All rules together."""

"""Every model, with the answers that the contract shows and with those of a newer server."""

from __future__ import annotations

import copy
import json
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from hookwright import UsageError, models
from hookwright._core.model import Model

# openapi.yaml as JSON, which is read in no time.
_CONTRACT = "reference-server/src/hookwright_server/http/edge/contract.json"
CONTRACT: Any = json.loads((Path(__file__).parents[2] / _CONTRACT).read_text(encoding="utf-8"))
SCHEMAS: dict[str, Any] = CONTRACT["components"]["schemas"]
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT.*Z")


def _shown() -> Iterator[tuple[type[Model], Any]]:
    """Each model that an answer of the contract holds, with the data of an example."""
    for path in CONTRACT["paths"].values():
        for operation in cast("dict[str, Any]", path).values():
            if not isinstance(operation, dict):  # the parameters of all of them
                continue
            responses: dict[str, Any] = cast("dict[str, Any]", operation).get("responses", {})
            for response in responses.values():
                for content in response.get("content", {}).values():
                    yield from _of_content(content)


def _of_content(content: Any) -> Iterator[tuple[type[Model], Any]]:
    name = content["schema"]["$ref"].rpartition("/")[2]
    for example in content.get("examples", {}).values():
        if name.endswith("Page"):
            item = SCHEMAS[name]["properties"]["data"]["items"]["$ref"].rpartition("/")[2]
            yield from ((getattr(models, item), row) for row in example["value"]["data"])
        elif name in dir(models):
            yield getattr(models, name), example["value"]


EXAMPLES = list(_shown())
IDS = [f"{model.__name__}-{number}" for number, (model, _) in enumerate(EXAMPLES)]
each_example = pytest.mark.parametrize(("model", "data"), EXAMPLES, ids=IDS)


def _newer(value: Any) -> Any:
    """The same from a server of next year: more members everywhere, other words in every text."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        # What holds texts alone may be a map of texts, such as headers.
        new = "text" if all(isinstance(each, str) for each in members.values()) else {"deep": [1]}
        return {**{key: _newer(each) for key, each in members.items()}, "brand_new": new}
    if isinstance(value, list):
        return [_newer(each) for each in cast("list[object]", value)]
    if isinstance(value, str) and not INSTANT.fullmatch(value):
        return f"{value} of next year"
    return value


def _secrets(model: type[Model]) -> set[str]:
    """The fields that the contract marks."""
    schema = SCHEMAS[model.__name__]
    own = [schema, *(part for part in schema.get("allOf", ()))]
    return {
        name
        for part in own
        for name, each in part.get("properties", {}).items()
        if each.get("x-secret")
    }


def test_the_contract_shows_most_models() -> None:
    """The cases below are about something."""
    assert {"App", "Delivery", "EndpointCreated", "ApiKeyCreated", "TriggerBatchResult"} <= {
        model.__name__ for model, _ in EXAMPLES
    }


@each_example
def test_a_model_gives_back_what_it_was_made_from(model: type[Model], data: Any) -> None:
    """As a dict and as text."""
    made = model.from_dict(data)

    assert data == made.to_dict()
    assert made == model.from_json(made.to_json())


@each_example
def test_a_newer_server_is_understood(model: type[Model], data: Any) -> None:
    """Unknown members and unknown enum values survive at every depth."""
    newer = _newer(data)
    made = model.from_dict(newer)

    assert newer == made.to_dict()
    assert "extra=['brand_new']" in repr(made)


@each_example
def test_models_are_values(model: type[Model], data: Any) -> None:
    """They can be copied and pickled, are equal then, and have no hash."""
    made = model.from_dict(data)

    for same in (pickle.loads(pickle.dumps(made)), copy.copy(made), copy.deepcopy(made)):
        assert made == same
        assert data == same.to_dict()
    assert made != model.from_dict(_newer(data))
    with pytest.raises(TypeError, match="unhashable"):
        hash(made)


@each_example
def test_a_repr_shows_all_but_secrets(model: type[Model], data: Any) -> None:
    """What the contract marks as secret reads ***; everything else can be read."""
    shown = repr(model.from_dict(data))
    secrets = {name for name in _secrets(model) if data.get(name) is not None}

    assert [] == [name for name in secrets if str(data[name]) in shown]
    assert [] == [name for name in secrets if f"{name}=***" not in shown]
    assert [] == [name for name in data if f"{name}=" not in shown]


def test_a_key_that_is_shown_once_is_marked() -> None:
    """The keys and secrets that creating and rotating give are among what the contract marks."""
    assert {"key"} == _secrets(models.ApiKeyCreated)
    assert {"signing_secret"} == _secrets(models.EndpointCreated) == _secrets(models.SecretRotated)


def test_an_instant_that_is_none() -> None:
    """A time that has no place in UTC is malformed when it is read, and what is shown is short."""
    app = next(data for model, data in EXAMPLES if model is models.App)

    for text in ("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-00:01"):
        with pytest.raises(UsageError, match="before the year 1 or after 9999"):
            models.App.from_dict({**app, "created_at": text})
    with pytest.raises(UsageError) as caught:
        models.App.from_dict({**app, "created_at": "x" * 100_000})
    assert len(str(caught.value)) < 1000
    first = models.App.from_dict({**app, "created_at": "0001-01-01T00:00:00Z"})
    assert "0001-01-01T00:00:00.000Z" == first.to_dict()["created_at"]


@each_example
def test_a_missing_member_is_named(model: type[Model], data: Any) -> None:
    """A dict that is no such model is a UsageError with the model and the member."""
    required = SCHEMAS[model.__name__].get("required", [])
    for name in required:
        rest = {key: value for key, value in data.items() if key != name}
        with pytest.raises(UsageError, match=f"{model.__name__} needs the member '{name}'"):
            model.from_dict(rest)

"""The OpenAPI document, from the operations and the types of their responses.

Source: OpenAPI 3.1.0.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

import steerway
from steerway.admin.api.route.operation import API, Operation, Parameter

_REFERENCE = "#/components/schemas/{name}"
_PATH_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")


class ErrorBody(msgspec.Struct):
    """An error. `nearest`: names that may have been meant."""

    error: str
    nearest: list[str] | msgspec.UnsetType = msgspec.UNSET
    see: list[str] | msgspec.UnsetType = msgspec.UNSET


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The document of the operations under `/api/v1/`."""
    listed = [operation for operation in operations if operation.path.startswith(API)]
    types = [type_ for operation in listed for type_ in operation.response]
    _, components = msgspec.json.schema_components([ErrorBody, *types], ref_template=_REFERENCE)
    for operation in listed:
        if any(parameter.name == "fields" for parameter in operation.parameters):
            for type_ in operation.response:
                _relax_items(type_, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "steerway",
            "version": steerway.__version__,
            "description": "Read-only views of a replica of the control plane. Times are in seconds; null is unknown.",
        },
        "paths": {_path(operation): {"get": _operation(operation)} for operation in listed},
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        # Without the setting admin_token_file no token is needed.
        "security": [{}, {"token": []}],
    }


def _path(operation: Operation) -> str:
    return _PATH_PARAMETER.sub(r"{\1}", operation.path)


def _operation(operation: Operation) -> dict[str, Any]:
    in_path = set(_PATH_PARAMETER.findall(operation.path))
    content = {operation.media_type: {"schema": _schema(operation.response)}}
    responses: dict[str, Any] = {"200": {"description": operation.summary, "content": content}}
    errors = {"400": "a parameter is invalid", "401": "a token is needed", "503": "too many requests"}
    if in_path or operation.finds_object:
        errors["404"] = "there is no such object"
    for status, description in errors.items():
        body = {"application/json": {"schema": _schema((ErrorBody,))}}
        responses[status] = {"description": description, "content": body}
    return {
        "operationId": re.sub(r"\W+", "_", operation.path.removeprefix(API)).strip("_"),
        "summary": operation.summary,
        "parameters": [_parameter(parameter, in_path) for parameter in operation.parameters],
        "responses": responses,
    }


def _parameter(parameter: Parameter, in_path: set[str]) -> dict[str, Any]:
    schema = parameter.schema
    if parameter.repeated:
        schema = {"type": "array", "items": schema, "minItems": 1}
    described: dict[str, Any] = {
        "name": parameter.name,
        "in": "path" if parameter.name in in_path else "query",
        "description": parameter.text,
        "required": parameter.required,
        "schema": schema,
    }
    if schema.get("type") == "array":
        # A list in one parameter is separated by commas.
        described |= {"style": "form", "explode": parameter.repeated}
    return described


def _schema(types: Sequence[type[msgspec.Struct]]) -> dict[str, Any]:
    """The schema of a value of one of some types, which are components; text without one."""
    if not types:
        return {"type": "string"}
    schemas, _ = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    return schemas[0] if len(schemas) == 1 else {"anyOf": [*schemas]}


def _relax_items(type_: type[msgspec.Struct], components: dict[str, Any]) -> None:
    """With `fields` an item of a list has only the selected ones and its id."""
    items = _target(_schema([type_]), components)["properties"]["items"]["items"]
    _target(items, components)["required"] = ["id"]


def _target(reference: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    name = reference["$ref"].rpartition("/")[2]
    component: dict[str, Any] = components[name]
    return component

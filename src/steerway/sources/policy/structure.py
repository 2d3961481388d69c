"""What msgspec knows of a type, without its wrappings: for schemas and error messages."""

from collections.abc import Sequence

from msgspec import inspect


def unwrapped(type_: inspect.Type) -> inspect.Type:
    """The type itself, without documentation and without "or null"."""
    if isinstance(type_, inspect.Metadata):
        return unwrapped(type_.type)
    if isinstance(type_, inspect.UnionType):
        kinds = [member for member in type_.types if not isinstance(member, inspect.NoneType)]
        if len(kinds) == 1:
            return unwrapped(kinds[0])
    return type_


def described(type_: inspect.Type) -> str:
    """The description that stands nearest to the outside; "" without one."""
    if isinstance(type_, inspect.Metadata):
        return str((type_.extra_json_schema or {}).get("description") or described(type_.type))
    return ""


def at(root: type, path: Sequence[str | int]) -> inspect.Type | None:
    """The type of what stands at `path` (names as in a manifest) in a `root`; None where nothing is known of it."""
    type_ = unwrapped(inspect.type_info(root))
    for step in path:
        if isinstance(type_, inspect.ListType) and isinstance(step, int):
            inner = type_.item_type
        elif isinstance(type_, inspect.StructType):
            fields = {field.encode_name: field.type for field in type_.fields}
            if step not in fields:
                return None
            inner = fields[str(step)]
        else:
            return None
        type_ = unwrapped(inner)
    return type_

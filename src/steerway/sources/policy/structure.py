"""What msgspec knows of a type, without its wrappings: for whoever writes down or explains what a field may be."""

from collections.abc import Sequence

from msgspec import inspect


def unwrapped(found: inspect.Type) -> inspect.Type:
    """The type itself, without documentation and without "or null"."""
    if isinstance(found, inspect.Metadata):
        return unwrapped(found.type)
    if isinstance(found, inspect.UnionType):
        kinds = [each for each in found.types if not isinstance(each, inspect.NoneType)]
        if len(kinds) == 1:
            return unwrapped(kinds[0])
    return found


def described(found: inspect.Type) -> str:
    """The description that stands nearest to the outside; "" without one."""
    if isinstance(found, inspect.Metadata):
        return str((found.extra_json_schema or {}).get("description") or described(found.type))
    return ""


def at(root: type, path: Sequence[str | int]) -> inspect.Type | None:
    """The type of what stands at `path` (names as in a manifest) in a `root`; None where nothing is known of it."""
    found = unwrapped(inspect.type_info(root))
    for step in path:
        if isinstance(found, inspect.ListType) and isinstance(step, int):
            inner = found.item_type
        elif isinstance(found, inspect.StructType):
            fields = {field.encode_name: field.type for field in found.fields}
            if step not in fields:
                return None
            inner = fields[str(step)]
        else:
            return None
        found = unwrapped(inner)
    return found

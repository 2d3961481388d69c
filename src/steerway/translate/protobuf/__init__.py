"""Protobuf messages: JSON mapping, unknown types, and packing."""

"""Manifest files as a source: Kubernetes objects, raw xDS resources and the short mapping of k8s-xds."""

from steerway.sources.files.entry import Entry
from steerway.sources.files.loader import LoadResult, load
from steerway.sources.files.source import FileSource
from steerway.sources.files.state import State as FileState

__all__ = ["Entry", "FileSource", "FileState", "LoadResult", "load"]

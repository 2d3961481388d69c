"""The interface of the admin server to the other stages, read-only.

The engine, its streams and its entries are protocols here, so that the server can be tested without a native
engine. `steerway/_engine.pyi` describes their members.
"""

from steerway.admin.view.admin import AdminView, Phase
from steerway.admin.view.client import IdentityView, LocalityView, SubscribersView
from steerway.admin.view.engine import EngineView
from steerway.admin.view.informer import InformerView
from steerway.admin.view.journal import JournalView
from steerway.admin.view.load import DroppedLoadView, LoadsView, LocalityLoadView
from steerway.admin.view.store import EntryView, StoreView
from steerway.admin.view.stream import AbsentView, ChangeView, ResourceView, StreamView, SubscriptionView

__all__ = [
    "AbsentView",
    "AdminView",
    "ChangeView",
    "DroppedLoadView",
    "EngineView",
    "EntryView",
    "IdentityView",
    "InformerView",
    "JournalView",
    "LoadsView",
    "LocalityLoadView",
    "LocalityView",
    "Phase",
    "ResourceView",
    "StoreView",
    "StreamView",
    "SubscribersView",
    "SubscriptionView",
]

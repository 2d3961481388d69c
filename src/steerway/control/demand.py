"""Demands of the engine: names that clients subscribe to, and names without a subscription."""

import time
from collections import Counter
from collections.abc import Callable

from steerway import telemetry
from steerway.admin.absence_log import AbsenceLog
from steerway.commit import Commit
from steerway.engine.batch_size import BatchSize
from steerway.engine.engine import Demand, Engine, Withdrawn
from steerway.translate.translator import Translator


class Demands:
    """Answers demands by commits, and charges the time to the clients that caused them.

    `absences` is notified when an answer is "absent".
    """

    def __init__(
        self,
        translator: Translator,
        engine: Engine,
        publish: Callable[[Commit], None],
        absences: AbsenceLog,
    ) -> None:
        self._translator = translator
        self._engine = engine
        self._publish = publish
        self._absences = absences
        self._batch_size = BatchSize()

    @property
    def batch_size(self) -> int:
        """How many demands to answer at once."""
        return self._batch_size.size

    def answer(self, wanted: list[Demand]) -> None:
        begin = time.perf_counter()
        with telemetry.TRANSLATE_SECONDS.labels("demand").time():
            commit = self._translator.demand(
                [(demand.type_url, demand.name, demand.audience) for demand in wanted]
            )
        self._publish(commit)
        if commit.absent or commit.denied or commit.missing:
            self._absences.hint()
        seconds = time.perf_counter() - begin
        self._batch_size.observe(len(wanted), seconds)
        for account, count in Counter(demand.account for demand in wanted).items():
            self._engine.charge(account, seconds * count / len(wanted))

    def withdraw(self, unwanted: list[Withdrawn]) -> None:
        self._publish(
            self._translator.withdraw(
                [(withdrawn.type_url, withdrawn.name, withdrawn.audience) for withdrawn in unwanted]
            )
        )

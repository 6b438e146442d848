"""One try of writing what mapped tasks staged: what is still there of it, what follows from it, and the statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.staged_rows import StagedPart, StagedRows
from airflow_provider_iginsights.catalog.run_tables import RUN_TABLES
from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS, ACCOUNT_STATUS, STORY_INSIGHTS, STORY_POLLS
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.extract.left_out import LeftOutLog, limit_groups
from airflow_provider_iginsights.stories.polls import PollRecorder
from airflow_provider_iginsights.stories.staged_polls import unpack_poll
from airflow_provider_iginsights.task.no_data_warnings import warn_of_missing_metrics
from airflow_provider_iginsights.task.staged_chunks import StagedChunk, join_no_data
from airflow_provider_iginsights.transfers.staged_runs import write_staged_runs

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.row_file import RowFile
    from airflow_provider_iginsights.bigquery.target import LoadMode, LoadResult, TargetTable
    from airflow_provider_iginsights.transfers.target import OpenDataset


@dataclass(slots=True, kw_only=True)
class StagedWriting:
    """What one try writes.

    ``chunks``: those that are whole. ``new``: parts that no earlier try has written; ``old``: others that are still
    there. ``lost``: chunks of which staged rows are gone, by map index. ``targets`` by catalog name; ``anchor`` names
    the dataset. ``remarks``: what the summary ought to say beside.
    """

    dataset: OpenDataset
    targets: Mapping[str, TargetTable]
    anchor: TargetTable
    run_id: str
    chunks: Sequence[StagedChunk]
    new: Sequence[StagedPart]
    old: Sequence[StagedPart]
    lost: Mapping[int, str]
    left_out_log: LeftOutLog = field(default_factory=LeftOutLog)
    remarks: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def open(
        cls,
        dataset: OpenDataset,
        chunks: Sequence[StagedChunk],
        *,
        targets: Mapping[str, TargetTable],
        anchor: TargetTable,
        run_id: str,
    ) -> StagedWriting:
        """Find out which of the staged rows are there, and which an earlier try has written.

        :raises ConfigurationError: they were staged for another dataset.
        """
        parts = [part for chunk in chunks for part in chunk.parts]
        for part in parts:
            if part.target != targets[part.table].path:
                raise ConfigurationError(
                    f"Rows were staged for {part.target}, and this task writes to {targets[part.table].path}. Give it "
                    "the project_id and dataset_id of the transfer."
                )
        there = dataset.loader.find_staged(parts)
        written = dataset.loader.find_written(anchor)
        gone = {part.path for part in parts if part.path not in there and part.key not in written}
        lost = [chunk for chunk in chunks if any(part.path in gone for part in chunk.parts)]
        whole = [chunk for chunk in chunks if chunk not in lost]
        left = [part for chunk in whole for part in chunk.parts if part.path in there]
        why = "what it staged is gone: such rows are kept for a week"
        return cls(
            dataset=dataset,
            targets=targets,
            anchor=anchor,
            run_id=run_id,
            chunks=whole,
            new=[part for part in left if part.key not in written],
            old=[part for part in left if part.key in written],
            lost={chunk.map_index: f"{', '.join(chunk.account_ids[:5])}: {why}" for chunk in lost},
        )

    @property
    def main(self) -> TargetTable:
        """Return the table of the numbers."""
        return next((each for name, each in self.targets.items() if name.endswith("_insights")), self.anchor)

    @property
    def load_mode(self) -> LoadMode:
        """Return how the chunks are to be written."""
        return self.chunks[0].load_mode if self.chunks else "merge"

    def write(self) -> tuple[tuple[LoadResult, ...], list[dict[str, Any]]]:
        """Write everything, then drop it; return what was done, and what was noticed as a summary of its own."""
        try:
            results, own = self._write_data()
        except Exception as error:
            self._write_runs(error)
            raise
        self._write_runs(None)
        self.dataset.loader.finish_staged(self.anchor, [*self.new, *own, *self.old])
        return results, [self._summarize()]

    def _write_data(self) -> tuple[tuple[LoadResult, ...], tuple[StagedPart, ...]]:
        """Write the rows that were read; return what was done, and what this task has staged itself."""
        loader = self.dataset.loader
        if self.new:
            self._ensure()
        else:
            loader.end_earlier_tries(self.targets.values())
        own = self._compare_polls()
        self._warn_of_missing_metrics()
        apart = (STORY_POLLS.name, *(table.name for table in RUN_TABLES))
        parts = [part for part in self.new if part.table not in apart] + list(own)
        status = [part for part in parts if part.table == ACCOUNT_STATUS.name]
        others = [part for part in parts if part.table != ACCOUNT_STATUS.name]
        protected = limit_groups(group for chunk in self.chunks for group in chunk.handed["protected"])
        results = loader.write_staged(self._group(others), load_mode=self.load_mode, protected=protected, kept=own)
        # Merged, whatever the load_mode of the chunks: every transfer writes to this one table.
        results += loader.write_staged(self._group(status))
        if self.new and any(chunk.handed["create_views"] for chunk in self.chunks):
            loader.create_views(self.targets.values())
        return results, own

    def _write_runs(self, error: Exception | None) -> None:
        """Write what became of the accounts.

        :param error: why their rows could not be written; None = they are.
        """
        targets = [self.targets[table.name] for table in RUN_TABLES if table.name in self.targets]
        write_staged_runs(self.dataset, targets, self.new, error=error)

    def _ensure(self) -> None:
        apart = (ACCOUNT_STATUS.name, *(table.name for table in RUN_TABLES))
        status = [each for name, each in self.targets.items() if name == ACCOUNT_STATUS.name]
        self.dataset.loader.ensure(
            [each for name, each in self.targets.items() if name not in apart], load_mode=self.load_mode
        )
        self.dataset.loader.ensure(status)

    def _compare_polls(self) -> tuple[StagedPart, ...]:
        """Compare the polls of all accounts with the earlier ones, and stage the rows that follow from that."""
        finality = next((chunk.finality for chunk in self.chunks if chunk.finality), None)
        if finality is None:
            return ()
        loader = self.dataset.loader
        staged = [part for part in self.new if self._is_poll(part)]
        polls = [unpack_poll(row) for part in staged for row in loader.read_staged(part)]
        if STORY_POLLS.name not in self.targets or not polls:
            self.remarks |= {"gaps": {}, "first_polls": 0}
            return ()
        row_files: dict[str, RowFile] = {
            name: loader.row_file(self.targets[name]) for name in (STORY_INSIGHTS.name, STORY_POLLS.name)
        }
        recorder = PollRecorder(
            lookup=self.dataset.lookup,
            run_id=self.run_id,
            left_out_log=self.left_out_log,
            finality=finality,
            corrects_finals=self.load_mode != "append",
        )
        self.remarks |= recorder.complete(polls, row_files)
        return loader.stage(row_files.values())

    def _warn_of_missing_metrics(self) -> None:
        if ACCOUNT_INSIGHTS.name in self.targets and self.new:
            warn_of_missing_metrics(
                join_no_data(self.chunks),
                lookup=self.dataset.lookup,
                target=self.targets[ACCOUNT_INSIGHTS.name],
                left_out_log=self.left_out_log,
            )

    def _group(self, parts: Sequence[StagedPart]) -> list[StagedRows]:
        """Return the parts by target, in the order of the targets: a poll is written after its numbers."""
        accounts = sorted({account_id for chunk in self.chunks for account_id in chunk.account_ids})
        grouped = ((target, [part for part in parts if part.table == name]) for name, target in self.targets.items())
        return [StagedRows(target=target, parts=of, account_ids=accounts) for target, of in grouped if of]

    def _is_poll(self, part: StagedPart) -> bool:
        return part.table == STORY_POLLS.name

    def _summarize(self) -> dict[str, Any]:
        nothing: dict[str, Any] = {"window": None, "account_counts": {}, "accounts_done": []}
        nothing |= {"graph_calls": 0, "http_requests": 0}
        notes = [*self.dataset.notes, *self.left_out_log.list_remarks()]
        return nothing | {"left_out": self.left_out_log.summarize(), "notes": notes}

"""Delivers batches of events, and accounts for every row. Does not import Airflow.

The run:

- ``reader``: reads the source in a separate thread.
- ``selection``: selects the rows that the outcome table has in one state.
- ``sections``: cuts the outcomes of rows into sections, and verifies the rows of an earlier attempt.
- ``pipeline``: the loop of a run; takes sections, settles batches, writes checkpoints.
- ``dispatcher``: sends batches with a few threads.
- ``sender``: sends one batch until every event is settled.
- ``standings``: decides what a refusal means for an ad account and for the run.
- ``decide``: decides what to do after an answer.
- ``batch_outcome``: the outcome of each event of a batch, at any moment.
- ``outcome_log``: the interface that records the outcome of each row.
- ``ledger``: skips events that earlier runs sent, and claims events before they are sent.
- ``progress``: the accounted prefix of the source and the batches in flight.
- ``stop``: tells a run to stop.
- ``result``: counts, and the result of a run.
- ``account_counts``: the counts per ad account. ``account_sums``: their sum, which grows with each batch.

The state between attempts:

- ``checkpoint``: checkpoints and the end of a run.
- ``checkpoint_v2``: reads checkpoints of earlier versions.
- ``stored_state``: reads a stored state of any version.
- ``fingerprints``: hashes of parameters, to notice changes between attempts.
- ``resuming``: decides how an attempt starts.
- ``rowset``: a set of row numbers.
- ``stored``: reads single values of a stored document.

The rejects:

- ``rejects``: writes rejected, failed and held rows.
- ``rejection_lines``: a rejected row as a line of JSON.
- ``reject_folders``: folders on this machine and in object stores.
"""

from __future__ import annotations

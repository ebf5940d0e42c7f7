"""Backfill store sales, day by day, after a person has approved it.

Sends the store sales of past days, with one run per day. Name the days:

- Airflow 3: `airflow backfill create --dag-id pinterest_backfill_store_sales --from-date 2026-08-25 --to-date
  2026-11-24 --max-active-runs 2`
- Airflow 2.11: `airflow dags backfill pinterest_backfill_store_sales --start-date 2026-08-25 --end-date 2026-11-24`

Airflow backfills only DAGs that have a schedule and are not paused. So this DAG also has a run every night, which
does nothing. By default Airflow leaves out the days that have a run, also those of the nights. Add
`--reprocess-behavior completed`, or on Airflow 2.11 `--reset-dagruns`, to include them.

**Tasks.** `only_backfills` ends the nightly runs. `validate` reads and checks every row of the day and sends nothing.
`approve` waits until a person has approved the backfill. `send` sends.

**Approval.** On Airflow 3.1 and later, the runs that are active at first ask: the question is under *Required Actions*
and shows the counts of `validate`. The answer is kept in the Variable `pinterest_backfill_approved`, as `yes` or `no`,
so that later runs do not ask. Backfill one day first to be asked once. Before Airflow 3.1, `approve` waits until a
person sets the Variable. After `no` every run fails before it sends, also a run that is approved after another was
rejected. Delete the Variable when the backfill is complete, so that the next backfill asks again.

**Sent once.** Pinterest cannot deduplicate offline events. So `send` records each event in the table
`pinterest_outcomes`, and skips the events that any run has sent before. A day can run twice, ranges can overlap, and
runs can be active at the same time. The table knows only the events that were sent with `outcomes_conn_id`: if another
DAG sends store sales, give it the same table.

**How far back.** `max_event_age` must be longer than the range. It rejects older rows with the code `too_old`.
Pinterest may refuse events that are older than a week: send one day first, and look at `events_failed` in its result.

**Several days at once.** At most two runs send at the same time. With `rate_limit_storage` in the connection, they
count their calls together in a Redis. Without it each of them counts its own calls: halve `calls_per_minute`.

**Needs** the connections `pinterest_default`, `warehouse` and `outcomes`, optionally the Variable
`pinterest_rejects_path`. `outcomes` is a database in which the table can be created. It may be the warehouse, but not
if that is a SQLite file: SQLite does not allow writing while the query reads. On Airflow 3.1 and 3.2 the question also
needs a running triggerer.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import airflow
import pendulum
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator

try:
    from airflow.sdk import DAG, BaseSensorOperator, Variable, task
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.decorators import task
    from airflow.sensors.base import BaseSensorOperator

try:
    from airflow.sdk.exceptions import AirflowFailException
except ImportError:  # earlier versions of Airflow
    from airflow.exceptions import AirflowFailException

APPROVED = "pinterest_backfill_approved"
STORE_SALES: dict[str, Any] = {
    "sql": "sql/store_sales.sql",
    "sql_conn_id": "warehouse",
    "parameters": {"start": "{{ data_interval_start }}", "end": "{{ data_interval_end }}"},
    "defaults": {"event_name": "checkout", "action_source": "offline"},
    "event_id_from": ["order_id", "event_name"],  # the same ids as pinterest_store_sales
    "timezone": "Europe/Berlin",
    "identifiers": {"ph": {"country": "DE"}},
    "max_event_age": timedelta(days=100),
    "max_rejected": 0.05,
    "rejects_path": "{{ var.value.get('pinterest_rejects_path', '/tmp/pinterest-rejects') }}",
    "key_columns": ["order_id", "store_id"],
}
QUESTION = """
{%- set found = ti.xcom_pull(task_ids="validate", key="pinterest_result") -%}
This was counted for {{ data_interval_start | ds }}. The answer is valid for **all days** of the backfill.

| | |
| --- | ---: |
| Rows of the day | {{ found.rows_read }} |
| Valid events | {{ found.validated_only }} |
| Rejected rows | {{ found.rows_rejected }} |
| Duplicate rows | {{ found.duplicates_dropped }} |

Reasons of the rejected rows: {{ found.reasons or "none" }}. Pinterest cannot delete events that it has counted.
"""


def is_approved(answer: str) -> bool:
    """Return whether a person has approved the backfill; fail without retry if a person has rejected it."""
    if answer.strip().lower() == "no":
        raise AirflowFailException(
            f"The backfill was rejected: the Variable {APPROVED} is 'no', so this run sends nothing. To approve it "
            "after all, delete the Variable and clear this task."
        )
    return answer.strip().lower() == "yes"


if tuple(map(int, airflow.__version__.split(".")[:2])) >= (3, 1):
    from airflow.providers.standard.operators.hitl import ApprovalOperator

    class BackfillApproval(ApprovalOperator):
        """Ask a person, unless the Variable has the answer; then keep the answer in the Variable."""

        template_fields = (*ApprovalOperator.template_fields, "answer")

        def __init__(self, *, answer: str, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.answer = answer

        def execute(self, context: Any) -> Any:
            """Ask."""
            if is_approved(self.answer):
                self.log.info("The backfill was approved before: the Variable %s is 'yes'.", APPROVED)
                return
            super().execute(context)

        def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
            """Keep the answer. Fail if it is Reject, or if another run was rejected while this one waited."""
            if event.get("chosen_options") == [self.REJECT]:
                Variable.set(APPROVED, "no")
                is_approved("no")
            is_approved(Variable.get(APPROVED, default=""))
            answered = super().execute_complete(context, event)
            Variable.set(APPROVED, "yes")
            return answered

else:

    class BackfillApproval(BaseSensorOperator):
        """Wait until a person sets the Variable."""

        template_fields = ("subject", "body", "answer")

        def __init__(self, *, subject: str, body: str, answer: str, **kwargs: Any) -> None:
            super().__init__(mode="reschedule", poke_interval=30, timeout=timedelta(days=7).total_seconds(), **kwargs)
            self.subject = subject
            self.body = body
            self.answer = answer

        def poke(self, context: Any) -> bool:
            """Return whether the Variable has the answer."""
            del context
            if is_approved(self.answer):
                return True
            self.log.warning(
                "%s\n%s\nTo answer, set the Variable %s to yes or no: airflow variables set %s yes",
                self.subject,
                self.body,
                APPROVED,
                APPROVED,
            )
            return False


with DAG(
    dag_id="pinterest_backfill_store_sales",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=2,  # on Airflow 3 a backfill has its own limit, --max-active-runs
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["pinterest"],
):

    @task.short_circuit
    def only_backfills(scheduled: str | bool) -> bool:
        """End the runs of the schedule."""
        return str(scheduled) != "True"  # a bool if the DAG renders templates as native objects

    validate = SendConversionsOperator(task_id="validate", validate_only=True, **STORE_SALES)
    approve = BackfillApproval(
        task_id="approve",
        subject="Send the store sales of this backfill to Pinterest?",
        body=QUESTION,
        answer=f"{{{{ var.value.get('{APPROVED}', '') }}}}",
    )
    send = SendConversionsOperator(
        task_id="send",
        outcomes_conn_id="outcomes",
        skip_already_sent=True,
        max_active_tis_per_dag=2,  # in all runs, also in those of a backfill
        **STORE_SALES,
    )
    only_backfills("{{ dag_run.run_type == 'scheduled' }}") >> validate >> approve >> send

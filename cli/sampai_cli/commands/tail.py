"""`sampai tail`: the events of a stack, live."""

from contextlib import suppress
from typing import Annotated, Any

import typer

from sampai_cli.lines import show_event
from sampai_cli.listener import listening, new_name
from sampai_cli.run import Run, command


def add_to(app: typer.Typer) -> None:
    @command(
        app,
        "sqs:CreateQueue, sqs:DeleteQueue, sqs:GetQueueAttributes, sqs:SetQueueAttributes, sqs:ReceiveMessage, "
        "sqs:DeleteMessage on queues sampai-tail-*",
        "events:PutRule, events:PutTargets, events:RemoveTargets, events:DeleteRule on rules sampai-tail-* of the bus",
    )
    def tail(
        run: Run,
        ids: Annotated[list[str] | None, typer.Option("--id", help="A message_id; may be repeated.")] = None,
        seconds: Annotated[int, typer.Option(min=1, max=86_400, help="End after this time.")] = 3600,
        count: Annotated[int | None, typer.Option(min=1, help="End after this many events.")] = None,
    ) -> None:
        """Show each event when it is published, until Ctrl-C. Numbers are masked, and texts are left out.

        A temporary queue behind a temporary rule receives the events. Both are deleted at the end.
        """
        pattern: dict[str, Any] = {"source": ["sampai"]}
        if ids:
            pattern["detail"] = {"message_id": ids}
        bus = run.stack.output("EventBusName")
        new_listener = listening(run.client, name=new_name(), bus=bus, pattern=pattern)
        with new_listener as listener, suppress(KeyboardInterrupt):
            run.note(f"Listening on {bus} ...")
            for number, event in enumerate(listener.events_for(seconds), start=1):
                show_event(run, event)
                if number == count:
                    return

"""`python -m local.person erase|consent STAGE`: erase a person from a stack, or look an opt-out up.

The environment has the number or the e-mail address, as NUMBER, so that it is no argument of this program. Without it,
the program asks for it. YES=1 answers the question before anything is erased. No output has all of it.
"""

import os
import sys
from collections.abc import Callable, Mapping
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.prompt import Confirm
from rich.table import Table

from local.person.commands import erase_service, read_consent
from local.smoke import target
from local.smoke.target import Target, TargetError
from sampai.domain.email_address import is_address, normalize_address
from sampai.domain.phone import E164, has_trunk_zero
from sampai.domain.recipient import mask
from sampai.services.erase import Erased
from sampai.services.ports.runtime import UnavailableError

Command = Callable[[Target, str, Mapping[str, str], Console], int]


def main(
    arguments: list[str],
    environment: Mapping[str, str] = os.environ,
    find: Callable[[str], Target] = target.find,
) -> int:
    """Run a command and return the exit status: 0 only if it did its work."""
    if len(arguments) != 2 or arguments[0] not in COMMANDS:
        print("usage: python -m local.person erase|consent STAGE (of samconfig.toml, or local)", file=sys.stderr)
        return 2
    console = Console(highlight=False)
    try:
        given = environment.get("NUMBER") or console.input("Number or e-mail address: ").strip()
        recipient = _parse_recipient(given)
        if recipient is None:
            print(
                "NUMBER must be in E.164 (+, country code, number without a leading 0) or an e-mail address.",
                file=sys.stderr,
            )
            return 1
        return COMMANDS[arguments[0]](find(arguments[1]), recipient, environment, console)
    except UnavailableError as error:
        print(f"{error}. Run the command again.", file=sys.stderr)
    except (TargetError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
    except (EOFError, KeyboardInterrupt):
        print("Stopped.", file=sys.stderr)
    return 1


def _parse_recipient(text: str) -> str | None:
    """Return a number or an address as the tables have it, or None for any other text."""
    if is_address(text):
        return normalize_address(text)
    return text if E164.fullmatch(text) and not has_trunk_zero(text) else None


def erase(target: Target, recipient: str, environment: Mapping[str, str], console: Console) -> int:
    """Erase a recipient after a confirmation, and print the counts. Returns the exit status."""
    question = f"Erase {mask(recipient)} from {target.stack_name}? This cannot be undone."
    if environment.get("YES") != "1" and not Confirm.ask(question, console=console, default=False):
        return 1
    with console.status("Reading all tables ..."):
        erased = erase_service(target).erase(recipient)
    console.print(_table(erased, title=f"Erased {mask(recipient)} from {target.stack_name}"))
    if erased.ids_with_number:
        console.print(f"The message_id of {erased.ids_with_number} of these messages contains the number, and stays.")
    if erased.unreadable:
        console.print(f"{erased.unreadable} messages are unreadable to this release, and stay. Update and run again.")
        return 1
    return 0


def consent(target: Target, recipient: str, environment: Mapping[str, str], console: Console) -> int:
    """Print the latest opt-out or opt-in of a recipient. Returns the exit status."""
    found = read_consent(target, recipient)
    if found is None:
        console.print(f"{mask(recipient)} has neither opted out nor in.")
    else:
        console.print(f"{mask(recipient)} opted {'out' if found.opted_out else 'in'} at {found.changed_at}.")
    return 0


def _table(erased: Erased, *, title: str) -> Table:
    table = Table("items", "count", title=title, title_justify="left")
    table.columns[1].justify = "right"
    counts = {
        "messages (their ids and statuses stay)": erased.messages,
        "parts of files": erased.files,
        "inbound messages": erased.inbound,
        "conversations": erased.conversations,
        "quota counters": erased.quota_counters,
    }
    for name, count in counts.items():
        table.add_row(name, str(count))
    return table


COMMANDS: Final[Mapping[str, Command]] = {"erase": erase, "consent": consent}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

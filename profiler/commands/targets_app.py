"""The command line of `profiler targets`: parse, call, print."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

targets = typer.Typer(
    help="List, add, examine, check and clean the devices that can be named in a study.",
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Name = Annotated[str, typer.Argument(help="A target's name.")]


@targets.callback(invoke_without_command=True)
def targets_alone(context: typer.Context, json: Json = False) -> None:
    """List, add, examine, check and clean the devices that can be named in a study."""
    if context.invoked_subcommand is None:
        targets_list(json=json)


@targets.command("list")
def targets_list(json: Json = False) -> None:
    """List the targets: ready, or what they need, and how they differ from what their file says."""
    from profiler.commands import targets as command

    command.list_all(json=json)


@targets.command("add")
def targets_add(
    name: Name,
    ssh: Annotated[str, typer.Option(help="How to reach it.", metavar="[USER@]HOST[:PORT]")],
    python: Annotated[Optional[str], typer.Option(help="Interpreter there.")] = None,
    identity_file: Annotated[Optional[str], typer.Option(help="Private key.")] = None,
    config_file: Annotated[Optional[str], typer.Option(help="ssh configuration.")] = None,
    proxy_jump: Annotated[Optional[str], typer.Option(help="[USER@]HOST[:PORT] between.")] = None,
    folder: Annotated[Optional[str], typer.Option(help="Our folder there.")] = None,
) -> None:
    """Write targets/NAME.toml for a device, from what is found there."""
    from profiler.commands import targets as command

    options = {
        "python": python, "identity_file": identity_file, "config_file": config_file,
        "proxy_jump": proxy_jump, "folder": folder,
    }  # fmt: skip
    command.add(name, ssh, options)


@targets.command("doctor")
def targets_doctor(name: Name, json: Json = False) -> None:
    """Say on one page what is there, what a run would bring and how long that takes over this link,
    and what is missing with the line to type (exit code 3 if anything is).
    """
    from profiler.commands import doctor

    if not doctor.examine(name, json=json):
        raise typer.Exit(3)


@targets.command("check")
def targets_check(name: Name, json: Json = False) -> None:
    """Connect to a target and show what is found there."""
    from profiler.commands import targets as command

    command.check(name, json=json)


@targets.command("clean")
def targets_clean(name: Name) -> None:
    """Remove every trace of ours from a device."""
    from profiler.commands import targets as command

    command.clean(name)

"""`open` and `serve`."""
# Annotations are not postponed: the parser would compile hundreds of them at every start.
# ruff: noqa: D301 - the parser needs a real backspace to keep lines as they are

from importlib.util import find_spec
from typing import Annotated

import typer

from benchdesign.cli.options import Chat, PoolPath, WorkspacePath, check_name
from benchdesign.cli.revision_options import ScopeText
from benchdesign.errors import MissingExtraError

__all__ = ["open_interface", "serve"]


def open_interface(
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[WORKSPACE | BENCHMARK]",
            help="Without it, the recent workspaces are listed.",
            callback=check_name,
        ),
    ] = None,
    pool: PoolPath = None,
    scope: ScopeText = "",
    chat: Chat = False,
) -> None:
    """Open the terminal interface on a workspace, or on a benchmark to create one.

    \b
    Example:
      benchdesign open my.jsonl --pool candidates.jsonl
    """
    from benchdesign.cli.actions.interface import open_job

    open_job(path, pool=pool, scope=scope, chat=chat)


def serve(
    workspace: WorkspacePath,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to listen on.")
    ] = 8000,
) -> None:
    """Show the terminal interface in a browser, on this machine only.

    \b
    Example:
      benchdesign serve my-workspace --port 8000
    """
    if find_spec("textual_serve") is None:
        raise MissingExtraError("`serve` needs an extra: pip install 'benchdesign[web]'")
    from benchdesign.cli.actions.serve import serve_job

    serve_job(workspace, port=port)

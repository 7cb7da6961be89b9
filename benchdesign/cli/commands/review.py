"""`proposals` and `decide`."""
# Annotations are not postponed: the parser would compile hundreds of them at every start.
# ruff: noqa: D301 - the parser needs a real backspace to keep lines as they are

from typing import Annotated

import typer

from benchdesign.cli.option_groups import option_groups
from benchdesign.cli.options import AsJson, OutputOptions, WorkspacePath
from benchdesign.cli.revision_options import DecisionOptions, WeightOptions

__all__ = ["decide", "proposals"]


@option_groups
def proposals(
    workspace: WorkspacePath,
    weighting: WeightOptions,
    output: OutputOptions,
    only: Annotated[
        str | None,
        typer.Option("--only", metavar="STATE", help="open, accepted, rejected or deferred."),
    ] = None,
) -> None:
    """List the review queue: what is proposed, why, and what was decided.

    With --weight, new proposals are made first; decisions are kept.

    \b
    Example:
      benchdesign proposals my-workspace --only open
    """
    from benchdesign.cli.actions.review import proposals_job

    if weighting.weight or weighting.results:
        from benchdesign.cli.actions.run import weigh_job

        weigh_job(workspace, weighting, quiet=output.quiet)
    proposals_job(workspace, only=only, as_json=output.as_json)


@option_groups
def decide(
    workspace: WorkspacePath,
    decision: DecisionOptions,
    item_id: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="Id of the proposed item.", show_default=False),
    ] = None,
    verdict: Annotated[
        str | None,
        typer.Argument(
            metavar="accept|reject|defer",
            help="Your verdict; on a group meant or not-meant.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Decide about a proposal without the interface; it is on disk when this returns.

    The verdict is optional with a note, a reason or an edit. With --group a group of similar items
    is judged, and its 30 most typical pool items with it; the next run searches with that.

    \b
    Examples:
      benchdesign decide my-workspace pool-17 accept --edit "answer=B" --note "checked the key"
      benchdesign decide my-workspace --group "moral dilemmas" not-meant
    """
    from benchdesign.cli.actions.decide import DecisionInput, decide_job, redo_job, undo_job
    from benchdesign.cli.actions.decide_group import decide_group_job

    if decision.undo or decision.redo:
        step_job = undo_job if decision.undo else redo_job
        step_job(workspace, item_id=item_id or decision.group, as_json=as_json)
    elif decision.group is not None:
        # With --group, the only argument beside the workspace is the verdict.
        words = [word for word in (item_id, verdict) if word is not None]
        decide_group_job(workspace, decision, words, as_json=as_json)
    else:
        decide_job(workspace, item_id, DecisionInput(verdict, decision), as_json=as_json)

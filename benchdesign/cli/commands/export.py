"""`export`."""
# Annotations are not postponed: the parser would compile hundreds of them at every start.
# ruff: noqa: D301 - the parser needs a real backspace to keep lines as they are

from benchdesign.cli.option_groups import option_groups
from benchdesign.cli.options import OutputOptions, WorkspacePath
from benchdesign.cli.revision_options import RevisionOptions

__all__ = ["export"]


@option_groups
def export(workspace: WorkspacePath, revision: RevisionOptions, output: OutputOptions) -> None:
    """Write the revision from the decisions: benchmark, manifest, concepts, report.

    \b
    Example:
      benchdesign export my-workspace --out my-revised
    """
    from benchdesign.cli.actions.export import export_job

    export_job(workspace, revision, output)

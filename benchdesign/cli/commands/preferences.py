"""`config show`."""
# Annotations are not postponed: the parser would compile hundreds of them at every start.
# ruff: noqa: D301 - the parser needs a real backspace to keep lines as they are

from benchdesign.cli.options import AsJson

__all__ = ["config_show"]


def config_show(as_json: AsJson = False) -> None:
    """Print every preference and where its value comes from.

    \b
    Example:
      benchdesign config show --json
    """
    from benchdesign.cli.actions.preferences import config_job

    config_job(as_json=as_json)

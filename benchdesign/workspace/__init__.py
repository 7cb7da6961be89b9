"""The folder of one curation project: settings, decisions, results."""

"""Generic widgets; they do not depend on the session."""

"""Which fields of a record hold the question, the choices and the answer."""

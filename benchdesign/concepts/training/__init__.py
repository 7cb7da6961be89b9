"""Train concept dictionaries and measure their statistics."""

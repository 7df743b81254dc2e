"""The bundle: what a model is once it is packaged, and how it runs."""

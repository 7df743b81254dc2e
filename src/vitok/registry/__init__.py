"""What is remembered: turns, versions with their verdicts, releases, windows, alerts; runs in MLflow."""
